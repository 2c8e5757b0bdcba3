/* How a step widens over its devices. */
#ifndef FLEETSIM_STAGE_WAVES_H
#define FLEETSIM_STAGE_WAVES_H

#include "stage/stage.h"

/* Goes through the waves of a step: begin(stage, devices, count, ctx) starts one slice; done(stage,
 * index, ctx) tells whether a device of it is through. A slice that is not through in `within_ms`
 * stops the rollout: FAILED, or SHORT if it was the last one. Nobody to begin is SHORT as well. So does
 * a begin that returns -1: FAILED where stage->error is FAIL, else the run is aborted with it.
 * Slices are not cumulative: each device is begun once. */
struct waves {
  const struct scenario_waves *shares;
  uint64_t within_ms;
  int (*begin)(struct stage *stage, const uint32_t *devices, size_t count, void *ctx);
  bool (*done)(struct stage *stage, uint32_t device, void *ctx);
  void *ctx;
  const char *what; /* "acknowledged the trust bundle": for the sentence of a failure */
};
enum step_outcome waves_run(struct stage *stage, const struct waves *waves, const uint32_t *devices,
                            size_t count);

#endif
