/* The fleet in virtual time: a backend without sockets and a device without TLS, both scripted
   here. */
#define _POSIX_C_SOURCE 200809L
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <psa/crypto.h>

#include "crypto/meter.h"
#include "fleet/fleet.h"

#define DEVICES 20
#include "clockwork.h"

/* --- A device that is online as soon as its transport opens, unless it is told to fail there -- */

struct puppet {
  struct device_config config;
  uint8_t endpoint;
  bool online;
};

/* of every device's attempts at this endpoint */
static enum device_failure outcome[FLEET_PLACES_MAX + 1];
/* MQTT reason that comes with an outcome */
static uint8_t said;
static const char *server; /* and the server reference */
/* and the rest of what the device tells of it */
static struct device_note seen;
static bool outbox_full;
static struct device_note denial; /* what becomes of a message; kind 0 (STATE): nothing */
static bool connack = true;
/* what every handshake is like: from a ticket; the broker asks for a certificate */
static bool resumes, asks = true;
static uint8_t leaf[64];             /* what every broker presents */
static int64_t seen_unix_s[DEVICES]; /* the wall clock that each device was shown last */

static void note(struct puppet *p, struct device_note note)
{
  p->config.host.observe(p->config.host.ctx, &note);
}

static size_t puppet_index(const struct puppet *p)
{
  uint8_t mark;
  assert_int_equal(p->config.host.nvm_read(p->config.host.ctx, 1, &mark, 1), 0);
  return mark;
}

static size_t puppet_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct puppet);
}

static int puppet_create(void *storage, const struct device_config *config)
{
  struct puppet *p = storage;
  uint8_t alive;
  *p = (struct puppet){.config = *config};
  assert_int_equal(config->host.nvm_read(config->host.ctx, 16, &alive, 1), -1);
  assert_int_equal(config->host.nvm_read(config->host.ctx, 0, &alive, 1), 0);
  return alive == 0 ? -DEVICE_FAIL_DEVICE_NVM : 0;
}

static void puppet_end(struct puppet *p, enum device_failure failure)
{
  p->online = false;
  struct device_note ended = seen;
  ended.kind = DEVICE_NOTE_ENDED;
  ended.failure = failure;
  ended.code = said;
  ended.server = server;
  ended.server_size = server == NULL ? 0 : strlen(server);
  note(p, ended);
}

/* What opening costs every device, whether it goes well or not, and some words on the wire. */
static void work(struct device_effects *fx)
{
  struct crypto_meter *meter = crypto_meter_current();
  meter->keygen += 1;
  meter->public_key += 2;
  meter->ecdh += 3;
  if (asks) meter->sign += 4;
  meter->verify += 7;
  meter->verify_remembered += 5;
  meter->sha256_blocks += 100000;
  memcpy(fx->out, "hello", 5);
  fx->out_size = 5;
}

static void puppet_open(struct puppet *p, struct device_effects *fx)
{
  work(fx);
  static const uint8_t anchor[32] = {1};
  if (outcome[p->endpoint] != DEVICE_FAIL_NONE) {
    fx->close = true;
    puppet_end(p, outcome[p->endpoint]);
    return;
  }
  note(p, (struct device_note){.kind = DEVICE_NOTE_HANDSHAKE,
                               .resumed = resumes,
                               .anchor_id = resumes ? NULL : anchor,
                               .leaf = resumes ? NULL : leaf,
                               .leaf_size = resumes ? 0 : sizeof leaf,
                               .own_offset = 1,
                               .own_size = 1});
  if (!connack) {
    fx->close = true;
    puppet_end(p, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA);
    return;
  }
  p->online = true;
  note(p, (struct device_note){.kind = DEVICE_NOTE_ONLINE});
}

static void puppet_step(void *storage, const struct device_event *event, struct device_effects *fx)
{
  struct puppet *p = storage;
  fx->deadline_ms = DEVICE_NEVER;
  seen_unix_s[puppet_index(p)] = event->unix_s;
  switch (event->kind) {
  case DEVICE_START:
    p->endpoint = event->start.endpoint;
    fx->connect = true;
    fx->endpoint = p->endpoint;
    break;
  case DEVICE_OPENED: puppet_open(p, fx); break;
  case DEVICE_CLOSED:
    puppet_end(p, p->online ? DEVICE_FAIL_SESSION_CLOSED : event->closed.cause);
    break;
  case DEVICE_STOP:
    fx->close = true;
    puppet_end(p, p->online ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED);
    break;
  case DEVICE_PUBLISH:
    fx->accepted = !outbox_full;
    denial.tag = event->publish.tag;
    if (fx->accepted && p->online && denial.kind == DEVICE_NOTE_DENIED)
      note(p, denial);
    else if (fx->accepted && p->online)
      note(p, (struct device_note){
                  .kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag, .qos = event->publish.qos});
    break;
  default: break;
  }
}

static void puppet_destroy(void *storage)
{
  (void) storage;
}

static uint32_t puppet_version(const void *storage)
{
  (void) storage;
  return 1;
}

static const char *puppet_name(const void *storage)
{
  (void) storage;
  return "00000001";
}

static const struct device_ops puppet_ops = {.name = "puppet",
                                             .storage_size = puppet_size,
                                             .create = puppet_create,
                                             .step = puppet_step,
                                             .destroy = puppet_destroy,
                                             .device_name = puppet_name,
                                             .trust_version = puppet_version};

/* --- The world of one test -------------------------------------------------------------------- */

/* Opening costs a puppet 7 verifications of 100 ms and a rest of 50 ms; nothing else costs
   anything. */
static const struct timing_profile slow = {.name = "slow",
                                           .clock_hz = 1e6,
                                           .verify = 1e5,
                                           .handshake_rest = 5e4,
                                           .k_low = 1,
                                           .k_nominal = 1,
                                           .k_high = 1};

struct world {
  const struct timing_profile *timing;
  bool pace;
  struct backend backend;
  struct fleet *fleet;
  struct metrics *metrics;
  struct events *events;
  struct events_sink sink;
  double first_event_s;
  size_t told_refusals;       /* for what the topic may not */
  uint8_t pages[DEVICES][16]; /* byte 0: boots; byte 1: the device's index */
};

static void on_told(void *ctx, const struct event *event)
{
  struct world *w = ctx;
  if (w->first_event_s < 0) w->first_event_s = event->t_s;
  w->told_refusals +=
      event->kind == EVENT_REFUSED && event->refused.failure == DEVICE_FAIL_PUBLISH_REFUSED_AUTH;
}

