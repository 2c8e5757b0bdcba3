/* Whether the steps make sense in their order: each kind says what must have come before it, and
 * what it brings about. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/step_kind.h"

int step_story_fail(const struct step_follow *f, const char *key, const char *format, ...)
{
  char sentence[600];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  return take_fail(f->t, f->at, key, "%s", sentence);
}

int step_story_online(const struct step_follow *f)
{
  if (f->story->connected) return 0;
  return step_story_fail(f, "",
                         "'%s' comes before any device is online: put a 'connect' step above it",
                         f->step->kind->name);
}

/* Of all that run, there must be one. */
static int any_up(const struct step_follow *f)
{
  for (size_t n = 0; n < f->scenario->node_count; n++)
    if (!f->story->down[n] && !f->story->frozen[n]) return 0;
  return step_story_fail(f, "",
                         "'%s' needs a broker, and all are down or frozen here: put 'start-broker' "
                         "or 'thaw-broker' above it",
                         f->step->kind->name);
}

int step_story_up(const struct step_follow *f, int node)
{
  if (node < 0) return any_up(f);
  if (!f->story->down[node] && !f->story->frozen[node]) return 0;
  bool down = f->story->down[node];
  const char *name = f->scenario->nodes[node].name;
  return step_story_fail(f, "",
                         "'%s' needs broker %s, which is %s here: put '%s: {node: %s}' above it",
                         f->step->kind->name, name, down ? "down" : "frozen",
                         down ? "start-broker" : "thaw-broker", name);
}

int step_story_image(const struct step_follow *f)
{
  if (f->step->image <= f->story->published) return 0;
  return step_story_fail(
      f, "", "image '%s' is published further down: put its 'ota.publish' above this '%s'",
      f->scenario->ota.images[f->step->image].name, f->step->kind->name);
}

int step_story_hook(const struct step_follow *f, enum hook_kind hook)
{
  const char *key = hook_key(hook);
  if (!scenario_broker_is(f->scenario, BROKER_HOOKED) || f->scenario->hook[hook][0] != '\0')
    return 0;
  return step_story_fail(
      f, "",
      "'%s' needs the hook '%s' on a remote broker: add 'hooks: {%s: command or URL}' to 'broker'",
      f->step->kind->name, key, key);
}

int step_story_apply(const struct step_follow *f, enum scenario_apply apply)
{
  if (apply == SCENARIO_APPLY_RELOAD) return step_story_hook(f, HOOK_RELOAD);
  if (apply == SCENARIO_APPLY_RESTART) return step_story_hook(f, HOOK_RESTART);
  return 0;
}

int check_story(const struct take *t, const struct scenario *scenario)
{
  struct step_story story = {0};
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t i = 0; i < scenario->phases[p].step_count; i++) {
      char at[DOC_PATH_MAX];
      snprintf(at, sizeof at, "phases[%zu].do[%zu]", p, i);
      const struct scenario_step *step = &scenario->phases[p].steps[i];
      const struct step_follow follow = {t, at, scenario, step, &story};
      if (step->kind->follow != NULL && step->kind->follow(&follow) != 0) return -1;
    }
  if (story.connected) return 0;
  return take_fail(t, "phases", "",
                   "no phase connects the fleet: begin with 'do: [connect: {rate: 200/s}]'");
}
