/* Real devices on real sockets against servers that never come to the point: every wait ends within
 * its limit and LATE_MS, under its own name, and the books close.
 *
 * How late the loop itself was, because the machine had other work, is measured beside it and
 * allowed for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
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

#include "fleet/fleet.h"
#include "fleetsim/nvm.h"
#include "hostile.h"
#include "net/backend_uv.h"
#include "pki/nvm_store.h"
#include "pki/pki.h"

#define DEVICES 36 /* three of each manner */
#define LATE_MS 100
/* a stamp of the server is so much younger than what the device did, at most */
#define EARLY_MS     20
#define WATCHDOG_MS  15000
#define TICK_MS      5
#define TCP_MS       300
#define HANDSHAKE_MS 700
#define CONNACK_MS   400
#define ACK_MS       500
#define KEEP_ALIVE_S 1

static const struct device_profile profile = {.name = "deadlines",
                                              .tls_min = 13,
                                              .tls_max = 13,
                                              .mqtt_version = 5,
                                              .clean_start = true,
                                              .keep_alive_s = KEEP_ALIVE_S,
                                              .tcp_timeout_ms = TCP_MS,
                                              .handshake_timeout_ms = HANDSHAKE_MS,
                                              .connack_timeout_ms = CONNACK_MS,
                                              .ack_timeout_ms = ACK_MS,
                                              .byte_budget = 65536};

struct world {
  char base[128], fleet_folder[160], certificate[192], key[192], clients[192];
  uv_loop_t loop;
  uv_timer_t tick;
  struct pki *pki;
  struct backend *backend;
  struct hostile *server;
  struct metrics *metrics;
  struct events *events;
  struct fleet *fleet;
  enum hostile_manner manner[HOSTILE_SOURCES]; /* by device */
  uint64_t began_ms, ended_ms[DEVICES], ticked_us, stall_ms, latest_ms;
  bool published[DEVICES];
};

/* --- Making and ending a world ---------------------------------------------------------------- */

#define OK(call)                                           \
  do {                                                     \
    struct error error = {0};                              \
    struct error *why = &error;                            \
    if ((call) != 0) fail_msg("%s: %s", #call, why->text); \
  } while (0)

static uint8_t *page_of(void *pages, size_t index)
{
  return pki_device_page(pages, index);
}

static uint32_t id_of(void *pages, size_t index)
{
  return pki_device_id(pages, index);
}

/* Looks at every device: when it first failed, and whether it is time to publish. */
static void on_tick(uv_timer_t *timer)
{
  struct world *w = timer->data;
  uint64_t now_us = uv_hrtime() / 1000, gap_ms = (now_us - w->ticked_us) / 1000;
  if (gap_ms > TICK_MS && gap_ms - TICK_MS > w->stall_ms) w->stall_ms = gap_ms - TICK_MS;
  w->ticked_us = now_us;
  for (size_t i = 0; w->fleet != NULL && i < DEVICES; i++) {
    const struct fleet_facts *facts = fleet_facts(w->fleet, i);
    if (facts->last_failure != DEVICE_FAIL_NONE && w->ended_ms[i] == 0)
      w->ended_ms[i] = uv_now(&w->loop);
    if (w->manner[i] == HOSTILE_NO_PUBACK && facts->online && !w->published[i])
      w->published[i] = fleet_publish(w->fleet, i, 16, 1);
    if (w->manner[i] == HOSTILE_DEAF) (void) fleet_publish(w->fleet, i, 16, 0);
  }
}

static void make_certificates(struct world *w)
{
  struct pki_roots roots = {.count = 2, .name = {"A", "spare"}};
  struct pki_chain chain = {.root = "A", .host = "localhost"};
  struct chain_prints written;
  const char *tmp = getenv("TMPDIR");
  snprintf(w->base, sizeof w->base, "%s/fleetsim-deadlines-XXXXXX",
           tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
  assert_non_null(mkdtemp(w->base));
  snprintf(w->fleet_folder, sizeof w->fleet_folder, "%s/fleet", w->base);
  snprintf(w->certificate, sizeof w->certificate, "%s/main.crt", w->base);
  snprintf(w->key, sizeof w->key, "%s/main.key", w->base);
  snprintf(w->clients, sizeof w->clients, "%s/clients.crt", w->base);
  OK(pki_create(w->fleet_folder, &roots, &w->pki, why));
  OK(pki_add_devices(w->pki, DEVICES, "A", &roots, why));
  OK(pki_write_broker_chain(w->pki, &chain, w->certificate, w->key, &written, why));
  OK(pki_write_client_ca(w->pki, &roots, w->clients, why));
}

static void make_fleet(struct world *w, uint16_t port)
{
  struct fleet_config config = {
      .backend = w->backend,
      .ops = &device_builtin,
      .profile = &profile,
      .place = {{.host = "localhost", .address_count = 1}},
      .place_count = 1,
      .device_count = DEVICES,
      .page = page_of,
      .page_size = DEVICE_NVM_PAGE_SIZE,
      .page_read = pki_nvm_read,
      .page_write = pki_nvm_write,
      .id = id_of,
      .pages = w->pki,
      .source_addresses = DEVICES, /* device i is the server's source i */
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 3600u * 1000u, .cap_ms = 3600u * 1000u},
      .seed = 1,
      .metrics = w->metrics,
      .events = w->events,
  };
  uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *) &config.place[0].address[0].at);
  OK(fleet_create(&config, &w->fleet, why));
}

