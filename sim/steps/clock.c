/* clock: devices whose clock is wrong. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/units.h"
#include "stage/targets.h"
#include "steps/internal.h"

static enum step_outcome run_clock(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_set_clock(stage->fleet, devices, count, step->clock_right, step->clock_unix_s);
  free(devices);
  return STEP_DONE;
}

static bool undo_clock(const struct stage *stage, const struct scenario_step *step,
                       struct scenario_step *inverse)
{
  (void) stage;
  *inverse = (struct scenario_step){.kind = &step_clock, .who = step->who, .clock_right = true};
  return true;
}

static int take_clock(const struct step_take *w)
{
  char why[200];
  const char *set = step_take_text(w, "set");
  if (step_take_who(w, false) != 0) return -1;
  if (set == NULL)
    return step_take_fail(w, "",
                          "this step needs a time: write 'set: 1970-01-01T00:00:00Z', or 'set: "
                          "true' for the right one");
  w->out->clock_right = strcmp(set, "true") == 0;
  if (w->out->clock_right || units_instant(set, &w->out->clock_unix_s, why, sizeof why) == 0)
    return 0;
  return step_take_fail(w, "set", "%s, or 'true' for the right time", why);
}

static void print_clock(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  if (step->clock_right)
    fprintf(out, "set the clocks of %s right", who);
  else
    fprintf(out, "set the clocks of %s to %lld s after 1970", who, (long long) step->clock_unix_s);
}

/* clock: {WHO, set: 1970-01-01T00:00:00Z} ; set: true -> the right time again */
const struct step_kind step_clock = {
    .name = "clock",
    .arguments = {STEP_WHO, STEP_ARG("set")},
    .take = take_clock,
    .print = print_clock,
    .undo = undo_clock,
    .run = run_clock,
};
