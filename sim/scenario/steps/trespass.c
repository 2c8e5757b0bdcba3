/* trespass: devices publish and subscribe outside private/ID/#. Nothing may come through, in either direction. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "scenario/run_state.h"

enum step_outcome step_trespass(struct run *run, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(run, TARGETS_ONLINE, &count);
  if (devices == NULL) return STEP_ABORTED;
  size_t trespassers = targets_share(count, step->share);
  for (size_t i = 0; count > 1 && i < trespassers; i++)
    fleet_trespass(run->fleet, devices[i], run->ids[devices[(i + 1) % count]]);
  free(devices);
  /* time for what should not happen: a trespasser would now see its victim's telemetry */
  return run_pause(run, step->within_ms) ? STEP_DONE : STEP_ABORTED;
}
