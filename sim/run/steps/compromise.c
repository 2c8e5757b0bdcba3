/* compromise: somebody has read a device's flash, and runs a copy of it beside the device. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

enum step_outcome step_compromise(struct run *run, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int result = run_start_clones(run, devices, count, step->rate);
  free(devices);
  if (result == 0) return STEP_DONE;
  run_abort(run, &run->error);
  return STEP_ABORTED;
}