static uint8_t *page_of(void *pages, size_t index)
{
  return ((struct world *) pages)->pages[index];
}

static uint32_t id_of(void *pages, size_t index)
{
  (void) pages;
  return (uint32_t) index + 1;
}

/* of the next world */
static uint16_t (*wants_roots)(void *ctx, size_t index, const uint8_t *chain, size_t size);
static void *wants_roots_ctx;
static size_t place_count = 1;
static enum fleet_endpoints endpoints;

/* Places "a", "b", ... at ports 1000, 1001, ...; each leads to the node of its number. */
static void set_places(struct fleet_config *config)
{
  static const char *const hosts[FLEET_PLACES_MAX] = {"a", "b", "c", "d"};
  config->place_count = place_count;
  config->endpoints = endpoints;
  for (size_t i = 0; i < place_count; i++) {
    struct sockaddr_in *at = (struct sockaddr_in *) &config->place[i].address[0].at;
    config->place[i].host = hosts[i];
    config->place[i].address_count = 1;
    config->place[i].address[0].node = (int8_t) i;
    at->sin_family = AF_INET;
    at->sin_port = htons((uint16_t) (1000 + i));
  }
}

static void make_fleet(struct world *w)
{
  static const struct device_profile profile = {.name = "puppet"};
  struct fleet_config config = {
      .backend = &w->backend,
      /* 3 s before the fleet: a broker was started first */
      .began_us = 2000 * 1000,
      .ops = &puppet_ops,
      .profile = &profile,
      .prove = {.host = "localhost", .address_count = 1},
      .device_count = DEVICES,
      .page = page_of,
      .page_size = 16,
      .id = id_of,
      .pages = w,
      .anchor_id = {{9}, {1}},
      .root_count = 2,
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 1000, .cap_ms = 1000},
      .timing = w->timing,
      .pace = w->pace,
      .seed = 7,
      .metrics = w->metrics,
      .events = w->events};
  config.roots_of = wants_roots;
  config.roots_ctx = wants_roots_ctx;
  set_places(&config);
  assert_int_equal(fleet_create(&config, &w->fleet, NULL), 0);
}

/* `damaged`: index of a device that does not boot, -1: all do. */
static struct world *new_world_with(int damaged, const struct timing_profile *timing, bool pace)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->timing = timing;
  w->pace = pace;
  memset(outcome, 0, sizeof outcome);
  outbox_full = false;
  denial = (struct device_note){.kind = DEVICE_NOTE_STATE};
  said = 0;
  server = NULL;
  seen = (struct device_note){0};
  for (int i = 0; i < DEVICES; i++) w->pages[i][0] = i != damaged;
  for (int i = 0; i < DEVICES; i++) w->pages[i][1] = (uint8_t) i;
  w->backend.now_ms = 5000;
  w->metrics = metrics_create();
  assert_int_equal(events_open(NULL, &w->events, NULL), 0);
  w->first_event_s = -1;
  w->sink = (struct events_sink){.take = on_told, .ctx = w};
  events_attach(w->events, &w->sink);
  make_fleet(w);
  return w;
}

static struct world *new_world(int damaged)
{
  return new_world_with(damaged, NULL, false);
}

static void on_closed(void *ctx)
{
  *(bool *) ctx = true;
}

static void end(struct world *w)
{
  bool closed = false;
  fleet_close(w->fleet, on_closed, &closed);
  assert_true(closed);
  assert_int_equal(events_close(w->events, NULL), 0);
  metrics_destroy(w->metrics);
  free(w);
}

/* Lets `ms` pass: transports open within a millisecond, deadlines fire when due. */
static void pass(struct world *w, uint64_t ms)
{
  clockwork_pass(&w->backend, ms);
}

static double value(struct world *w, enum metric metric)
{
  return metrics_value(w->metrics, metric);
}

static void expect(struct world *w, size_t count, const enum device_failure *failures)
{
  struct failure_set set = {0};
  for (size_t f = 0; f < count; f++) failure_set_add(&set, failures[f]);
  fleet_expect(w->fleet, &set);
}

static size_t online(struct world *w)
{
  struct fleet_census census;
  fleet_census(w->fleet, &census);
  return census.online;
}

static void assert_books_closed(struct world *w)
{
  struct fleet_census census;
  fleet_census(w->fleet, &census);
  double closed =
      value(w, METRIC_CONNECT_OK) + value(w, METRIC_CONNECT_FAILED) + (double) census.attempts_open;
  assert_int_equal((int) value(w, METRIC_CONNECT_ATTEMPTS), (int) closed);
}

static void connect_all(struct world *w)
{
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 1000, false);
  pass(w, 100);
}

/* --- Stories ---------------------------------------------------------------------------------- */

static void connects_at_the_planned_rate(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 10, false);
  pass(w, 950);
  assert_int_equal(online(w), 10);
  pass(w, 1100);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal((int) value(w, METRIC_CONNECT_ATTEMPTS), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void events_tell_the_time_since_the_run_began(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  pass(w, 400);
  connect_all(w);
  /* and not 400: the fleet came 3 s after the run */
  assert_in_range((int) (w->first_event_s * 1000), 3400, 3500);
  end(w);
}

static void tries_again_by_the_policy_and_books_every_attempt(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  connect_all(w);
  pass(w, 2000);
  assert_int_equal(online(w), 0);
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), 3 * DEVICES);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_TLS_NOT_TRUSTED)->count, 3 * DEVICES);
  outcome[FLEET_MAIN] = DEVICE_FAIL_NONE;
  pass(w, 1100);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

