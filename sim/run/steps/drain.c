/* drain: no new telemetry; wait until all of it is acknowledged to the devices and has reached the
   operator. */
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
  uint64_t refused = run_refused(run), acknowledged, missing = run_missing(run, &acknowledged);
  if (waited == RUN_REACHED && refused == 0) return STEP_DONE;
  if (waited == RUN_REACHED)
    error_set(&run->error, EXIT_CODE_FAIL,
              "%llu telemetry messages do not arrive: a broker refused them",
              (unsigned long long) refused);
  else
    error_set(&run->error, EXIT_CODE_FAIL,
              "%llu telemetry messages have not arrived after %.0f s: a broker acknowledged %llu "
              "of them and refused %llu",
              (unsigned long long) missing, (double) step->within_ms / 1000.0,
              (unsigned long long) acknowledged, (unsigned long long) refused);
  return STEP_FAILED;
}