/* `port` 0: that of the hostile server. */
static struct world *begin(const enum hostile_manner manner[HOSTILE_SOURCES], uint16_t port)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  memcpy(w->manner, manner, sizeof w->manner);
  assert_int_equal(uv_loop_init(&w->loop), 0);
  make_certificates(w);
  w->backend = backend_uv_create(&w->loop);
  w->metrics = metrics_create();
  OK(events_open(w->base, &w->events, why));
  w->server = hostile_open(&w->loop, w->certificate, w->key, w->clients, manner);
  make_fleet(w, port != 0 ? port : hostile_port(w->server));
  uv_timer_init(&w->loop, &w->tick);
  w->tick.data = w;
  uv_update_time(&w->loop);
  w->began_ms = uv_now(&w->loop);
  w->ticked_us = uv_hrtime() / 1000;
  uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
  return w;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void) status, (void) type, (void) walk;
  return remove(path);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

static void end(struct world *w)
{
  bool closed = false;
  fleet_close(w->fleet, set_flag, &closed);
  w->fleet = NULL;
  while (!closed) uv_run(&w->loop, UV_RUN_ONCE);
  backend_uv_destroy(w->backend);
  hostile_close(w->server);
  uv_close((uv_handle_t *) &w->tick, NULL);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&w->loop), 0);
  hostile_free(w->server);
  assert_int_equal(events_close(w->events, NULL), 0);
  metrics_destroy(w->metrics);
  pki_close(w->pki);
  nftw(w->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(w);
}

/* --- What must hold --------------------------------------------------------------------------- */

static void turn_until(struct world *w, bool (*done)(const struct world *w), const char *what)
{
  while (!done(w) && uv_now(&w->loop) < w->began_ms + WATCHDOG_MS) uv_run(&w->loop, UV_RUN_ONCE);
  if (!done(w)) fail_msg("not within %d ms: %s", WATCHDOG_MS, what);
}

/* The wait that began at `from_ms` ended under this name, in its time. */
static void assert_ended(struct world *w, size_t device, const char *story,
                         enum device_failure failure, uint64_t from_ms, uint64_t limit_ms)
{
  const struct fleet_facts *facts = fleet_facts(w->fleet, device);
  if (facts->last_failure != failure)
    fail_msg("a broker that %s: %s, not %s", story, device_failure_name(facts->last_failure),
             device_failure_name(failure));
  if (from_ms == 0) fail_msg("a broker that %s: the wait never began", story);
  uint64_t took_ms = w->ended_ms[device] - from_ms;
  if (took_ms > limit_ms + w->latest_ms) w->latest_ms = took_ms - limit_ms;
  if (took_ms + EARLY_MS + w->stall_ms < limit_ms || took_ms > limit_ms + LATE_MS + w->stall_ms)
    fail_msg("a broker that %s: ended after %llu ms, the limit is %llu ms; the loop was up to %llu "
             "ms late",
             story, (unsigned long long) took_ms, (unsigned long long) limit_ms,
             (unsigned long long) w->stall_ms);
}

/* Attempts are successes, named failures and open ones; sessions are named ends and live ones. */
static void assert_books_closed(const struct world *w, size_t attempts, size_t ok)
{
  struct fleet_census census;
  fleet_census(w->fleet, &census);
  size_t named = 0, ended = 0;
  for (int f = DEVICE_FAIL_CONNECT_FIRST; f <= DEVICE_FAIL_CONNECT_LAST; f++)
    named += metrics_failure(w->metrics, (enum device_failure) f)->count;
  for (int f = DEVICE_FAIL_CONNECT_LAST + 1; f < DEVICE_FAIL_COUNT; f++)
    ended += metrics_failure(w->metrics, (enum device_failure) f)->count;
  assert_int_equal((size_t) metrics_value(w->metrics, METRIC_CONNECT_ATTEMPTS), attempts);
  assert_int_equal((size_t) metrics_value(w->metrics, METRIC_CONNECT_OK), ok);
  assert_int_equal((size_t) metrics_value(w->metrics, METRIC_CONNECT_FAILED),
                   attempts - ok - census.attempts_open);
  assert_int_equal(named, attempts - ok - census.attempts_open);
  assert_int_equal(ended, ok - census.online);
  print_message("the latest end was %llu ms after its limit; the loop was up to %llu ms late\n",
                (unsigned long long) w->latest_ms, (unsigned long long) w->stall_ms);
}

