/* clock: devices whose clock is wrong. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/undo.h"
#include "steps/steps.h"

enum step_outcome step_clock(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(
      stage, &(struct scenario_step){.kind = STEP_CLOCK, .who = step->who, .clock_right = true});
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_set_clock(stage->fleet, devices, count, step->clock_right, step->clock_unix_s);
  free(devices);
  return STEP_DONE;
}
