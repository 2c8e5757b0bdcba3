/* The life of one member: power, attempts, sessions, the plan's wishes.
 *
 * Happy path: plan -> deadline -> START -> connect -> OPENED -> BYTES ... -> ONLINE (observe.c) ->
 * telemetry at its times, TICK at the device's. An attempt or session ends in one place,
 * after_end(), which decides what comes next: power off, back to the main endpoint, or another try
 * by the reconnect policy.
 */
#include "fleet/member.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"

#define CLOCKED_FIRST 100
#define CLOCKED_OF    10

static uint64_t earliest(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

void member_arm(struct member *m)
{
  if (m->held != NULL || member_boot_ms(m) != DEVICE_NEVER) {
    backend_deadline(m->conn, earliest(member_held_until_ms(m), member_boot_ms(m)));
    return;
  }
  if (member_is_unfetched(m)) {
    backend_deadline(m->conn, backend_now_ms(m->fleet->config.backend));
    return;
  }
  uint64_t at = earliest(m->start_at_ms,
                         earliest(m->device_at_ms, earliest(m->telemetry_at_ms, m->shelve_by_ms)));
  backend_deadline(m->conn, earliest(at, earliest(m->name_at_ms, member_trespass_ms(m))));
}

int64_t member_unix_s(const struct member *m)
{
  const struct backend *backend = m->fleet->config.backend;
  if (m->clock_right) return backend_unix_s(backend);
  return m->clock_unix_s + (int64_t) ((backend_now_ms(backend) - m->clock_set_ms) / 1000);
}

void member_power_on(struct member *m)
{
  assert(m->link == MEMBER_OFF);
  struct fleet *fleet = m->fleet;
  struct device_config config = {
      .profile = member_profile(m),
      .endpoints = fleet->endpoints,
      .endpoint_count = (uint8_t) (fleet->config.place_count + (fleet->config.prove.host != NULL)),
  };
  member_lend(m, &config.host);
  crypto_meter_use(&m->meter);
  int failed = fleet->config.ops->create(m->client, &config);
  crypto_meter_use(NULL);
  member_book_work(m);
  if (failed == 0) m->link = MEMBER_DOWN;
  if (member_lost_power(m)) return;
  if (failed != 0) {
    m->facts.dead = true;
    if (failed == -DEVICE_FAIL_DEVICE_IMAGE) member_bricked(m);
    member_count_failure(m, (enum device_failure) - failed,
                         "the device did not boot from its NVM page");
    return;
  }
  m->facts.trust_version = fleet->config.ops->trust_version(m->client);
  m->facts.powered = true;
  /* the first step after a boot: from then on the device knows the time, and has its deadlines */
  m->device_at_ms = backend_now_ms(fleet->config.backend);
  member_arm(m);
}

void member_power_off(struct member *m)
{
  if (m->link == MEMBER_OFF) return;
  member_fetch_abort(m);
  member_drop_held(m);
  member_hang_up(m);
  if (m->link == MEMBER_DIALLING) m->fleet->dialling--;
  member_trespass_ended(m, DEVICE_FAIL_SESSION_STOPPED);
  m->fleet->config.ops->destroy(m->client);
  member_book_work(m);
  m->link = MEMBER_OFF;
  m->facts.powered = false;
  m->start_at_ms = m->device_at_ms = m->telemetry_at_ms = m->shelve_by_ms = m->name_at_ms =
      DEVICE_NEVER;
  member_arm(m);
}

void member_set_wanted(struct member *m, bool wanted)
{
  if (m->facts.wanted == wanted) return;
  m->facts.wanted = wanted;
  m->fleet->wanted += wanted ? 1u : (size_t) -1;
  member_count_change(m->fleet);
}

void member_plan(struct member *m, enum fleet_endpoint endpoint, bool full_handshake,
                 uint64_t at_us)
{
  if (m->link == MEMBER_OFF && member_boot_ms(m) == DEVICE_NEVER) return;
  m->next_endpoint = endpoint;
  m->full_handshake = full_handshake;
  m->planned_us = at_us;
  m->start_at_ms = at_us / 1000;
  m->planned = true;
  member_arm(m);
}

void member_retry(struct member *m, bool by_policy)
{
  const struct fleet *fleet = m->fleet;
  const struct backoff_policy *policy = &fleet->policies[m->policy];
  m->start_at_ms = backend_now_ms(fleet->config.backend);
  if (by_policy)
    m->start_at_ms +=
        backoff_next_ms(policy, &m->backoff, (uint32_t) (random_next(&m->random) >> 32));
  m->planned_us = m->start_at_ms * 1000;
  m->planned = false;
}

/* What comes after an attempt or session has ended. */
static void after_end(struct member *m)
{
  m->ended = false;
  m->link = MEMBER_DOWN;
  m->name_at_ms = DEVICE_NEVER;
  if (m->shelving) {
    m->shelving = false;
    member_power_off(m);
  } else if (!m->facts.wanted) {
    m->start_at_ms = DEVICE_NEVER;
  } else if (m->start_at_ms == DEVICE_NEVER) {
    member_retry(m, true);
  }
}

void member_apply(struct member *m, const struct device_effects *fx)
{
  m->device_at_ms = fx->deadline_ms;
  if (fx->out_size > 0 && member_send(m, fx->out, fx->out_size) != 0) {
    member_hang_up(m);
    if (fx->reboot) {
      member_restart(m);
      return;
    }
    m->end_failure = DEVICE_FAIL_SESSION_BACKLOG;
    member_feed(
        m, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_OTHER});
    return;
  }
  if (fx->connect) {
    assert(fx->endpoint == member_endpoint(m));
    member_go(m);
  }
  if (fx->fetch_abort) member_fetch_abort(m);
  if (fx->fetch != NULL) member_fetch(m, fx->fetch);
  if (fx->close) member_hang_up(m);
  if (fx->reboot) {
    member_restart(m);
    return;
  }
  if (m->ended) after_end(m);
  member_arm(m);
}