/* --- Stories ---------------------------------------------------------------------------------- */

struct expectation {
  enum device_failure failure;
  uint64_t limit_ms;
  size_t from; /* where in hostile_seen the wait is stamped */
};

#define FROM(field) offsetof(struct hostile_seen, field)
static const struct expectation expected[HOSTILE_COUNT] = {
    [HOSTILE_SILENT] = {DEVICE_FAIL_TLS_TIMEOUT, HANDSHAKE_MS, FROM(accepted_ms)},
    [HOSTILE_HALF_RECORD] = {DEVICE_FAIL_TLS_TIMEOUT, HANDSHAKE_MS, FROM(accepted_ms)},
    [HOSTILE_TRICKLED_RECORD] = {DEVICE_FAIL_TLS_TIMEOUT, HANDSHAKE_MS, FROM(accepted_ms)},
    [HOSTILE_NO_CONNACK] = {DEVICE_FAIL_MQTT_TIMEOUT, CONNACK_MS, FROM(secured_ms)},
    [HOSTILE_HALF_CONNACK] = {DEVICE_FAIL_MQTT_TIMEOUT, CONNACK_MS, FROM(secured_ms)},
    [HOSTILE_TRICKLED_CONNACK] = {DEVICE_FAIL_MQTT_TIMEOUT, CONNACK_MS, FROM(secured_ms)},
    [HOSTILE_NO_SUBACK] = {DEVICE_FAIL_SESSION_ACK, ACK_MS, FROM(connack_ms)},
    [HOSTILE_NO_PUBACK] = {DEVICE_FAIL_SESSION_ACK, ACK_MS, FROM(owed_ms)},
    [HOSTILE_NO_PINGRESP] = {DEVICE_FAIL_SESSION_PING, ACK_MS, FROM(owed_ms)},
    [HOSTILE_DEAF] = {DEVICE_FAIL_SESSION_PING, ACK_MS, FROM(owed_ms)},
    [HOSTILE_TRICKLED_PUBLISH] = {DEVICE_FAIL_SESSION_PING, ACK_MS, FROM(owed_ms)},
};

static uint64_t began_ms(const struct hostile_seen *seen, const struct expectation *expectation)
{
  uint64_t at_ms;
  memcpy(&at_ms, (const char *) seen + expectation->from, sizeof at_ms);
  return at_ms;
}

static bool all_but_the_polite_ended(const struct world *w)
{
  for (size_t i = 0; i < DEVICES; i++) {
    bool polite = w->manner[i] == HOSTILE_POLITE;
    if (!polite && (w->ended_ms[i] == 0 || hostile_seen(w->server, i)->ended_ms == 0)) return false;
  }
  return true;
}

static void assert_stayed(const struct world *w, size_t device)
{
  const struct fleet_facts *facts = fleet_facts(w->fleet, device);
  if (!facts->online)
    fail_msg("a device of the polite broker is offline: %s",
             device_failure_name(facts->last_failure));
  assert_int_equal(hostile_seen(w->server, device)->connections, 1);
}

static void every_wait_ends_in_its_time_under_its_own_name(void **state)
{
  (void) state;
  enum hostile_manner manner[HOSTILE_SOURCES];
  size_t ok = 0;
  for (size_t i = 0; i < HOSTILE_SOURCES; i++) manner[i] = (enum hostile_manner)(i % HOSTILE_COUNT);
  struct world *w = begin(manner, 0);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 200, false);
  turn_until(w, all_but_the_polite_ended, "every device but those of the polite broker gave up");
  for (size_t i = 0; i < DEVICES; i++) {
    const struct expectation *e = &expected[manner[i]];
    const struct hostile_seen *seen = hostile_seen(w->server, i);
    ok += seen->connack_ms != 0;
    if (manner[i] == HOSTILE_POLITE)
      assert_stayed(w, i);
    else
      assert_ended(w, i, hostile_name(manner[i]), e->failure, began_ms(seen, e), e->limit_ms);
    if (manner[i] >= HOSTILE_NO_PINGRESP) /* the ping itself was not late either */
      assert_in_range(seen->owed_ms - seen->connack_ms,
                      KEEP_ALIVE_S * 1000 - EARLY_MS - w->stall_ms,
                      KEEP_ALIVE_S * 1000 + LATE_MS + w->stall_ms);
  }
  assert_books_closed(w, DEVICES, ok);
  end(w);
}

