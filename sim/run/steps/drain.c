/* drain: no new telemetry; wait until all of it is acknowledged to the devices and has reached the operator. */
#define _POSIX_C_SOURCE 200809L
#include "run/state.h"

static bool settled(struct run *run, void *ctx)
{
  (void) ctx;
  return run_unsettled(run) == 0;
}

enum step_outcome step_drain(struct run *run, const struct scenario_step *step)
{
  fleet_set_telemetry(run->fleet, &(struct fleet_telemetry){.on = false});
  enum run_waited waited = run_wait(run, settled, NULL, step->within_ms);
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  if (waited == RUN_REACHED) return STEP_DONE;
  error_set(&run->error, EXIT_CODE_FAIL, "%llu telemetry messages are neither acknowledged nor delivered after %.0f s",
            (unsigned long long) run_unsettled(run), (double) step->within_ms / 1000.0);
  return STEP_FAILED;
}
