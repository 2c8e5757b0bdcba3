/* compromise: somebody has read a device's flash, and runs a copy of it beside the device. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/clones.h"
#include "stage/targets.h"
#include "steps/internal.h"

static enum step_outcome run_compromise(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int result = stage_start_clones(stage, devices, count, step->rate);
  free(devices);
  if (result == 0) return STEP_DONE;
  return stage_give_up(stage);
}

static int take_compromise(const struct step_take *w)
{
  return step_take_who(w, true) != 0 ? -1 : step_take_rate(w);
}

static int follow_compromise(const struct step_follow *f)
{
  if (f->story->compromised)
    return step_story_fail(
        f, "", "a run has one 'compromise': name all devices that are copied in the first");
  f->story->compromised = true;
  return 0;
}

static void print_compromise(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "let copies of %s, keys and all, go online beside them", who);
}

/* compromise: {WHO, rate: 200/s} */
const struct step_kind step_compromise = {
    .name = "compromise",
    .arguments = {STEP_WHO, STEP_ARG("rate")},
    .take = take_compromise,
    .follow = follow_compromise,
    .print = print_compromise,
    .foretells = STEP_ENDS_SESSIONS,
    .run = run_compromise,
};
