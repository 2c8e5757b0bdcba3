/* The life of one member between its steps: power, boots, restarts, and when it tries next.
 *
 * Happy path: power on -> planned -> an attempt or session ends -> another try by the reconnect
 * policy. A device that restarts, or whose power failed in the middle of an operation, is off and
 * comes back by itself; one that does not boot stays dead.
 */
#include "fleet/life.h"

#include <assert.h>

#include "base/random.h"
#include "fleet/download.h"
#include "fleet/due.h"
#include "fleet/emit.h"
#include "fleet/firmware.h"
#include "fleet/line.h"
#include "fleet/observe.h"
#include "fleet/outage.h"
#include "fleet/pace.h"
#include "fleet/population.h"
#include "fleet/power.h"
#include "fleet/telemetry.h"
#include "fleet/trespass.h"
#include "fleet/work.h"

/* One that was online and restarts keeps its session, and so what it was sent. */
static const struct device_profile *profile_of(const struct member *m)
{
  bool keeps = m->restarts && m->facts.ever_online;
  return keeps ? &m->fleet->restarted : m->fleet->config.profile;
}

static int hook_password(void *ctx, uint8_t out[DEVICE_PASSWORD_MAX])
{
  struct member *m = ctx;
  const struct fleet_logins *logins = &m->fleet->config.logins;
  return m->dark ? -1 : logins->password(logins->ctx, population_number(m), out);
}

/* ops->create and ops->step call them back: of the built-in client, sim/device. */
static void lend(struct member *m, struct device_host *host)
{
  power_lend(m, host);
  if (m->fleet->config.logins.password != NULL) host->password = hook_password;
  host->observe = observe_note;
  if (m->fleet->config.profile->ota != NULL && m->fleet->config.ota.trial != NULL)
    host->self_test = firmware_self_test;
}

void life_power_on(struct member *m)
{
  assert(m->link == MEMBER_OFF);
  struct fleet *fleet = m->fleet;
  struct device_config config = {
      .profile = profile_of(m),
      .endpoints = fleet->endpoints,
      .endpoint_count = (uint8_t) (fleet->config.place_count + (fleet->config.prove.host != NULL)),
      .naming = fleet->namings != NULL ? &fleet->namings[population_index(m)] : NULL,
  };
  lend(m, &config.host);
  crypto_meter_use(&m->meter);
  int failed = fleet->config.ops->create(m->client, &config);
  crypto_meter_use(NULL);
  work_book(m);
  if (failed == 0) m->link = MEMBER_DOWN;
  if (life_lost_power(m)) return;
  if (failed != 0) {
    m->facts.dead = true;
    if (failed == -DEVICE_FAIL_DEVICE_IMAGE) firmware_bricked(m);
    observe_failure(m, (enum device_failure) - failed, "the device did not boot from its NVM page");
    return;
  }
  m->facts.trust_version = fleet->config.ops->trust_version(m->client);
  m->facts.powered = true;
  emit_change(m);
  /* the first step after a boot: from then on the device knows the time, and has its deadlines */
  m->device_at_ms = population_now_ms(fleet);
  due_arm(m);
}

void life_power_off(struct member *m)
{
  if (m->link == MEMBER_OFF) return;
  download_abort(m);
  pace_drop(m);
  line_hang_up(m);
  if (m->link == MEMBER_DIALLING) m->fleet->dialling--;
  trespass_ended(m, DEVICE_FAIL_SESSION_STOPPED);
  m->fleet->config.ops->destroy(m->client);
  telemetry_forget(m);
  work_book(m);
  m->link = MEMBER_OFF;
  m->facts.powered = false;
  m->start_at_ms = m->device_at_ms = m->telemetry_at_ms = m->shelve_by_ms = m->name_at_ms =
      DEVICE_NEVER;
  due_arm(m);
}

/* --- The plan's wishes and the next attempt --------------------------------------------------- */

void life_set_wanted(struct member *m, bool wanted)
{
  if (m->facts.wanted == wanted) return;
  m->facts.wanted = wanted;
  m->fleet->wanted += wanted ? 1u : (size_t) -1;
  emit_change(m);
  outage_count_change(m->fleet);
}

void life_plan(struct member *m, enum fleet_endpoint endpoint, bool full_handshake, uint64_t at_us)
{
  if (m->link == MEMBER_OFF && m->boot_at_ms == DEVICE_NEVER) return;
  m->next_endpoint = endpoint;
  m->full_handshake = full_handshake;
  m->planned_us = at_us;
  m->start_at_ms = at_us / 1000;
  m->planned = true;
  due_arm(m);
}

/* The next attempt: by the reconnect policy as after a failed one, or at once. */
static void retry(struct member *m, bool by_policy)
{
  const struct fleet *fleet = m->fleet;
  const struct backoff_policy *policy = &fleet->policies[m->policy];
  m->start_at_ms = population_now_ms(fleet);
  if (by_policy)
    m->start_at_ms +=
        backoff_next_ms(policy, &m->backoff, (uint32_t) (random_next(&m->random) >> 32));
  m->planned_us = m->start_at_ms * 1000;
  m->planned = false;
}

void life_after_end(struct member *m)
{
  m->ended = false;
  m->link = MEMBER_DOWN;
  m->name_at_ms = DEVICE_NEVER;
  if (m->shelving) {
    m->shelving = false;
    life_power_off(m);
  } else if (!m->facts.wanted) {
    m->start_at_ms = DEVICE_NEVER;
  } else if (m->start_at_ms == DEVICE_NEVER) {
    retry(m, true);
  }
}

/* --- Restarts --------------------------------------------------------------------------------- */

/* Off, and on again after what a boot takes. `m` may be off already. */
static void boot_later(struct member *m)
{
  bool for_good = m->shelving;
  /* a session that the plan would end later is over; what was to begin later is not earlier for
     it */
  uint64_t start_at_ms = m->planned && m->link != MEMBER_UP ? m->start_at_ms : DEVICE_NEVER;
  if (!m->ended) observe_end(m); /* a device that restarts by itself has said so already */
  if (m->link != MEMBER_OFF) m->link = MEMBER_DOWN;
  life_power_off(m);
  m->ended = m->accepted = m->shelving = false;
  backoff_reset(&m->backoff);
  m->dark = false;
  if (for_good) return;
  m->boot_at_ms = population_now_ms(m->fleet) + power_boot_time_ms(m);
  m->start_at_ms = start_at_ms;
  due_arm(m);
}

bool life_lost_power(struct member *m)
{
  if (!m->dark) return false;
  firmware_lost(m);
  line_break_off(m);
  boot_later(m);
  return true;
}

void life_restart(struct member *m)
{
  m->by_policy = false;
  boot_later(m);
}

void life_stay_off(struct member *m)
{
  m->boot_at_ms = DEVICE_NEVER;
  due_arm(m);
}

void life_boot(struct member *m)
{
  m->boot_at_ms = DEVICE_NEVER;
  m->restarts = true;
  life_power_on(m);
  m->restarts = false;
  if (m->link != MEMBER_DOWN) return;
  if (!m->facts.wanted)
    m->start_at_ms = DEVICE_NEVER;
  else if (m->start_at_ms == DEVICE_NEVER)
    retry(m, m->by_policy);
}
