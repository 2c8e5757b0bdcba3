/* Who gives a member's device its events, and applies what it leaves.
 *
 * Happy path: plan -> deadline -> START -> connect -> OPENED -> BYTES ... -> ONLINE (observe.c) ->
 * telemetry at its times, TICK at the device's. An attempt or session ends in one place,
 * life_after_end(), which decides what comes next: power off, back to the main endpoint, or another
 * try by the reconnect policy.
 */
#include "fleet/feed.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "fleet/brake.h"
#include "fleet/download.h"
#include "fleet/due.h"
#include "fleet/firmware.h"
#include "fleet/life.h"
#include "fleet/line.h"
#include "fleet/outage.h"
#include "fleet/pace.h"
#include "fleet/places.h"
#include "fleet/population.h"
#include "fleet/trespass.h"
#include "fleet/work.h"

#define CLOCKED_FIRST 100
#define CLOCKED_OF    10

/* --- Downloads -------------------------------------------------------------------------------- */

static void on_fetched(void *user, const uint8_t *data, size_t size)
{
  firmware_came(user, size);
  feed_event(user,
             &(struct device_event){.kind = DEVICE_FETCHED, .bytes = {.data = data, .size = size}});
}

static void tell_fetch_ended(struct member *m, enum device_ota_status cause)
{
  feed_event(m, &(struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = cause});
}

static void on_fetch_ended(void *user, enum device_ota_status cause)
{
  download_is_over(user);
  tell_fetch_ended(user, cause);
}

static const struct fetch_handler fetch_handler = {.bytes = on_fetched, .ended = on_fetch_ended};

/* One that could not begin ends like every other one, never from inside the device's step. */
static void tell_unfetched(struct member *m)
{
  m->unfetched = false;
  tell_fetch_ended(m, DEVICE_OTA_SERVER_UNREACHABLE);
}

static void fetch(struct member *m, const struct device_fetch *wanted)
{
  download_begin(m, wanted, &fetch_handler);
  firmware_forget_came(m);
}

/* --- Steps ------------------------------------------------------------------------------------ */

/* The answer to the name has come. */
static void dial(struct member *m)
{
  m->name_at_ms = DEVICE_NEVER;
  if (m->link != MEMBER_DIALLING) return;
  const struct sockaddr_storage *to = places_answer(m);
  if (to != NULL)
    line_dial(m, to, places_source(m));
  else
    feed_event(m, &(struct device_event){.kind = DEVICE_CLOSED,
                                         .closed.cause = DEVICE_FAIL_NAME_NOT_FOUND});
}

static void apply(struct member *m, const struct device_effects *fx)
{
  m->device_at_ms = fx->deadline_ms;
  if (fx->out_size > 0 && line_send(m, fx->out, fx->out_size) != 0) {
    line_hang_up(m);
    if (fx->reboot) {
      life_restart(m);
      return;
    }
    m->end_failure = DEVICE_FAIL_SESSION_BACKLOG;
    feed_event(
        m, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_OTHER});
    return;
  }
  if (fx->connect) {
    assert(fx->endpoint == places_endpoint(m));
    if (places_ask(m)) dial(m);
  }
  if (fx->fetch_abort) download_abort(m);
  if (fx->fetch != NULL) fetch(m, fx->fetch);
  if (fx->close) line_hang_up(m);
  if (fx->reboot) {
    life_restart(m);
    return;
  }
  if (m->ended) life_after_end(m);
  due_arm(m);
}

/* One step of the device, with all that is counted around it. */
static void step(struct member *m, const struct device_event *event, struct device_effects *fx)
{
  struct fleet *fleet = m->fleet;
  /* START computes nothing */
  bool timed = m->handshaking && m->clocked && event->kind != DEVICE_START;
  if (timed) fleet->step.cpu_us = backend_cpu_us(fleet->config.backend);
  pace_begin(m);
  if (event->kind == DEVICE_BYTES) m->record_bytes_in += (uint32_t) event->bytes.size;
  crypto_meter_use(&m->meter);
  fleet->config.ops->step(m->client, event, fx);
  crypto_meter_use(NULL);
  m->record_bytes_out += (uint32_t) fx->out_size;
  if (timed && m->handshaking)
    m->cpu_us += (uint32_t) (backend_cpu_us(fleet->config.backend) - fleet->step.cpu_us);
  m->accepted = fx->accepted;
}

void feed_event(struct member *m, struct device_event *event)
{
  if (m->link == MEMBER_OFF || pace_defers(m, event)) return;
  struct fleet *fleet = m->fleet;
  event->now_ms = population_now_ms(fleet);
  event->unix_s = population_unix_s(m);
  struct device_effects fx = {.out = fleet->out, .out_capacity = sizeof fleet->out};
  step(m, event, &fx);
  uint64_t busy_us = fleet->config.pace ? pace_us(m) : 0;
  if (m->shook) work_book_handshake(m);
  if (!m->handshaking) work_book(m);
  if (life_lost_power(m)) return;
  if (busy_us == 0 || !pace_hold(m, &fx, busy_us))
    apply(m, &fx);
  else
    due_arm(m);
}

