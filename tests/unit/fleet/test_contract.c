/* The fleet as a body of clients that take no updates and yet leave every effect of
 * include/fleetsim/device.h: each is served. In virtual time; a test plays the broker and the
 * server of files.
 */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleet/fleet.h"
#include "net/fetch.h"
#include "small.h"

#define DEVICES 4
#include "clockwork.h"

#define BOOT_MAX_MS 2001u /* of a restart */

/* --- Downloads that a test serves ------------------------------------------------------------- */

struct fetch {
  bool full; /* nothing more can begin */
};

struct fetch_transfer {
  const struct fetch_handler *handler;
  void *user;
  char url[DEVICE_OTA_URL_MAX];
  uint32_t offset, size_max;
  bool under_way;
};

static struct fetch files;
static struct fetch_transfer transfers[64];
static size_t begun, aborted;

struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_request *request,
                                   const struct fetch_handler *handler, void *user)
{
  assert_ptr_equal(fetch, &files);
  assert_true(begun < sizeof transfers / sizeof *transfers);
  if (fetch->full) return NULL;
  struct fetch_transfer *t = &transfers[begun++];
  *t = (struct fetch_transfer){.handler = handler,
                               .user = user,
                               .offset = request->offset,
                               .size_max = request->size_max,
                               .under_way = true};
  snprintf(t->url, sizeof t->url, "%s", request->url);
  return t;
}

void fetch_pause(struct fetch_transfer *transfer, bool paused)
{
  (void) paused;
  assert_true(transfer->under_way);
}

void fetch_abort(struct fetch_transfer *transfer)
{
  assert_true(transfer->under_way);
  transfer->under_way = false;
  aborted++;
}

static void serve(struct fetch_transfer *t, size_t size)
{
  static const uint8_t bytes[SMALL_FILE_SIZE];
  assert_true(t->under_way);
  t->handler->bytes(t->user, bytes, size);
}

static void end_transfer(struct fetch_transfer *t, enum device_ota_status cause)
{
  assert_true(t->under_way);
  t->under_way = false;
  t->handler->ended(t->user, cause);
}

/* --- The world of one test -------------------------------------------------------------------- */

struct world {
  struct backend backend;
  struct fleet *fleet;
  struct metrics *metrics;
  struct events *events;
  uint8_t pages[DEVICES][SMALL_PAGE];
  char folder[64];
};

static uint8_t *page_of(void *pages, size_t index)
{
  return ((struct world *) pages)->pages[index];
}

static uint32_t id_of(void *pages, size_t index)
{
  (void) pages;
  return (uint32_t) index + 1;
}

static struct world *new_world(const struct device_ops *ops, struct fetch *fetch)
{
  static const struct device_profile profile = {.name = "small"};
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  begun = aborted = 0;
  files.full = false;
  w->backend.now_ms = 5000;
  w->metrics = metrics_create();
  strcpy(w->folder, "/tmp/fleet-test-XXXXXX");
  assert_non_null(mkdtemp(w->folder));
  assert_int_equal(events_open(w->folder, &w->events, NULL), 0);
  struct fleet_config config = {
      .backend = &w->backend,
      .ops = ops,
      .profile = &profile,
      .place = {{.host = "a", .address_count = 1}},
      .place_count = 1,
      .device_count = DEVICES,
      .page = page_of,
      .page_size = SMALL_PAGE,
      .id = id_of,
      .pages = w,
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 1000, .cap_ms = 1000},
      .ota = {.fetch = fetch},
      .seed = 7,
      .metrics = w->metrics,
      .events = w->events};
  assert_int_equal(fleet_create(&config, &w->fleet, NULL), 0);
  return w;
}

static void on_closed(void *ctx)
{
  *(bool *) ctx = true;
}

static void end(struct world *w)
{
  char path[96];
  bool closed = false;
  fleet_close(w->fleet, on_closed, &closed);
  assert_true(closed);
  for (size_t t = 0; t < begun; t++) assert_false(transfers[t].under_way);
  assert_int_equal(events_close(w->events, NULL), 0);
  metrics_destroy(w->metrics);
  snprintf(path, sizeof path, "%s/events.ndjson", w->folder);
  unlink(path);
  rmdir(w->folder);
  free(w);
}

static void pass(struct world *w, uint64_t ms)
{
  clockwork_pass(&w->backend, ms);
}

/* The broker's bytes. */
static void say(struct world *w, size_t device, const char *line)
{
  struct backend_conn *conn = w->backend.conns[device];
  assert_true(conn->open);
  conn->handler->bytes(conn->user, (const uint8_t *) line, strlen(line));
}