static bool all_ended(const struct world *w)
{
  for (size_t i = 0; i < DEVICES; i++)
    if (w->ended_ms[i] == 0) return false;
  return true;
}

/* A listener whose queue is full: Linux answers no SYN then. Returns its socket. */
static int full_listener(uint16_t *port, int filler[4])
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (const struct sockaddr *) &address, size), 0);
  assert_int_equal(listen(listener, 0), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
  *port = ntohs(address.sin_port);
  for (int i = 0; i < 4; i++) {
    filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void) connect(filler[i], (const struct sockaddr *) &address, size);
  }
  return listener;
}

static void a_broker_that_does_not_accept_is_a_tcp_timeout(void **state)
{
  (void) state;
  uint16_t port;
  int filler[4], listener = full_listener(&port, filler);
  struct world *w = begin((const enum hostile_manner[HOSTILE_SOURCES]){0}, port);
  uint64_t from_ms = uv_now(&w->loop);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  turn_until(w, all_ended, "every attempt ended");
  for (size_t i = 0; i < DEVICES; i++)
    assert_ended(w, i, "does not accept", DEVICE_FAIL_TCP_TIMEOUT, from_ms, TCP_MS);
  assert_books_closed(w, DEVICES, 0);
  end(w);
  for (int i = 0; i < 4; i++) close(filler[i]);
  close(listener);
}

#define THIRD (DEVICES / 3)

/* A ping that was answered: SUBACK was there before. */
static bool last_third_is_settled(const struct world *w)
{
  for (size_t i = 2 * THIRD; i < DEVICES; i++)
    if (hostile_seen(w->server, i)->pings == 0 || !fleet_facts(w->fleet, i)->online) return false;
  return true;
}

static void the_same_holds_on_a_bad_line_to_a_polite_broker(void **state)
{
  (void) state;
  static const struct fault hole = {.black_hole = true},
                            slow = {.bandwidth_per_s = 100, .slice = 1};
  uint32_t device[DEVICES];
  for (uint32_t i = 0; i < DEVICES; i++) device[i] = i;
  struct world *w = begin((const enum hostile_manner[HOSTILE_SOURCES]){0}, 0);
  OK(fleet_set_fault(w->fleet, device, THIRD, &hole, why));
  OK(fleet_set_fault(w->fleet, device + THIRD, THIRD, &slow, why));
  uint64_t from_ms = uv_now(&w->loop);
  fleet_connect(w->fleet, device, DEVICES, 0, false);
  turn_until(w, last_third_is_settled, "the devices with a good line are online");
  uint64_t hole_ms = uv_now(&w->loop);
  OK(fleet_set_fault(w->fleet, device + 2 * THIRD, THIRD, &hole, why));
  assert_int_equal((int) metrics_value(w->metrics, METRIC_FLEET_HALF_OPEN), THIRD);
  turn_until(w, all_ended, "every attempt and session ended");
  for (size_t i = 0; i < THIRD; i++) {
    assert_ended(w, i, "is behind a black hole", DEVICE_FAIL_TCP_TIMEOUT, from_ms, TCP_MS);
    assert_ended(w, THIRD + i, "is too far away", DEVICE_FAIL_TLS_TIMEOUT,
                 hostile_seen(w->server, THIRD + i)->accepted_ms, HANDSHAKE_MS);
    size_t last = 2 * THIRD + i;
    assert_int_equal(fleet_facts(w->fleet, last)->last_failure, DEVICE_FAIL_SESSION_PING);
    assert_true(w->ended_ms[last] <=
                hole_ms + KEEP_ALIVE_S * 1000 + ACK_MS + LATE_MS + w->stall_ms);
    /* half-open: its broker does not know */
    assert_int_equal(hostile_seen(w->server, last)->ended_ms, 0);
  }
  assert_int_equal((int) metrics_value(w->metrics, METRIC_FLEET_HALF_OPEN), 0);
  assert_books_closed(w, DEVICES, THIRD);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_wait_ends_in_its_time_under_its_own_name),
      cmocka_unit_test(a_broker_that_does_not_accept_is_a_tcp_timeout),
      cmocka_unit_test(the_same_holds_on_a_bad_line_to_a_polite_broker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
