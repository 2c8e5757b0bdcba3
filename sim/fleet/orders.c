/* What the plan asks of devices: each command is a loop over a list of them. */
#include <assert.h>

#include "fleet/arrival.h"
#include "fleet/divert.h"
#include "fleet/due.h"
#include "fleet/feed.h"
#include "fleet/fleet.h"
#include "fleet/life.h"
#include "fleet/line.h"
#include "fleet/policies.h"
#include "fleet/population.h"
#include "fleet/power.h"
#include "fleet/revoked.h"
#include "fleet/trespass.h"

#define SHELVE_WITHIN_MS 5000u
#define BACKLOG_MAX      (16u * 1024u) /* of a connection that is given more telemetry */

static void plan_all(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                     bool poisson, enum fleet_endpoint endpoint, bool full_handshake)
{
  struct arrival arrival;
  uint64_t now_us = backend_now_us(fleet->config.backend);
  arrival_begin(&arrival, rate, poisson, fleet->config.seed);
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    uint64_t at_us = now_us + arrival_next_us(&arrival);
    life_plan(m, endpoint, full_handshake, at_us);
  }
}

void fleet_connect(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                   bool poisson)
{
  for (size_t i = 0; i < count; i++) life_set_wanted(&fleet->members[devices[i]], true);
  plan_all(fleet, devices, count, rate, poisson, FLEET_MAIN, false);
}

void fleet_redial(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                  bool full_handshake)
{
  plan_all(fleet, devices, count, rate, false, FLEET_MAIN, full_handshake);
}

void fleet_prove(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  for (size_t i = 0; i < count; i++) {
    struct fleet_facts *facts = &fleet->members[devices[i]].facts;
    facts->proof_pending = true;
    facts->proof = DEVICE_FAIL_STOPPED; /* until an attempt ends */
  }
  plan_all(fleet, devices, count, rate, false, FLEET_PROVE, true);
}

void fleet_end_proofs(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    if (!m->facts.proof_pending) continue;
    m->facts.proof_pending = false;
    life_plan(m, FLEET_MAIN, false, backend_now_us(fleet->config.backend));
  }
}

void fleet_shelve(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    if (m->facts.shelved) continue;
    m->facts.shelved = m->facts.phase_shelved = true;
    fleet->shelved++;
    life_set_wanted(m, false);
    m->start_at_ms = m->telemetry_at_ms = DEVICE_NEVER;
    if (m->link == MEMBER_OFF) {
      life_stay_off(m);
      continue;
    }
    m->shelving = true;
    m->shelve_by_ms = population_now_ms(fleet) + (telemetry_is_quiet(m) ? 0 : SHELVE_WITHIN_MS);
    due_arm(m);
  }
}

void fleet_wake(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    if (!m->facts.shelved) continue;
    m->facts.shelved = false;
    m->shelving = false;
    fleet->shelved--;
    if (m->link == MEMBER_OFF && !m->facts.dead) life_power_on(m);
  }
  fleet_connect(fleet, devices, count, rate, false);
}

void fleet_disconnect_all(struct fleet *fleet)
{
  fleet->complete = false; /* the end of the plan is no outage: the lowest number online stands */
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    life_set_wanted(m, false);
    m->start_at_ms = m->telemetry_at_ms = DEVICE_NEVER;
    feed_stop(m);
    due_arm(m);
  }
}

void fleet_set_telemetry(struct fleet *fleet, const struct fleet_telemetry *telemetry)
{
  assert(!telemetry->on || telemetry->text != NULL ||
         (telemetry->bytes >= PAYLOAD_MIN && telemetry->bytes <= sizeof fleet->message));
  fleet->telemetry = *telemetry;
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    if (!m->facts.ever_online) continue; /* the first CONNACK starts it */
    telemetry_stagger(m);
    due_arm(m);
  }
}

void fleet_set_clock(struct fleet *fleet, const uint32_t *devices, size_t count, bool right,
                     int64_t unix_s)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    m->clock_right = right;
    m->clock_unix_s = unix_s;
    m->clock_set_ms = population_now_ms(fleet);
  }
}

void fleet_serves(struct fleet *fleet, int node, const uint8_t fingerprint[32])
{
  assert(node >= 0 && node < FLEET_NODES_MAX);
  fleet->served[node] =
      fingerprint == NULL ? LEAVES_OTHER : leaves_number(&fleet->leaves, fingerprint);
  fleet->served_us[node] = population_clock_us(fleet);
}

void fleet_may_serve_another(struct fleet *fleet, int node)
{
  assert(node >= 0 && node < FLEET_NODES_MAX);
  fleet->served_us[node] = DEVICE_NEVER;
}