/* A chain that cannot be parsed is no chain of none, and a resumed session needs none. */
static void a_failure_tells_what_was_seen_of_the_brokers_chain(void **state)
{
  (void) state;
  static const struct {
    enum device_failure failure;
    struct device_note seen;
    const char *detail;
  } cases[] = {
      {DEVICE_FAIL_TLS_EXPIRED,
       {.chain_certificates = 1, .verify_flags = 1},
       "broker sent 1 certificate, verify flags 0x01"},
      {DEVICE_FAIL_TLS_BAD_CERTIFICATE,
       {.tls_error = -0x2180},
       "broker sent a chain that cannot be parsed, TLS code -0x2180"},
      {DEVICE_FAIL_TLS_WEAK,
       {.tls_error = -0x3c80},
       "broker sent a chain that cannot be parsed, TLS code -0x3c80"},
      {DEVICE_FAIL_TLS_CLOSED,
       {.chain_certificates = 2, .secured = true, .close_notify = true},
       "broker sent 2 certificates, TLS handshake done, close_notify received"},
      {DEVICE_FAIL_MQTT_REFUSED_AUTH,
       {.secured = true, .resumed = true},
       "session resumed, so the broker sent no certificate, TLS handshake done"},
      {DEVICE_FAIL_TLS_TIMEOUT, {0}, "no certificate of the broker seen"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct world *w = new_world(-1);
    outcome[0] = cases[i].failure;
    seen = cases[i].seen;
    connect_all(w);
    assert_string_equal(metrics_failure(w->metrics, cases[i].failure)->detail, cases[i].detail);
    end(w);
  }
}

static void a_handshakes_cpu_time_includes_the_step_that_ends_it(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  struct metrics_stats cpu;
  metrics_stats(w->metrics, METRIC_HANDSHAKE_CPU, &cpu);
  assert_int_equal(cpu.count, DEVICES);
  assert_in_range((uint64_t) cpu.min, 95, 105); /* OPENED up to the note; START computes nothing */
  end(w);
}

static void of_many_handshakes_one_in_ten_is_clocked(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  for (int round = 1; round < 10; round++) {
    fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 1000, false);
    pass(w, 100);
  }
  assert_int_equal((int) value(w, METRIC_HANDSHAKE_FULL), 10 * DEVICES);
  struct metrics_stats cpu;
  metrics_stats(w->metrics, METRIC_HANDSHAKE_CPU, &cpu);
  assert_int_equal(cpu.count, 100 + (10 * DEVICES - 100) / 10);
  end(w);
}

static void expect_work(struct world *w, int attempts)
{
  const struct {
    enum metric metric;
    int each;
  } expected[] = {
      {METRIC_CRYPTO_KEYGEN, 1},
      {METRIC_CRYPTO_PUBLIC_KEY, 2},
      {METRIC_CRYPTO_ECDH, 3},
      {METRIC_CRYPTO_SIGN, 4},
      {METRIC_CRYPTO_VERIFY, 7},
      {METRIC_CRYPTO_VERIFY_REMEMBERED, 5},
      {METRIC_CRYPTO_VERIFY_COMPUTED, 2},
      {METRIC_CRYPTO_SHA256_BYTES, 6400000},
      {METRIC_TLS_BYTES_OUT, 5},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    if ((int) value(w, expected[i].metric) != attempts * expected[i].each)
      fail_msg("%s is %d after %d attempts of %d", metric_name(expected[i].metric),
               (int) value(w, expected[i].metric), attempts, expected[i].each);
}

static void what_devices_compute_is_booked_once_and_what_others_compute_is_not(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  expect_work(w, DEVICES);
  struct crypto_meter *stranger = crypto_meter_current();
  stranger->verify++;
  fleet_disconnect_all(w->fleet);
  pass(w, 50);
  expect_work(w, DEVICES);
  end(w);
}

static void a_refused_attempt_has_cost_its_device_no_less(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  pass(w, 50);
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), DEVICES);
  expect_work(w, DEVICES);
  end(w);
}

static void what_a_device_receives_is_counted_in_bytes(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  static const uint8_t record[300] = {23, 3, 3};
  struct backend_conn *conn = w->backend.conns[4];
  for (int i = 0; i < 3; i++) conn->handler->bytes(conn->user, record, sizeof record);
  assert_int_equal((int) value(w, METRIC_TLS_BYTES_IN), 3 * sizeof record);
  expect_work(w, DEVICES);
  end(w);
}

static void a_redial_is_planned_and_no_failure(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, true);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(fleet_facts(w->fleet, 3)->connects, 2);
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), 0);
  assert_books_closed(w);
  end(w);
}

static void present(uint8_t fill, uint8_t fingerprint[32])
{
  size_t size;
  memset(leaf, fill, sizeof leaf);
  assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, leaf, sizeof leaf, fingerprint, 32, &size),
                   PSA_SUCCESS);
}

static void redial(struct world *w)
{
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
}

static void a_device_is_proven_by_the_certificate_it_saw_and_not_by_a_handshake(void **state)
{
  (void) state;
  uint8_t old[32], fresh[32];
  present(1, old);
  struct world *w = new_world(-1);
  connect_all(w);
  /* of a broker of which nothing is known every certificate counts */
  assert_true(fleet_is_proven(w->fleet, 3));
  fleet_serves(w->fleet, 0, old);
  assert_true(fleet_is_proven(w->fleet, 3));

  present(2, fresh);
  fleet_serves(w->fleet, 0, fresh);
  assert_false(fleet_is_proven(w->fleet, 3));
  present(1, old); /* this broker has not heard of it: a full handshake with it proves nothing */
  redial(w);
  assert_false(fleet_is_proven(w->fleet, 3));
  present(2, fresh);
  resumes = true; /* and neither does one in which no certificate is shown */
  redial(w);
  assert_false(fleet_is_proven(w->fleet, 3));
  resumes = false;
  redial(w);
  assert_true(fleet_is_proven(w->fleet, 3));
  fleet_serves(w->fleet, 0, NULL); /* a false broker: nothing that it presents is proof */
  assert_false(fleet_is_proven(w->fleet, 3));
  end(w);
}

static uint16_t roots_seen;
static size_t roots_asked;

static uint16_t roots_of_test(void *ctx, size_t index, const uint8_t *chain, size_t size)
{
  assert_ptr_equal(ctx, &roots_seen);
  assert_int_equal(size, 1);
  assert_int_equal(chain[0], index); /* the page's byte at own_offset: see puppet_index */
  roots_asked++;
  return roots_seen;
}

static void a_device_is_identified_by_the_chain_it_sent(void **state)
{
  (void) state;
  wants_roots = roots_of_test;
  wants_roots_ctx = &roots_seen;
  struct world *w = new_world(-1);
  wants_roots = NULL;
  roots_seen = 2;
  connect_all(w);
  assert_int_equal(fleet_facts(w->fleet, 3)->identified, 2);
  roots_seen = 4; /* a ticket stands for the handshake that it was got in */
  resumes = true;
  redial(w);
  assert_int_equal(fleet_facts(w->fleet, 3)->identified, 2);
  resumes = false;
  redial(w);
  assert_int_equal(fleet_facts(w->fleet, 3)->identified, 4);
  size_t before = roots_asked;
  asks = false; /* whoever asks for no certificate has accepted none */
  redial(w);
  asks = true;
  assert_int_equal(fleet_facts(w->fleet, 3)->identified, 0);
  assert_int_equal(roots_asked, before);
  end(w);
}

