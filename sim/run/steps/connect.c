/* connect: devices come online at the arrival rate; telemetry starts with them. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

static struct fleet_telemetry as_fleet(const struct scenario_telemetry *t)
{
  return (struct fleet_telemetry){
      .on = t->on, .every_ms = t->every_ms, .bytes = t->bytes, .qos = t->qos};
}

enum step_outcome step_connect(struct run *run, const struct scenario_step *step)
{
  size_t chosen;
  uint32_t *devices = targets_of(run, TARGETS_UNPLANNED, &step->who, &chosen);
  if (devices == NULL) return STEP_ABORTED;
  struct fleet_telemetry telemetry = as_fleet(&run->scenario->telemetry);
  fleet_set_telemetry(run->fleet, &telemetry);
  fleet_connect(run->fleet, devices, chosen, step->rate, step->arrival == SCENARIO_POISSON);
  free(devices);
  uint64_t ramp_ms = step->rate > 0 ? (uint64_t) ((double) chosen / step->rate * 1000.0) : 0;
  return run_pause(run, ramp_ms) ? STEP_DONE : STEP_ABORTED;
}

enum step_outcome step_telemetry(struct run *run, const struct scenario_step *step)
{
  struct fleet_telemetry telemetry = as_fleet(&step->telemetry);
  fleet_set_telemetry(run->fleet, &telemetry);
  return STEP_DONE;
}

enum step_outcome step_wait(struct run *run, const struct scenario_step *step)
{
  return run_pause(run, step->within_ms) ? STEP_DONE : STEP_ABORTED;
}
