/* What somebody asks of a run on its live page: to pause when the phase is over, to go on, to end as
 * by Ctrl-C. All of it is told, in the events as it was asked and in the results as it was done: a
 * run that was paused is another one than its scenario alone would be. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "run/parts.h"
#include "stage/wait.h"

#define PAUSE_MAX_MS 3600000u /* then it goes on: nobody may be there any more */

static void tell(struct stage *stage, const char *asked)
{
  if (stage->events == NULL) return;
  stage_emit(stage, (struct event){.kind = EVENT_CONTROL, .control = {asked}});
}

static void end_by_hand(struct stage *stage)
{
  struct error error;
  if (stage->interrupted) return;
  tell(stage, "abort");
  stage->interrupted = true;
  stage->interrupted_ms = world_now_ms(stage->world);
  stage->results.by_hand.aborted = true;
  error_set(&error, EXIT_CODE_INTERRUPTED,
            "aborted by hand on the live page; results up to here are written");
  stage_abort(stage, &error);
}

void run_hear(struct stage *stage)
{
  const struct onlooker *onlooker = stage->options->onlooker;
  if (onlooker == NULL || stage->ended) return;
  unsigned asked = onlooker->asked(onlooker->ctx); /* live_asked, where there is a live page */
  if ((asked & ONLOOKER_ASKS_PAUSE) != 0 && !stage->pause_asked) {
    tell(stage, "pause");
    stage->pause_asked = true;
  }
  if ((asked & ONLOOKER_ASKS_GO_ON) != 0 && stage->pause_asked) {
    tell(stage, "go-on");
    stage->pause_asked = false;
  }
  if ((asked & ONLOOKER_ASKS_ABORT) != 0) end_by_hand(stage);
}

static bool may_go_on(struct stage *stage, void *ctx)
{
  (void) ctx;
  return !stage->pause_asked;
}

void run_pause(struct stage *stage)
{
  struct results_by_hand *by_hand = &stage->results.by_hand;
  char text[80];
  if (!stage->pause_asked || stage->aborted) return;
  stage->paused = true;
  stage->pause_began_ms = stage_elapsed_ms(stage);
  by_hand->pauses++;
  stage_emit(stage, (struct event){.kind = EVENT_PAUSED, .paused = {true}});
  (void) stage_wait(stage, may_go_on, NULL, PAUSE_MAX_MS);
  stage->held_ms = run_held_ms(stage);
  stage->paused = stage->pause_asked = false;
  snprintf(text, sizeof text, "then paused by hand for %.1f s",
           (double) stage->held_ms / 1000.0 - by_hand->paused_s);
  stage_say(stage, text);
  by_hand->paused_s = (double) stage->held_ms / 1000.0;
  stage_emit(stage, (struct event){.kind = EVENT_PAUSED, .paused = {false}});
}

uint64_t run_held_ms(const struct stage *stage)
{
  uint64_t now_ms = stage->paused ? stage_elapsed_ms(stage) - stage->pause_began_ms : 0;
  return stage->held_ms + now_ms;
}