static void a_chain_that_the_broker_refuses_identifies_nobody(void **state)
{
  (void) state;
  wants_roots = roots_of_test;
  wants_roots_ctx = &roots_seen;
  struct world *w = new_world(-1);
  wants_roots = NULL;
  roots_seen = 2;
  connack = false; /* in TLS 1.3 the broker's verdict comes after the handshake */
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  pass(w, 5);
  connack = true;
  assert_int_equal(fleet_facts(w->fleet, 3)->identified, 0);
  end(w);
}

static void an_attempt_may_end_as_was_foretold_when_it_began(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  const struct metrics_failure *expired = metrics_failure(w->metrics, DEVICE_FAIL_TLS_EXPIRED);
  const struct metrics_failure *closed = metrics_failure(w->metrics, DEVICE_FAIL_SESSION_CLOSED);
  outcome[0] = DEVICE_FAIL_TLS_EXPIRED;
  expect(w, 2, (const enum device_failure[]){DEVICE_FAIL_TLS_EXPIRED, DEVICE_FAIL_SESSION_CLOSED});
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  /* begun .. */
  for (size_t i = 0; i < DEVICES; i++)
    w->backend.conns[i]->handler->deadline(w->backend.conns[i]->user);
  w->backend.now_ms++;
  expect(w, 0, NULL);
  pass(w, 5); /* .. and ended */
  assert_int_equal(expired->count, DEVICES);
  assert_int_equal(expired->expected, DEVICES);
  pass(w, 1100); /* the next ones begin when nothing is foretold any more */
  assert_int_equal(expired->count, 2 * DEVICES);
  assert_int_equal(expired->expected, DEVICES);
  outcome[0] = DEVICE_FAIL_NONE;
  pass(w, 1100);
  assert_int_equal(online(w), DEVICES);
  expect(w, 1, (const enum device_failure[]){DEVICE_FAIL_SESSION_CLOSED});
  w->backend.now_ms++;
  expect(w, 0, NULL); /* what ends a session is of the moment in which it ends */
  w->backend.conns[3]->handler->closed(w->backend.conns[3]->user, DEVICE_FAIL_TCP_CLOSED);
  assert_int_equal(closed->count, 1);
  assert_int_equal(closed->expected, 0);
  end(w);
}

static void an_attempt_cut_short_by_the_plan_is_booked(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  for (size_t i = 0; i < DEVICES; i++)
    w->backend.conns[i]->handler->deadline(w->backend.conns[i]->user);
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, true);
  for (size_t i = 0; i < DEVICES; i++)
    w->backend.conns[i]->handler->deadline(w->backend.conns[i]->user);
  const struct metrics_failure *stopped = metrics_failure(w->metrics, DEVICE_FAIL_STOPPED);
  assert_int_equal(stopped->count, DEVICES);
  assert_int_equal(stopped->expected, DEVICES);
  assert_books_closed(w);
  pass(w, 10);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_proof_visits_the_other_listener_and_comes_home(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  assert_int_equal(fleet_facts(w->fleet, 0)->proven, 1u << 1);
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  for (size_t i = 0; i < DEVICES; i++) {
    assert_false(fleet_facts(w->fleet, i)->proof_pending);
    assert_int_equal(fleet_facts(w->fleet, i)->proof, DEVICE_FAIL_NONE);
  }
  assert_int_equal((int) value(w, METRIC_CONNECT_OK), 3 * DEVICES);
  end(w);
}

static bool was_refused(const struct world *w, enum device_failure failure)
{
  return (fleet_facts(w->fleet, 4)->phase_refusals >> (failure - DEVICE_FAIL_TLS_FIRST) & 1u) != 0;
}

static void every_reason_of_a_phase_is_kept(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  fleet_begin_phase(w->fleet);
  outcome[FLEET_PROVE] = DEVICE_FAIL_TLS_EXPIRED;
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 50);
  outcome[FLEET_PROVE] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 50);
  assert_true(was_refused(w, DEVICE_FAIL_TLS_EXPIRED));
  assert_true(was_refused(w, DEVICE_FAIL_TLS_NOT_TRUSTED));
  assert_false(was_refused(w, DEVICE_FAIL_TLS_REVOKED));
  fleet_begin_phase(w->fleet);
  assert_false(was_refused(w, DEVICE_FAIL_TLS_EXPIRED));
  end(w);
}

static void a_refused_proof_is_kept_and_the_device_comes_home(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  fleet_begin_phase(w->fleet);
  outcome[FLEET_PROVE] = DEVICE_FAIL_TLS_EXPIRED;
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(fleet_facts(w->fleet, 4)->proof, DEVICE_FAIL_TLS_EXPIRED);
  assert_int_equal(fleet_facts(w->fleet, 4)->phase_failure, DEVICE_FAIL_TLS_EXPIRED);
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void an_endless_proof_can_be_given_up(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  outcome[FLEET_PROVE] = DEVICE_FAIL_TCP_REFUSED;
  fleet_prove(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 3000);
  assert_true(fleet_facts(w->fleet, 4)->proof_pending);
  fleet_end_proofs(w->fleet);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(fleet_facts(w->fleet, 4)->proof, DEVICE_FAIL_TCP_REFUSED);
  end(w);
}

static void shelved_devices_have_no_power_until_they_wake(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  fleet_shelve(w->fleet, fleet_order(w->fleet), 5);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES - 5);
  assert_false(fleet_facts(w->fleet, fleet_order(w->fleet)[0])->powered);
  pass(w, 10000);
  assert_int_equal(online(w), DEVICES - 5);
  fleet_wake(w->fleet, fleet_order(w->fleet), 5, 0);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void telemetry_keeps_its_own_time(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  fleet_set_telemetry(
      w->fleet, &(struct fleet_telemetry){.on = true, .every_ms = 100, .bytes = 32, .qos = 1});
  connect_all(w);
  pass(w, 1000);
  int sent = (int) value(w, METRIC_TELEMETRY_SENT);
  assert_in_range(sent, 10 * DEVICES, 11 * DEVICES);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_ACKED), sent);
  outbox_full = true;
  pass(w, 200);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SENT), sent);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SKIPPED), 2 * DEVICES);
  fleet_set_telemetry(w->fleet, &(struct fleet_telemetry){.on = false});
  pass(w, 1000);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SKIPPED), 2 * DEVICES);
  end(w);
}