void feed_stop(struct member *m)
{
  if (m->link == MEMBER_DIALLING || m->link == MEMBER_UP)
    feed_event(m, &(struct device_event){.kind = DEVICE_STOP});
}

void feed_cut(struct member *m)
{
  if (m->link != MEMBER_DIALLING && m->link != MEMBER_UP) return;
  line_hang_up(m);
  feed_event(m,
             &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_RESET});
}

/* The device is done computing. What came meanwhile it hears now. */
static void release(struct member *m)
{
  struct pace_held *held = pace_take(m);
  if (held == NULL) return;
  if (held->closed) held->effects.out_size = 0; /* to nobody */
  apply(m, &held->effects);
  if (held->fetched && !held->effects.fetch_abort && held->effects.fetch == NULL)
    tell_fetch_ended(m, held->fetch_cause);
  if (held->closed && (m->link == MEMBER_DIALLING || m->link == MEMBER_UP))
    feed_event(m, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = held->cause});
  if (held->stop) feed_stop(m);
  free(held);
}

/* --- What is due ------------------------------------------------------------------------------ */

/* Looking at a thread's CPU time is a system call, four a handshake, which would be 1.5 % of it: a
   sample will do. */
static bool is_clocked(double attempts_before)
{
  return attempts_before < CLOCKED_FIRST || fmod(attempts_before, CLOCKED_OF) == 0;
}

static void start(struct member *m)
{
  uint64_t planned_us = m->planned_us;
  if (firmware_hangs(m)) m->start_at_ms = DEVICE_NEVER;
  if (firmware_hangs(m) || brake_holds(m)) return;
  feed_stop(m);
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
      .start = {.endpoint = places_endpoint(m), .full_handshake = m->full_handshake}};
  feed_event(m, &event);
}

enum telemetry_outcome feed_telemetry(struct member *m, uint64_t planned_ms,
                                      const struct fleet_telemetry *of)
{
  struct telemetry_sending sending;
  if (!telemetry_prepare(m, planned_ms, of, &sending)) return TELEMETRY_NOT_TAKEN;
  feed_event(m, &sending.event);
  return telemetry_settle(m, &sending);
}

/* A message belongs to the plan's moment, not to the moment it could be sent. */
static void send_telemetry(struct member *m)
{
  const struct fleet_telemetry *t = &m->fleet->telemetry;
  uint64_t planned_ms = m->telemetry_at_ms;
  m->telemetry_at_ms += t->every_ms;
  if (feed_telemetry(m, planned_ms, t) == TELEMETRY_NOT_TAKEN)
    metrics_add(m->fleet->config.metrics, METRIC_TELEMETRY_SKIPPED, 1);
}

static void trespass(struct member *m)
{
  struct trespass_attempt attempt;
  trespass_make(m, &attempt);
  feed_event(m, &attempt.event);
  trespass_made(m, &attempt);
}

/* --- The backend's callbacks ------------------------------------------------------------------ */

static void on_opened(void *user)
{
  struct member *m = user;
  m->opened_us = population_clock_us(m->fleet);
  m->opened = true;
  outage_count_begun(m->fleet);
  feed_event(m, &(struct device_event){.kind = DEVICE_OPENED});
}

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  feed_event(user,
             &(struct device_event){.kind = DEVICE_BYTES, .bytes = {.data = data, .size = size}});
}

static void on_closed(void *user, enum device_failure cause)
{
  feed_event(user, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = cause});
}

static void on_deadline(void *user)
{
  struct member *m = user;
  uint64_t now = population_now_ms(m->fleet);
  if (m->link == MEMBER_OFF) {
    if (m->boot_at_ms <= now) life_boot(m);
    due_arm(m);
    return;
  }
  release(m);
  if (m->held == NULL && m->unfetched) tell_unfetched(m);
  if (m->held == NULL && m->device_at_ms <= now) {
    m->device_at_ms = DEVICE_NEVER;
    feed_event(m, &(struct device_event){.kind = DEVICE_TICK});
  }
  if (m->held == NULL && m->name_at_ms <= now) dial(m);
  if (m->held == NULL && m->telemetry_at_ms <= now) send_telemetry(m);
  if (m->held == NULL && trespass_due_ms(m) <= now) trespass(m);
  if (m->held == NULL && m->shelving && (m->shelve_by_ms <= now || telemetry_is_quiet(m))) {
    m->shelve_by_ms = DEVICE_NEVER;
    if (m->link == MEMBER_DOWN)
      life_after_end(m);
    else
      feed_stop(m);
  }
  if (m->held == NULL && m->start_at_ms <= now) start(m);
  due_arm(m);
}

const struct backend_handler feed_handler = {
    .opened = on_opened, .bytes = on_bytes, .closed = on_closed, .deadline = on_deadline};
