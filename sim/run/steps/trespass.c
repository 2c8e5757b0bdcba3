/* trespass: devices publish and subscribe outside private/ID/#. Nothing may come through, in either direction. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

enum step_outcome step_trespass(struct run *run, const struct scenario_step *step)
{
  size_t count, n = fleet_size(run->fleet);
  uint32_t *devices = targets_of(run, TARGETS_ONLINE, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  double before = metrics_value(run->metrics, METRIC_TRESPASS_ATTEMPTS);
  for (size_t i = 0; n > 1 && i < count; i++) fleet_trespass(run->fleet, devices[i], run->ids[(devices[i] + 1) % n]);
  free(devices);
  /* time for what should not happen: a trespasser would now see its victim's telemetry */
  if (!run_pause(run, step->within_ms)) return STEP_ABORTED;
  if (metrics_value(run->metrics, METRIC_TRESPASS_ATTEMPTS) > before) return STEP_DONE;
  error_set(&run->error, EXIT_CODE_FAIL, "nobody has tried the topics of others: %zu devices of the step are online%s",
            count, n > 1 ? "" : ", and there is no other device");
  return STEP_SHORT;
}