static void telemetry_that_the_broker_refuses_is_named_and_told_once_a_session(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  denial = (struct device_note){.kind = DEVICE_NOTE_DENIED,
                                .code = 0x87,
                                .qos = 1,
                                .topic = "private/x/telemetry",
                                .topic_size = 19};
  connect_all(w);
  for (int i = 0; i < 3; i++) assert_true(fleet_publish(w->fleet, 0, 32, 1));
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SENT), 3);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_REFUSED), 3);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_DECLINED), 0);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_ACKED), 0);
  const struct metrics_failure *named =
      metrics_failure(w->metrics, DEVICE_FAIL_PUBLISH_REFUSED_AUTH);
  assert_int_equal(named->count, 3);
  assert_int_equal(named->first_count, 1);
  assert_string_equal(named->detail, "private/x/telemetry, MQTT reason 0x87");
  struct fleet_books books;
  fleet_books(w->fleet, 0, &books);
  assert_int_equal(books.given, 3);
  assert_int_equal(books.refused, 3);
  assert_int_equal(books.open, 0);
  assert_int_equal(ledger_count(books.acked), 0);
  assert_int_equal(w->told_refusals, 1);
  denial.subscription = true;
  assert_true(fleet_publish(w->fleet, 1, 32, 1)); /* as if it had been a SUBSCRIBE */
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_SUBSCRIBE_REFUSED)->count, 1);
  denial.subscription = false;
  connect_all(w); /* the next session tells it again */
  assert_true(fleet_publish(w->fleet, 0, 32, 1));
  assert_int_equal(w->told_refusals, 2);
  end(w);
}

static void what_a_device_declines_is_not_sent(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  denial = (struct device_note){.kind = DEVICE_NOTE_DENIED, .code = 0x9b, .declined = true};
  connect_all(w);
  assert_false(fleet_publish(w->fleet, 0, 32, 1));
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SENT), 0);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_DECLINED), 1);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_PUBLISH_REFUSED_QOS)->count, 1);
  denial.kind = DEVICE_NOTE_STATE;
  assert_true(fleet_publish(w->fleet, 0, 32, 1));
  struct fleet_books books;
  fleet_books(w->fleet, 0, &books);
  assert_int_equal(books.given, 2);
  assert_int_equal(books.declined, 1);
  assert_int_equal(books.open, 0);
  assert_true(ledger_has(books.acked, 2));
  assert_int_equal(ledger_count(books.acked), 1);
  assert_int_equal((int) value(w, METRIC_TELEMETRY_SENT), 1);
  end(w);
}

static void no_broker_has_acknowledged_what_went_at_qos_0(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  assert_true(fleet_publish(w->fleet, 0, 32, 0));
  assert_true(fleet_publish(w->fleet, 0, 32, 2));
  struct fleet_books books;
  fleet_books(w->fleet, 0, &books);
  assert_int_equal(books.open, 0);
  assert_false(ledger_has(books.acked, 1));
  assert_true(ledger_has(books.acked, 2));
  end(w);
}

static void a_device_with_damaged_memory_is_counted_and_left_out(void **state)
{
  (void) state;
  struct world *w = new_world(6);
  connect_all(w);
  assert_int_equal(online(w), DEVICES - 1);
  assert_true(fleet_facts(w->fleet, 6)->dead);
  const struct metrics_failure *failure = metrics_failure(w->metrics, DEVICE_FAIL_DEVICE_NVM);
  assert_int_equal(failure->count, 1);
  assert_int_equal(failure->first_devices[0], 7);
  end(w);
}

static void a_wrong_clock_is_believed_and_goes_on(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  uint32_t first = fleet_order(w->fleet)[0], second = fleet_order(w->fleet)[1];
  fleet_set_clock(w->fleet, &first, 1, false, 0);
  pass(w, 4000);
  connect_all(w);
  assert_in_range(seen_unix_s[first], 4, 5);
  assert_true(seen_unix_s[second] > 1800000000);
  end(w);
}

static void the_same_seed_gives_the_same_order(void **state)
{
  (void) state;
  struct world *a = new_world(-1), *b = new_world(-1);
  assert_memory_equal(fleet_order(a->fleet), fleet_order(b->fleet), DEVICES * sizeof(uint32_t));
  size_t moved = 0;
  for (size_t i = 0; i < DEVICES; i++) moved += fleet_order(a->fleet)[i] != i;
  assert_true(moved > DEVICES / 2);
  end(a);
  end(b);
}

/* --- Pacing ----------------------------------------------------------------------------------- */

static struct world *one_device_opens(bool pace)
{
  struct world *w = new_world_with(-1, &slow, pace);
  const uint32_t first = 0;
  fleet_connect(w->fleet, &first, 1, 0, false);
  while (!w->backend.conns[0]->open) pass(w, 1);
  return w;
}

static double device_ms(const struct world *w)
{
  double value = 0;
  assert_int_equal(metrics_find(w->metrics, "handshake.device_ms.p50", &value), 0);
  return value;
}

static double wall_ms(const struct world *w)
{
  double value = 0;
  assert_int_equal(metrics_find(w->metrics, "handshake.wall_ms.p50", &value), 0);
  return value;
}

static void the_modelled_time_of_a_handshake_is_told_without_waiting_for_it(void **state)
{
  (void) state;
  struct world *w = one_device_opens(false);
  assert_int_equal(w->backend.conns[0]->sent, 1);
  assert_in_range((uint64_t) device_ms(w), 749, 751);
  assert_in_range((uint64_t) wall_ms(w), 0, 1);
  end(w);
}

static void a_paced_device_computes_before_it_answers(void **state)
{
  (void) state;
  struct world *w = one_device_opens(true);
  struct backend_conn *conn = w->backend.conns[0];
  assert_true(conn->paused);
  pass(w, 748);
  assert_int_equal(conn->sent, 0);
  pass(w, 4);
  assert_int_equal(conn->sent, 1);
  assert_false(conn->paused);
  assert_in_range((uint64_t) device_ms(w), 749, 751);
  assert_in_range((uint64_t) wall_ms(w), 749, 752);
  struct metrics_stats lateness;
  metrics_stats(w->metrics, METRIC_PACE_LATENESS, &lateness);
  assert_int_equal(lateness.count, 1);
  assert_true(lateness.max <= 2);
  assert_books_closed(w);
  end(w);
}

static void a_device_that_computes_sends_no_telemetry(void **state)
{
  (void) state;
  struct world *w = one_device_opens(true);
  fleet_set_telemetry(
      w->fleet, &(struct fleet_telemetry){.on = true, .every_ms = 100, .bytes = 16, .qos = 1});
  pass(w, 700);
  assert_int_equal(fleet_facts(w->fleet, 0)->telemetry_sent, 0);
  assert_false(fleet_publish(w->fleet, 0, 16, 1));
  pass(w, 300);
  assert_true(fleet_facts(w->fleet, 0)->telemetry_sent >= 2);
  end(w);
}

