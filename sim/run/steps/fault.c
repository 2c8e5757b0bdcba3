/* fault, mend: what the network between some devices and their brokers is like. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

static enum step_outcome mend(struct run *run, const struct scenario_who *who)
{
  size_t count;
  uint32_t *devices = targets_of(run, TARGETS_ALL, who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_mend(run->fleet, devices, count);
  free(devices);
  return STEP_DONE;
}

enum step_outcome step_fault(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_MEND, .who = step->who});
  size_t count;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int set = fleet_set_fault(run->fleet, devices, count, &step->fault, &run->error);
  free(devices);
  if (set != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  if (step->within_ms == 0) return STEP_DONE;
  return run_pause(run, step->within_ms) ? mend(run, &step->who) : STEP_ABORTED;
}

enum step_outcome step_mend(struct run *run, const struct scenario_step *step)
{
  return mend(run, &step->who);
}