/* One step of the device, with all that is counted around it. */
static void step(struct member *m, const struct device_event *event, struct device_effects *fx)
{
  struct fleet *fleet = m->fleet;
  /* START computes nothing */
  bool timed = m->handshaking && m->clocked && event->kind != DEVICE_START;
  if (timed) fleet->step.cpu_us = backend_cpu_us(fleet->config.backend);
  member_step_begin(m);
  if (event->kind == DEVICE_BYTES) m->record_bytes_in += (uint32_t) event->bytes.size;
  crypto_meter_use(&m->meter);
  fleet->config.ops->step(m->client, event, fx);
  crypto_meter_use(NULL);
  m->record_bytes_out += (uint32_t) fx->out_size;
  if (timed && m->handshaking)
    m->cpu_us += (uint32_t) (backend_cpu_us(fleet->config.backend) - fleet->step.cpu_us);
  m->accepted = fx->accepted;
}

void member_feed(struct member *m, struct device_event *event)
{
  if (m->link == MEMBER_OFF || member_defer(m, event)) return;
  struct fleet *fleet = m->fleet;
  event->now_ms = backend_now_ms(fleet->config.backend);
  event->unix_s = member_unix_s(m);
  struct device_effects fx = {.out = fleet->out, .out_capacity = sizeof fleet->out};
  step(m, event, &fx);
  uint64_t busy_us = fleet->config.pace ? member_step_us(m) : 0;
  if (m->shook) member_book_handshake(m);
  if (!m->handshaking) member_book_work(m);
  if (member_lost_power(m)) return;
  if (busy_us == 0 || !member_hold(m, &fx, busy_us))
    member_apply(m, &fx);
  else
    member_arm(m);
}

void member_stop(struct member *m)
{
  if (m->link == MEMBER_DIALLING || m->link == MEMBER_UP)
    member_feed(m, &(struct device_event){.kind = DEVICE_STOP});
}

/* Looking at a thread's CPU time is a system call, four a handshake, which would be 1.5 % of it: a
   sample will do. */
static bool is_clocked(double attempts_before)
{
  return attempts_before < CLOCKED_FIRST || fmod(attempts_before, CLOCKED_OF) == 0;
}

static void start(struct member *m)
{
  uint64_t planned_us = m->planned_us;
  if (member_hangs(m)) m->start_at_ms = DEVICE_NEVER;
  if (member_hangs(m) || member_is_braked(m)) return;
  member_stop(m);
  m->start_at_ms = DEVICE_NEVER;
  if (m->link != MEMBER_DOWN || !m->facts.wanted) return;
  m->planned_us = planned_us;
  m->endpoint = m->next_endpoint;
  m->place = m->order[m->turn];
  m->link = MEMBER_DIALLING;
  m->fleet->dialling++;
  m->handshaking = true;
  m->opened = false;
  m->cpu_us = 0;
  m->seen_root = -1;
  m->clocked = is_clocked(metrics_value(m->fleet->config.metrics, METRIC_CONNECT_ATTEMPTS));
  metrics_add(m->fleet->config.metrics, METRIC_CONNECT_ATTEMPTS, 1);
  struct device_event event = {
      .kind = DEVICE_START,
      .start = {.endpoint = member_endpoint(m), .full_handshake = m->full_handshake}};
  member_feed(m, &event);
}

/* --- backend callbacks ------------------------------------------------------------------------ */

static void on_opened(void *user)
{
  struct member *m = user;
  m->opened_us = fleet_clock_us(m->fleet);
  m->opened = true;
  member_count_begun(m->fleet);
  member_feed(m, &(struct device_event){.kind = DEVICE_OPENED});
}

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  member_feed(user,
              &(struct device_event){.kind = DEVICE_BYTES, .bytes = {.data = data, .size = size}});
}

static void on_closed(void *user, enum device_failure cause)
{
  member_feed(user, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = cause});
}

static void on_deadline(void *user)
{
  struct member *m = user;
  uint64_t now = backend_now_ms(m->fleet->config.backend);
  if (m->link == MEMBER_OFF) {
    if (member_boot_ms(m) <= now) member_boot(m);
    member_arm(m);
    return;
  }
  member_release(m);
  if (m->held == NULL && member_is_unfetched(m)) member_tell_unfetched(m);
  if (m->held == NULL && m->device_at_ms <= now) {
    m->device_at_ms = DEVICE_NEVER;
    member_feed(m, &(struct device_event){.kind = DEVICE_TICK});
  }
  if (m->held == NULL && m->name_at_ms <= now) member_named(m);
  if (m->held == NULL && m->telemetry_at_ms <= now) member_send_telemetry(m);
  if (m->held == NULL && member_trespass_ms(m) <= now) member_trespass(m);
  if (m->held == NULL && m->shelving && (m->shelve_by_ms <= now || member_is_quiet(m))) {
    m->shelve_by_ms = DEVICE_NEVER;
    if (m->link == MEMBER_DOWN)
      after_end(m);
    else
      member_stop(m);
  }
  if (m->held == NULL && m->start_at_ms <= now) start(m);
  member_arm(m);
}

const struct backend_handler member_handler = {
    .opened = on_opened, .bytes = on_bytes, .closed = on_closed, .deadline = on_deadline};