static void a_device_hears_the_end_of_its_connection_when_it_has_computed(void **state)
{
  (void) state;
  struct world *w = one_device_opens(true);
  struct backend_conn *conn = w->backend.conns[0];
  conn->open = conn->paused = false;
  conn->handler->closed(conn->user, DEVICE_FAIL_TCP_RESET);
  pass(w, 700);
  assert_true(fleet_facts(w->fleet, 0)->online); /* as far as it knows */
  pass(w, 60);
  assert_int_equal(conn->sent, 0);
  assert_false(fleet_facts(w->fleet, 0)->online);
  assert_int_equal(fleet_facts(w->fleet, 0)->last_failure, DEVICE_FAIL_SESSION_CLOSED);
  end(w);
}

static void the_plan_ends_a_device_that_computes_when_it_has(void **state)
{
  (void) state;
  struct world *w = one_device_opens(true);
  fleet_disconnect_all(w->fleet);
  pass(w, 700);
  assert_true(w->backend.conns[0]->open);
  pass(w, 60);
  assert_false(w->backend.conns[0]->open);
  assert_int_equal(fleet_facts(w->fleet, 0)->last_failure, DEVICE_FAIL_SESSION_STOPPED);
  assert_books_closed(w);
  end(w);
}

static void a_power_cut_does_not_wait(void **state)
{
  (void) state;
  struct world *w = one_device_opens(true);
  struct fleet_census census;
  fleet_census(w->fleet, &census);
  assert_int_equal(census.online, 1);
  end(w); /* powers off in the midst of it: nothing may leak, nothing may be sent */
}

static void each_device_tries_again_by_its_own_policy(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  const uint32_t *order = fleet_order(w->fleet);
  struct backoff_policy slow_one = {.kind = BACKOFF_FIXED, .base_ms = 5000, .cap_ms = 5000};
  assert_int_equal(fleet_set_reconnect(w->fleet, order, 5, &slow_one), 0);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  connect_all(w);
  pass(w, 4800); /* 15 devices: at 0 and every second since; 5 devices: at 0 */
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), 15 * 5 + 5);
  assert_books_closed(w);
  end(w);
}

static void policies_that_nobody_has_any_more_make_room(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  const uint32_t *order = fleet_order(w->fleet);
  struct backoff_policy policy = {.kind = BACKOFF_FIXED, .cap_ms = 1000};
  for (policy.base_ms = 1; policy.base_ms < 3 * FLEET_POLICIES_MAX; policy.base_ms++)
    assert_int_equal(fleet_set_reconnect(w->fleet, order, DEVICES, &policy), 0);
  for (size_t i = 0; i < DEVICES; i++, policy.base_ms++)
    assert_int_equal(fleet_set_reconnect(w->fleet, order + i, 1, &policy), 0);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  connect_all(w);
  pass(w, 40); /* every device waits 96 ms or more: nobody has an old one */
  assert_int_equal((int) value(w, METRIC_CONNECT_FAILED), DEVICES + DEVICES);
  end(w);
}

static void an_outage_is_timed_from_the_first_loss(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  assert_false(fleet_outage(w->fleet)->happened);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TCP_CLOSED;
  fleet_cut(w->fleet, fleet_order(w->fleet), DEVICES);
  assert_int_equal(online(w), 0);
  pass(w, 2500); /* a second, then two attempts that fail */
  outcome[FLEET_MAIN] = DEVICE_FAIL_NONE;
  pass(w, 1000);
  const struct recovery *outage = fleet_outage(w->fleet);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(outage->missing, DEVICES);
  /* a transport opens within 1 ms */
  assert_in_range(outage->back_us[RECOVERY_ALL], 3000 * 1000, 3010 * 1000);
  assert_int_equal(outage->begun.total, 3 * DEVICES);
  assert_int_equal(outage->begun.peak, DEVICES);
  assert_int_equal(outage->wasted.total, 2 * DEVICES);
  assert_int_equal((int) value(w, METRIC_HANDSHAKE_BEGUN), 4 * DEVICES);
  assert_int_equal((int) value(w, METRIC_HANDSHAKE_WASTED), 2 * DEVICES);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_SESSION_CLOSED)->count, DEVICES);
  assert_books_closed(w);
  end(w);
}

static void the_deepest_outage_is_the_one_that_is_told(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  fleet_cut(w->fleet, fleet_order(w->fleet), 12);
  pass(w, 1100);
  fleet_cut(w->fleet, fleet_order(w->fleet), 3);
  pass(w, 1100);
  assert_int_equal(fleet_outage(w->fleet)->missing, 3);
  assert_int_equal(fleet_deepest_outage(w->fleet)->missing, 12);
  fleet_cut(w->fleet, fleet_order(w->fleet), 12);
  pass(w, 2100);
  assert_ptr_equal(fleet_deepest_outage(w->fleet), fleet_outage(w->fleet));
  end(w);
}

static const struct fault hole = {.black_hole = true};

static void devices_in_a_black_hole_are_half_open_until_it_is_mended(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  assert_int_equal(fleet_set_fault(w->fleet, fleet_order(w->fleet), 5, &hole, NULL), 0);
  assert_int_equal((int) value(w, METRIC_FLEET_HALF_OPEN), 5);
  assert_int_equal(online(w), DEVICES);
  fleet_mend(w->fleet, fleet_order(w->fleet), DEVICES);
  assert_int_equal((int) value(w, METRIC_FLEET_HALF_OPEN), 0);
  assert_int_equal((int) value(w, METRIC_FLEET_HALF_OPEN_MAX), 5);
  end(w);
}