static const struct fleet_facts *facts(struct world *w, size_t device)
{
  return fleet_facts(w->fleet, device);
}

static struct small_memory memory(struct world *w, size_t device)
{
  return small_memory(w->pages[device]);
}

/* Device 0 is online. */
static void connect_one(struct world *w)
{
  static const uint32_t first = 0;
  fleet_connect(w->fleet, &first, 1, 0, false);
  pass(w, 10);
  say(w, 0, "welcome\n");
  assert_true(facts(w, 0)->online);
}

static void assert_books_closed(struct world *w)
{
  struct fleet_census census;
  fleet_census(w->fleet, &census);
  double closed = metrics_value(w->metrics, METRIC_CONNECT_OK) +
                  metrics_value(w->metrics, METRIC_CONNECT_FAILED) + (double) census.attempts_open;
  assert_int_equal(metrics_value(w->metrics, METRIC_CONNECT_ATTEMPTS), closed);
}

/* --- Stories ---------------------------------------------------------------------------------- */

static void a_client_that_restarts_comes_back_by_itself(void **state)
{
  (void) state;
  struct world *w = new_world(&small_watchdog, NULL);
  connect_one(w);
  assert_int_equal(memory(w, 0).starts, 1);
  say(w, 0, "restart\n");
  assert_false(facts(w, 0)->online);
  assert_false(facts(w, 0)->powered);
  assert_int_equal(facts(w, 0)->last_failure, DEVICE_FAIL_SESSION_STOPPED);
  pass(w, BOOT_MAX_MS);
  assert_int_equal(memory(w, 0).starts, 2);
  assert_true(facts(w, 0)->powered);
  pass(w, 10);
  say(w, 0, "welcome\n");
  assert_true(facts(w, 0)->online);
  assert_books_closed(w);
  end(w);
}

static void what_it_held_is_forgotten_in_a_restart(void **state)
{
  (void) state;
  size_t count;
  struct world *w = new_world(&small_watchdog, NULL);
  struct fleet_books books;
  connect_one(w);
  for (int i = 0; i < 3; i++) assert_true(fleet_publish(w->fleet, 0, 16, 1));
  fleet_books(w->fleet, 0, &books);
  assert_int_equal(books.open, 3);
  say(w, 0, "restart\n");
  (void) fleet_forgotten(w->fleet, &count);
  assert_int_equal(count, 3);
  fleet_books(w->fleet, 0, &books);
  assert_int_equal(books.open, 0);
  end(w);
}

static void a_shelved_client_that_restarts_stays_off(void **state)
{
  (void) state;
  static const uint32_t first = 0;
  struct world *w = new_world(&small_watchdog, NULL);
  connect_one(w);
  say(w, 0, "restart\n");
  fleet_shelve(w->fleet, &first, 1);
  pass(w, 3 * BOOT_MAX_MS);
  assert_int_equal(memory(w, 0).starts, 1);
  fleet_wake(w->fleet, &first, 1, 0);
  pass(w, 10);
  assert_int_equal(memory(w, 0).starts, 2);
  end(w);
}

static void a_deadline_is_kept_that_a_client_has_before_its_first_attempt(void **state)
{
  (void) state;
  struct world *w = new_world(&small_watchdog, NULL);
  pass(w, SMALL_WATCHDOG_MS);
  for (size_t i = 0; i < DEVICES; i++) assert_int_equal(memory(w, i).starts, 1);
  pass(w, 10 + BOOT_MAX_MS);
  for (size_t i = 0; i < DEVICES; i++) assert_int_equal(memory(w, i).starts, 2);
  pass(w, SMALL_WATCHDOG_MS + 10 + BOOT_MAX_MS);
  for (size_t i = 0; i < DEVICES; i++) assert_int_equal(memory(w, i).starts, 3);
  end(w);
}

static void a_deadline_is_kept_that_a_client_has_after_a_session(void **state)
{
  (void) state;
  static const uint32_t first = 0;
  struct world *w = new_world(&small_watchdog, NULL);
  connect_one(w);
  fleet_disconnect_all(w->fleet);
  assert_false(facts(w, 0)->online);
  pass(w, SMALL_WATCHDOG_MS + 10);
  assert_false(facts(w, 0)->powered); /* its watchdog has bitten */
  pass(w, BOOT_MAX_MS);
  assert_int_equal(memory(w, first).starts, 2);
  assert_false(facts(w, 0)->online); /* nobody wants it to be */
  assert_books_closed(w);
  end(w);
}

