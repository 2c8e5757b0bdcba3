/* connect: devices come online at the arrival rate; telemetry starts with them. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/fleet_config.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/steps.h"

enum step_outcome step_connect(struct stage *stage, const struct scenario_step *step)
{
  size_t chosen;
  uint32_t *devices = targets_of(stage, TARGETS_UNPLANNED, &step->who, &chosen);
  if (devices == NULL) return STEP_ABORTED;
  struct fleet_telemetry telemetry = stage_telemetry(&stage->scenario->telemetry);
  fleet_set_telemetry(stage->fleet, &telemetry);
  fleet_connect(stage->fleet, devices, chosen, step->rate, step->arrival == SCENARIO_POISSON);
  free(devices);
  uint64_t ramp_ms = step->rate > 0 ? (uint64_t) ((double) chosen / step->rate * 1000.0) : 0;
  return stage_pause(stage, ramp_ms) ? STEP_DONE : STEP_ABORTED;
}