static void an_attempt_in_a_black_hole_stays_open_and_is_booked_so(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  assert_int_equal(fleet_set_fault(w->fleet, fleet_order(w->fleet), 5, &hole, NULL), 0);
  connect_all(w);
  assert_int_equal(online(w), DEVICES - 5);
  assert_int_equal((int) value(w, METRIC_FAULT_SWALLOWED), 5);
  assert_books_closed(w);
  fleet_mend(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 50);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void refused_attempts_are_expected_of_a_faulted_device_only(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  assert_int_equal(
      fleet_set_fault(w->fleet, fleet_order(w->fleet), 3, &(struct fault){.refuse = true}, NULL),
      0);
  connect_all(w);
  const struct metrics_failure *refused = metrics_failure(w->metrics, DEVICE_FAIL_TCP_REFUSED);
  assert_int_equal(refused->count, 3);
  assert_int_equal(refused->expected, 3);
  assert_string_equal(refused->detail, "no connection came about");
  assert_int_equal((int) value(w, METRIC_FAULT_REFUSED), 3);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TCP_REFUSED;
  fleet_redial(w->fleet, fleet_order(w->fleet) + 3, 1, 0, false);
  pass(w, 50);
  assert_int_equal(refused->count, 4);
  assert_int_equal(refused->expected, 3);
  assert_books_closed(w);
  end(w);
}

static void a_reset_is_booked_and_the_device_comes_back_by_its_policy(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  connect_all(w);
  assert_int_equal(
      fleet_set_fault(w->fleet, fleet_order(w->fleet), 4, &(struct fault){.reset = true}, NULL), 0);
  pass(w, 10);
  assert_int_equal(online(w), DEVICES - 4);
  assert_int_equal((int) value(w, METRIC_FAULT_RESET), 4);
  pass(w, 1100);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

/* --- Places ----------------------------------------------------------------------------------- */

static struct world *new_places(size_t count, enum fleet_endpoints order)
{
  place_count = count;
  endpoints = order;
  struct world *w = new_world(-1);
  place_count = 1;
  endpoints = FLEET_ORDERED;
  return w;
}

static size_t on_node(struct world *w, int node)
{
  size_t n = 0;
  for (size_t i = 0; i < DEVICES; i++) {
    const struct fleet_facts *facts = fleet_facts(w->fleet, i);
    n += facts->online && facts->node == node;
  }
  return n;
}

static void a_failure_leads_to_the_next_place(void **state)
{
  (void) state;
  struct world *w = new_places(3, FLEET_ORDERED);
  outcome[0] = DEVICE_FAIL_TCP_REFUSED;
  outcome[1] = DEVICE_FAIL_TLS_NOT_TRUSTED;
  connect_all(w);
  pass(w, 2100);
  assert_int_equal(on_node(w, 2), DEVICES);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_TCP_REFUSED)->count, DEVICES);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_TLS_NOT_TRUSTED)->count, DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_session_that_breaks_goes_on_at_the_next_place_and_a_planned_end_does_not(void **state)
{
  (void) state;
  struct world *w = new_places(2, FLEET_ORDERED);
  connect_all(w);
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 1000, true);
  pass(w, 100);
  assert_int_equal(on_node(w, 0), DEVICES);
  w->backend.conns[3]->handler->closed(w->backend.conns[3]->user, DEVICE_FAIL_NONE);
  pass(w, 1100);
  assert_int_equal(on_node(w, 0), DEVICES - 1);
  assert_int_equal(fleet_facts(w->fleet, 3)->node, 1);
  end(w);
}

static void shuffled_devices_begin_all_over_the_list(void **state)
{
  (void) state;
  struct world *w = new_places(4, FLEET_SHUFFLED);
  connect_all(w);
  for (int node = 0; node < 4; node++) assert_in_range(on_node(w, node), 1, DEVICES / 2);
  assert_int_equal(online(w), DEVICES);
  end(w);
}

static void a_broker_that_says_later_is_asked_again(void **state)
{
  (void) state;
  struct world *w = new_places(2, FLEET_ORDERED);
  outcome[0] = DEVICE_FAIL_MQTT_REFUSED_BUSY;
  said = 0x97;
  connect_all(w);
  pass(w, 2100);
  assert_int_equal(online(w), 0);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_MQTT_REFUSED_BUSY)->count, 3 * DEVICES);
  outcome[0] = DEVICE_FAIL_NONE;
  pass(w, 1100);
  assert_int_equal(on_node(w, 0), DEVICES);
  end(w);
}

/* One refusal at the first of three places, with these words; returns the node that the devices are
   on afterwards. */
static int moved_by(const char *reference)
{
  struct world *w = new_places(3, FLEET_ORDERED);
  outcome[0] = DEVICE_FAIL_MQTT_REFUSED_MOVED;
  said = 0x9d;
  server = reference;
  connect_all(w);
  pass(w, 1100);
  int node = fleet_facts(w->fleet, 0)->node;
  assert_int_equal(on_node(w, node), DEVICES);
  end(w);
  return node;
}

static void a_broker_may_send_a_device_along_its_list_and_nowhere_else(void **state)
{
  (void) state;
  assert_int_equal(moved_by("c"), 2);
  assert_int_equal(moved_by("c:1002"), 2);
  assert_int_equal(moved_by("elsewhere:8883 c:1002"), 2);
  assert_int_equal(moved_by("c:8883"), 1); /* not where c is */
  assert_int_equal(moved_by("evil.example"), 1);
  assert_int_equal(moved_by("a"), 1); /* itself */
  assert_int_equal(moved_by(" "), 1);
  assert_int_equal(moved_by(NULL), 1);
}

