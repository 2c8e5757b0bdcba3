/* fault, mend: what the network between some devices and their brokers is like. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/undo.h"
#include "stage/wait.h"
#include "steps/steps.h"

static enum step_outcome mend(struct stage *stage, const struct scenario_who *who)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_mend(stage->fleet, devices, count);
  free(devices);
  return STEP_DONE;
}

enum step_outcome step_fault(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_MEND, .who = step->who});
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  int set = fleet_set_fault(stage->fleet, devices, count, &step->fault, &stage->error);
  free(devices);
  if (set != 0) {
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
  if (step->within_ms == 0) return STEP_DONE;
  return stage_pause(stage, step->within_ms) ? mend(stage, &step->who) : STEP_ABORTED;
}

enum step_outcome step_mend(struct stage *stage, const struct scenario_step *step)
{
  return mend(stage, &step->who);
}
