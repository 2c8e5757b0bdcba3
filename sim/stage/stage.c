/* What ends a run early, and what is said about its phases. */
#define _POSIX_C_SOURCE 200809L
#include "stage/stage.h"

#include <stdio.h>
#include <string.h>

#include "stage/wait.h"

void stage_emit(struct stage *stage, struct event event)
{
  event.t_s = stage_event_s(stage);
  events_emit(stage->events, &event);
}

int stage_abort(struct stage *stage, const struct error *error)
{
  if (!stage->aborted && error != &stage->error) stage->error = *error;
  stage->aborted = true;
  return -1;
}

enum step_outcome stage_give_up(struct stage *stage)
{
  stage_abort(stage, &stage->error);
  return STEP_ABORTED;
}

/* Each sentence once, and whole: where there is no room for one, dots say so. */
static void say(struct results_phase *result, const char *text)
{
  static const char more[] = "; ...";
  size_t used = strlen(result->note);
  bool fits = used + strlen("; ") + strlen(text) + sizeof more <= sizeof result->note;
  const char *said = fits ? text : "...";
  if (strstr(result->note, said) != NULL) return;
  snprintf(result->note + used, sizeof result->note - used, "%s%s", used > 0 ? "; " : "", said);
}

/* After the last phase the run looks at its brokers once more. */
static void say_at_end(struct results_phase *last, const char *text)
{
  static const char when[] = "at the end of the run";
  char late[700];
  snprintf(late, sizeof late, "%s: %s", when, text);
  bool known = strstr(text, when) != NULL || strstr(last->note, text) != NULL;
  say(last, known ? text : late);
}

void stage_say(struct stage *stage, const char *text)
{
  size_t count = stage->results.phase_count;
  if (stage->phase < count || count == 0)
    say(&stage->results.phases[stage->phase], text);
  else
    say_at_end(&stage->results.phases[count - 1], text);
}
