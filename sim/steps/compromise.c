/* compromise: somebody has read a device's flash, and runs a copy of it beside the device. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/clones.h"
#include "stage/targets.h"
#include "steps/steps.h"

enum step_outcome step_compromise(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int result = stage_start_clones(stage, devices, count, step->rate);
  free(devices);
  if (result == 0) return STEP_DONE;
  stage_abort(stage, &stage->error);
  return STEP_ABORTED;
}
