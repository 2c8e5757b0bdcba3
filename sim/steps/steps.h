/* Every kind of step that a scenario may have: scenario_load is handed the list.
 *
 * A kind stands at the foot of its own file, or of that which it shares with its inverse. To add
 * one, write the file and name it below.
 */
#ifndef FLEETSIM_STEPS_STEPS_H
#define FLEETSIM_STEPS_STEPS_H

#include "scenario/step_kind.h"

/* In the order in which sentences list them. */
/* clang-format off */
#define STEPS(X) \
  X(connect) \
  X(telemetry) \
  X(drain) \
  X(push_trust) \
  X(prove) \
  X(present) \
  X(revoke_broker) \
  X(trust_clients) \
  X(reload_broker) \
  X(restart_broker) \
  X(kill_broker) \
  X(stop_broker) \
  X(freeze_broker) \
  X(thaw_broker) \
  X(start_broker) \
  X(resolve) \
  X(reconnect) \
  X(reissue) \
  X(shelf) \
  X(wake) \
  X(clock) \
  X(trespass) \
  X(mitm) \
  X(reconnect_policy) \
  X(fault) \
  X(mend) \
  X(revoke) \
  X(unrevoke) \
  X(publish_crl) \
  X(kick) \
  X(compromise) \
  X(storm) \
  X(ota_publish) \
  X(ota_rollout) \
  X(ota_pause) \
  X(ota_resume) \
  X(ota_abort) \
  X(power_cut) \
  X(corrupt) \
  X(cdn) \
  X(wait) \
  X(prompt)
/* clang-format on */

#define X(name) extern const struct step_kind step_##name;
STEPS(X)
#undef X

extern const struct step_kind *const steps_kinds[]; /* ended by NULL */

#endif
