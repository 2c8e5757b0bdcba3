/* reconnect: live sessions are ended in waves and opened again, because a session that never ends
   proves nothing. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "stage/targets.h"
#include "stage/waves.h"
#include "steps/steps.h"

struct redial {
  const struct scenario_step *step;
  uint32_t *before; /* CONNACKs per device when its wave began */
};

static int redial(struct stage *stage, const uint32_t *devices, size_t count, void *ctx)
{
  const struct redial *r = ctx;
  for (size_t i = 0; i < count; i++)
    r->before[devices[i]] = fleet_facts(stage->fleet, devices[i])->connects;
  fleet_redial(stage->fleet, devices, count, r->step->rate, r->step->full_handshake);
  return 0;
}

static bool back(struct stage *stage, uint32_t device, void *ctx)
{
  const struct redial *r = ctx;
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  /* a revoked device that was refused is through as well, in whatever words: it will not come
     back */
  bool refused = facts->phase_failure == DEVICE_FAIL_TLS_ALERT_REVOKED ||
                 device_failure_is_refusal(facts->last_failure);
  return facts->connects > r->before[device] || (facts->revoked && refused);
}

enum step_outcome step_reconnect(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct redial r = {.step = step, .before = calloc(fleet_size(stage->fleet), sizeof *r.before)};
  if (r.before == NULL) {
    free(devices);
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = redial,
                        .done = back,
                        .ctx = &r,
                        .what = "came back"};
  enum step_outcome outcome = waves_run(stage, &waves, devices, count);
  free(devices);
  free(r.before);
  return outcome;
}