static void a_name_may_lead_nowhere_or_answer_late_or_move(void **state)
{
  (void) state;
  struct world *w = new_places(1, FLEET_ORDERED);
  fleet_lead(w->fleet, 0, &(struct fleet_place){.address_count = 0});
  connect_all(w);
  assert_int_equal(online(w), 0);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_NAME_NOT_FOUND)->count, DEVICES);
  fleet_lead(w->fleet, 0,
             &(struct fleet_place){.address = {{.node = 5}}, .address_count = 1, .delay_ms = 400});
  pass(w, 1200);
  assert_int_equal(online(w), 0);
  assert_books_closed(w);
  pass(w, 200);
  assert_int_equal(on_node(w, 5), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void the_power_may_fail_while_a_name_is_asked_for(void **state)
{
  (void) state;
  struct world *w = new_places(1, FLEET_ORDERED);
  fleet_lead(w->fleet, 0, &(struct fleet_place){.address_count = 1, .delay_ms = 400});
  connect_all(w);
  fleet_shelve(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 1000);
  assert_int_equal(online(w), 0);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_STOPPED)->count, DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_recalled_fleet_keeps_still_until_its_time(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TCP_CLOSED;
  struct backoff_policy at_once = {.kind = BACKOFF_IMMEDIATE};
  assert_int_equal(fleet_set_reconnect(w->fleet, fleet_order(w->fleet), DEVICES, &at_once), 0);
  connect_all(w);
  fleet_recall(w->fleet, fleet_order(w->fleet), DEVICES, 10);
  outcome[FLEET_MAIN] = DEVICE_FAIL_NONE;
  pass(w, 5);
  double begun = value(w, METRIC_CONNECT_ATTEMPTS);
  assert_int_equal(online(w), 1);
  pass(w, 940);
  assert_int_equal((int) (value(w, METRIC_CONNECT_ATTEMPTS) - begun), 9);
  pass(w, 1000);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static double starts_in(struct world *w, uint64_t ms)
{
  double before = value(w, METRIC_CONNECT_ATTEMPTS);
  pass(w, ms);
  return value(w, METRIC_CONNECT_ATTEMPTS) - before;
}

/* 20 devices that try every 2 s: 10 starts a second, over 400 s. */
static void a_brake_thins_the_starts_to_its_rate_and_lets_go(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  struct backoff_policy policy = {.kind = BACKOFF_FIXED, .base_ms = 2000, .cap_ms = 2000};
  assert_int_equal(fleet_set_reconnect(w->fleet, fleet_order(w->fleet), DEVICES, &policy), 0);
  outcome[FLEET_MAIN] = DEVICE_FAIL_TCP_CLOSED;
  connect_all(w);
  assert_in_range((int) starts_in(w, 400000), 3980, 4020);
  fleet_brake(w->fleet, 0.25);
  assert_in_range((int) starts_in(w, 400000), 900, 1100);
  assert_in_range((int) value(w, METRIC_BRAKE_HELD), 2700, 3300);
  fleet_brake(w->fleet, 1);
  assert_in_range((int) starts_in(w, 400000), 3950, 4020);
  assert_books_closed(w);
  end(w);
}

static void a_brake_ends_no_session_and_is_told_in_the_times(void **state)
{
  (void) state;
  struct world *w = new_world(-1);
  struct metrics_stats stats;
  connect_all(w);
  fleet_brake(w->fleet, 0.1);
  pass(w, 3000);
  assert_int_equal(online(w), DEVICES);
  fleet_cut(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 120000);
  assert_int_equal(online(w), DEVICES);
  metrics_stats(w->metrics, METRIC_CONNECT_TOTAL, &stats);
  /* the planned moment was a second after the loss */
  assert_in_range((int) stats.max, 2000, 120000);
  assert_books_closed(w);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connects_at_the_planned_rate),
      cmocka_unit_test(events_tell_the_time_since_the_run_began),
      cmocka_unit_test(tries_again_by_the_policy_and_books_every_attempt),
      cmocka_unit_test(a_failure_tells_what_was_seen_of_the_brokers_chain),
      cmocka_unit_test(a_handshakes_cpu_time_includes_the_step_that_ends_it),
      cmocka_unit_test(of_many_handshakes_one_in_ten_is_clocked),
      cmocka_unit_test(what_devices_compute_is_booked_once_and_what_others_compute_is_not),
      cmocka_unit_test(a_refused_attempt_has_cost_its_device_no_less),
      cmocka_unit_test(what_a_device_receives_is_counted_in_bytes),
      cmocka_unit_test(a_redial_is_planned_and_no_failure),
      cmocka_unit_test(a_device_is_proven_by_the_certificate_it_saw_and_not_by_a_handshake),
      cmocka_unit_test(a_device_is_identified_by_the_chain_it_sent),
      cmocka_unit_test(a_chain_that_the_broker_refuses_identifies_nobody),
      cmocka_unit_test(an_attempt_may_end_as_was_foretold_when_it_began),
      cmocka_unit_test(an_attempt_cut_short_by_the_plan_is_booked),
      cmocka_unit_test(a_proof_visits_the_other_listener_and_comes_home),
      cmocka_unit_test(a_refused_proof_is_kept_and_the_device_comes_home),
      cmocka_unit_test(every_reason_of_a_phase_is_kept),
      cmocka_unit_test(an_endless_proof_can_be_given_up),
      cmocka_unit_test(shelved_devices_have_no_power_until_they_wake),
      cmocka_unit_test(telemetry_keeps_its_own_time),
      cmocka_unit_test(telemetry_that_the_broker_refuses_is_named_and_told_once_a_session),
      cmocka_unit_test(what_a_device_declines_is_not_sent),
      cmocka_unit_test(no_broker_has_acknowledged_what_went_at_qos_0),
      cmocka_unit_test(a_device_with_damaged_memory_is_counted_and_left_out),
      cmocka_unit_test(a_wrong_clock_is_believed_and_goes_on),
      cmocka_unit_test(the_same_seed_gives_the_same_order),
      cmocka_unit_test(the_modelled_time_of_a_handshake_is_told_without_waiting_for_it),
      cmocka_unit_test(a_paced_device_computes_before_it_answers),
      cmocka_unit_test(a_device_that_computes_sends_no_telemetry),
      cmocka_unit_test(a_device_hears_the_end_of_its_connection_when_it_has_computed),
      cmocka_unit_test(the_plan_ends_a_device_that_computes_when_it_has),
      cmocka_unit_test(a_power_cut_does_not_wait),
      cmocka_unit_test(a_recalled_fleet_keeps_still_until_its_time),
      cmocka_unit_test(a_brake_thins_the_starts_to_its_rate_and_lets_go),
      cmocka_unit_test(a_brake_ends_no_session_and_is_told_in_the_times),
      cmocka_unit_test(each_device_tries_again_by_its_own_policy),
      cmocka_unit_test(policies_that_nobody_has_any_more_make_room),
      cmocka_unit_test(an_outage_is_timed_from_the_first_loss),
      cmocka_unit_test(the_deepest_outage_is_the_one_that_is_told),
      cmocka_unit_test(devices_in_a_black_hole_are_half_open_until_it_is_mended),
      cmocka_unit_test(an_attempt_in_a_black_hole_stays_open_and_is_booked_so),
      cmocka_unit_test(refused_attempts_are_expected_of_a_faulted_device_only),
      cmocka_unit_test(a_reset_is_booked_and_the_device_comes_back_by_its_policy),
      cmocka_unit_test(a_failure_leads_to_the_next_place),
      cmocka_unit_test(a_session_that_breaks_goes_on_at_the_next_place_and_a_planned_end_does_not),
      cmocka_unit_test(shuffled_devices_begin_all_over_the_list),
      cmocka_unit_test(a_broker_that_says_later_is_asked_again),
      cmocka_unit_test(a_broker_may_send_a_device_along_its_list_and_nowhere_else),
      cmocka_unit_test(a_name_may_lead_nowhere_or_answer_late_or_move),
      cmocka_unit_test(the_power_may_fail_while_a_name_is_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