int fleet_set_reconnect(struct fleet *fleet, const uint32_t *devices, size_t count,
                        const struct backoff_policy *policy)
{
  size_t place = policies_number(fleet, policy);
  if (place >= FLEET_POLICIES_MAX) return -1;
  for (size_t i = 0; i < count; i++) fleet->members[devices[i]].policy = (uint8_t) place;
  return 0;
}

void fleet_cut(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  for (size_t i = 0; i < count; i++) feed_cut(&fleet->members[devices[i]]);
}

void fleet_recall(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  fleet_redial(fleet, devices, count, rate, false);
  for (size_t i = 0; i < count; i++)
    if (fleet->members[devices[i]].link == MEMBER_DIALLING) feed_stop(&fleet->members[devices[i]]);
}

void fleet_close_outage(struct fleet *fleet)
{
  fleet->outage.closed = fleet->outage.happened;
}

void fleet_brake(struct fleet *fleet, double rate)
{
  assert(rate > 0 && rate <= 1);
  fleet->brake_rate = rate;
}

int fleet_set_fault(struct fleet *fleet, const uint32_t *devices, size_t count,
                    const struct fault *fault, struct error *error)
{
  for (size_t i = 0; i < count; i++)
    if (line_set_fault(&fleet->members[devices[i]], fault) != 0)
      return error_set(error, EXIT_CODE_INTERNAL, "out of memory for the faults of %zu devices",
                       count);
  return 0;
}

void fleet_mend(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  static const struct fault none;
  for (size_t i = 0; i < count; i++)
    if (fleet->members[devices[i]].faults != NULL)
      (void) line_set_fault(&fleet->members[devices[i]], &none);
}

void fleet_lead(struct fleet *fleet, size_t place, const struct fleet_place *now)
{
  const char *host = fleet->config.place[place].host;
  fleet->config.place[place] = *now;
  fleet->config.place[place].host = host;
}

int fleet_divert(struct fleet *fleet, size_t index, const struct fleet_diversion *diversion,
                 struct error *error)
{
  assert(index < fleet->config.device_count);
  if (divert_begin(&fleet->members[index], diversion) != 0)
    return error_set(error, EXIT_CODE_INTERNAL, "out of memory for devices that are led elsewhere");
  feed_cut(&fleet->members[index]);
  return 0;
}

void fleet_lead_back(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  for (size_t i = 0; i < count; i++) divert_end(&fleet->members[devices[i]]);
}

bool fleet_publish(struct fleet *fleet, size_t index, uint32_t bytes, uint8_t qos)
{
  assert(index < fleet->config.device_count);
  struct member *m = &fleet->members[index];
  if (m->link != MEMBER_UP || line_backlog(m) > BACKLOG_MAX) return false;
  const struct fleet_telemetry one = {.bytes = bytes, .qos = qos};
  return feed_telemetry(m, population_now_ms(fleet), &one) == TELEMETRY_TAKEN;
}

int fleet_trespass(struct fleet *fleet, size_t index, size_t victim)
{
  assert(index < fleet->config.device_count && victim < fleet->config.device_count);
  struct member *m = &fleet->members[index];
  if (trespass_begin(m, (uint32_t) victim) != 0) return -1;
  due_arm(m);
  return 0;
}

void fleet_lure(struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  due_arm(trespass_lure(&fleet->members[index]));
}

void fleet_lure_heard(struct fleet *fleet, size_t index, const char *below)
{
  assert(index < fleet->config.device_count);
  trespass_lure_heard(&fleet->members[index], below);
}

void fleet_end_trespass(struct fleet *fleet)
{
  trespass_end(fleet);
}

void fleet_power_cut(struct fleet *fleet, const uint32_t *devices, size_t count,
                     const struct fleet_power_cuts *cuts)
{
  for (size_t i = 0; i < count; i++)
    power_arm_cuts(&fleet->members[devices[i]], cuts, (uint32_t) i + 1, (uint32_t) count);
}

int fleet_publish_crl(struct fleet *fleet, const bool *names, struct error *error)
{
  return revoked_publish(fleet, names, error);
}

void fleet_crl_taken(struct fleet *fleet)
{
  revoked_taken(fleet);
}

void fleet_begin_phase(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct fleet_facts *facts = &fleet->members[i].facts;
    facts->phase_failure = DEVICE_FAIL_NONE;
    facts->phase_refusals = 0;
    facts->phase_shelved = false;
    facts->phase_connected = false;
  }
}

void fleet_begin_step(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct fleet_facts *facts = &fleet->members[i].facts;
    facts->step_failures = (struct failure_set){0};
    facts->step_counted = 0;
  }
}

void fleet_expect(struct fleet *fleet, const struct failure_set *failures)
{
  fleet->expected_before = fleet->expected;
  fleet->expected = *failures;
  fleet->expected_at_us = backend_now_us(fleet->config.backend);
}