static void a_fetch_is_served_without_a_transport(void **state)
{
  (void) state;
  struct world *w = new_world(&small_fetcher, &files);
  pass(w, SMALL_FETCH_MS + 10);
  assert_int_equal(begun, DEVICES);
  struct fetch_transfer *t = &transfers[0];
  assert_string_equal(t->url, SMALL_URL);
  assert_int_equal(t->size_max, SMALL_FILE_SIZE);
  for (size_t i = 0; i < SMALL_FILE_SIZE; i++) serve(t, 1);
  assert_int_equal(memory(w, 0).fetched, SMALL_FILE_SIZE);
  end_transfer(t, DEVICE_OTA_NONE);
  assert_true(memory(w, 0).whole);
  assert_false(facts(w, 0)->powered); /* it restarts with what it has */
  pass(w, BOOT_MAX_MS);
  assert_int_equal(memory(w, 0).starts, 2);
  pass(w, SMALL_FETCH_MS + 10);
  assert_int_equal(begun, DEVICES); /* that was all */
  end(w);
  assert_int_equal(aborted, DEVICES - 1);
}

static void a_fetch_that_broke_goes_on_where_it_was(void **state)
{
  (void) state;
  struct world *w = new_world(&small_fetcher, &files);
  pass(w, SMALL_FETCH_MS + 10);
  struct fetch_transfer *t = &transfers[2];
  serve(t, 7);
  end_transfer(t, DEVICE_OTA_SERVER_CUT);
  pass(w, SMALL_FETCH_MS + 10);
  assert_int_equal(begun, DEVICES + 1);
  assert_int_equal(transfers[DEVICES].offset, 7);
  end(w);
}

static void a_fetch_of_too_much_is_aborted(void **state)
{
  (void) state;
  struct world *w = new_world(&small_fetcher, &files);
  pass(w, SMALL_FETCH_MS + 10);
  serve(&transfers[1], SMALL_FILE_SIZE);
  assert_int_equal(aborted, 0);
  serve(&transfers[1], 1);
  assert_int_equal(aborted, 1);
  assert_false(transfers[1].under_way);
  end(w);
}

static void a_fetch_with_nobody_to_fetch_from_is_refused(struct fetch *fetch)
{
  struct world *w = new_world(&small_fetcher, fetch);
  files.full = true;
  connect_one(w);
  pass(w, 10 * SMALL_FETCH_MS);
  assert_int_equal(begun, 0);
  assert_int_equal(memory(w, 0).fetched, 0);
  assert_true(facts(w, 0)->online); /* it has heard of it each time, and goes on */
  files.full = false;
  pass(w, SMALL_FETCH_MS + 10);
  assert_int_equal(begun, fetch != NULL ? DEVICES : 0);
  end(w);
}

static void a_fetch_is_refused_where_nobody_downloads(void **state)
{
  (void) state;
  a_fetch_with_nobody_to_fetch_from_is_refused(NULL);
}

static void a_fetch_is_refused_where_it_cannot_begin(void **state)
{
  (void) state;
  a_fetch_with_nobody_to_fetch_from_is_refused(&files);
}

static void a_fetch_ends_with_the_power(void **state)
{
  (void) state;
  static const uint32_t first = 0;
  struct world *w = new_world(&small_fetcher, &files);
  connect_one(w);
  pass(w, SMALL_FETCH_MS + 10);
  assert_true(transfers[0].under_way);
  say(w, 0, "restart\n");
  assert_false(transfers[0].under_way);
  fleet_shelve(w->fleet, &first, 1);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_client_that_restarts_comes_back_by_itself),
      cmocka_unit_test(what_it_held_is_forgotten_in_a_restart),
      cmocka_unit_test(a_shelved_client_that_restarts_stays_off),
      cmocka_unit_test(a_deadline_is_kept_that_a_client_has_before_its_first_attempt),
      cmocka_unit_test(a_deadline_is_kept_that_a_client_has_after_a_session),
      cmocka_unit_test(a_fetch_is_served_without_a_transport),
      cmocka_unit_test(a_fetch_that_broke_goes_on_where_it_was),
      cmocka_unit_test(a_fetch_of_too_much_is_aborted),
      cmocka_unit_test(a_fetch_is_refused_where_nobody_downloads),
      cmocka_unit_test(a_fetch_is_refused_where_it_cannot_begin),
      cmocka_unit_test(a_fetch_ends_with_the_power),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
