/* A fleet that several processes make up: what is drawn for a device goes by its number in the
 * whole, so it does the same wherever it lives. Each device writes down all that it meets, with the
 * time, on a line that delays and cuts at random, with power cuts and random reconnect delays. */
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

#include "fleet/flash.h"
#include "fleet/fleet.h"

#define DEVICES 20
#include "clockwork.h"

#define SLOT      (2 * DEVICE_FLASH_SECTOR)
#define TRACE_MAX 16384u
#define BYTES     "bytes in which a fault may cut the connection off"

struct world {
  struct backend backend;
  size_t first, count;
  struct fleet *fleet;
  struct flash *flash;
  struct metrics *metrics;
  struct events *events;
  struct events_sink sink;
  uint8_t pages[DEVICES][4]; /* its number, and three bytes that it writes to */
  char folder[64];
};

/* of device `number`, in the world under way */
static char trace[DEVICES][TRACE_MAX];
static const struct world *now_in;

__attribute__((format(printf, 2, 3))) static void note(size_t number, const char *format, ...)
{
  size_t used = strlen(trace[number]);
  va_list args;
  va_start(args, format);
  int n = snprintf(trace[number] + used, TRACE_MAX - used, "%llu ",
                   (unsigned long long) now_in->backend.now_ms);
  used += (size_t) n;
  n = vsnprintf(trace[number] + used, TRACE_MAX - used, format, args);
  va_end(args);
  assert_true(used + (size_t) n < TRACE_MAX);
}

/* --- A device that is online as soon as its connection opens, and talks ----------------------- */

struct puppet {
  struct device_host host;
  uint8_t number;
  bool online;
};

static void say(const struct puppet *p, struct device_note note)
{
  p->host.observe(p->host.ctx, &note);
}

static size_t puppet_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct puppet);
}

static int puppet_create(void *storage, const struct device_config *config)
{
  struct puppet *p = storage;
  *p = (struct puppet){.host = config->host};
  assert_int_equal(p->host.nvm_read(p->host.ctx, 0, &p->number, 1), 0);
  note(p->number, "boots\n");
  return 0;
}

static void open_connection(struct puppet *p, struct device_effects *fx)
{
  memcpy(fx->out, BYTES, sizeof BYTES);
  fx->out_size = sizeof BYTES;
  p->online = true;
  say(p, (struct device_note){.kind = DEVICE_NOTE_HANDSHAKE});
  say(p, (struct device_note){.kind = DEVICE_NOTE_ONLINE});
}

static void end_connection(struct puppet *p, enum device_failure failure)
{
  p->online = false;
  say(p, (struct device_note){.kind = DEVICE_NOTE_ENDED, .failure = failure});
}

static void publish(struct puppet *p, const struct device_event *event, struct device_effects *fx)
{
  fx->accepted = p->online;
  if (!p->online) return;
  memcpy(fx->out, event->publish.payload, event->publish.size);
  fx->out_size = event->publish.size;
  say(p, (struct device_note){
             .kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag, .qos = event->publish.qos});
}

static void puppet_step(void *storage, const struct device_event *event, struct device_effects *fx)
{
  struct puppet *p = storage;
  fx->deadline_ms = DEVICE_NEVER;
  note(p->number, "event %d\n", (int) event->kind);
  switch (event->kind) {
  case DEVICE_START:
    fx->connect = p->host.nvm_write(p->host.ctx, 1, "abc", 3) == 0;
    fx->endpoint = event->start.endpoint;
    note(p->number, "goes to place %d\n", event->start.endpoint);
    break;
  case DEVICE_OPENED: open_connection(p, fx); break;
  case DEVICE_CLOSED: end_connection(p, event->closed.cause); break;
  case DEVICE_PUBLISH: publish(p, event, fx); break;
  case DEVICE_STOP:
    fx->close = true;
    end_connection(p, p->online ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED);
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

/* --- The fleet -------------------------------------------------------------------------------- */

static uint8_t *page_of(void *pages, size_t number)
{
  struct world *w = pages;
  assert_in_range(number, w->first, w->first + w->count - 1);
  return w->pages[number];
}

static uint32_t id_of(void *pages, size_t number)
{
  (void) pages;
  return (uint32_t) number + 1;
}

static void on_event(void *ctx, const struct event *event)
{
  (void) ctx;
  char line[EVENT_LINE_MAX];
  event_line(event, NULL, line);
  note(event->device - 1, "%s", line);
}

static void set_places(struct fleet_config *config)
{
  static const char *const hosts[FLEET_PLACES_MAX] = {"a", "b", "c", "d"};
  config->place_count = FLEET_PLACES_MAX;
  config->endpoints = FLEET_SHUFFLED;
  for (size_t i = 0; i < FLEET_PLACES_MAX; i++) {
    config->place[i].host = hosts[i];
    config->place[i].address_count = 2;
    config->place[i].address[1].node = 1;
  }
}

static void make_fleet(struct world *w, size_t total)
{
  static const struct device_ota_profile ota = {.slot_size = SLOT};
  static const struct device_profile profile = {.name = "puppet", .ota = &ota};
  struct fleet_config config = {
      .backend = &w->backend,
      .ops = &puppet_ops,
      .profile = &profile,
      .prove = {.host = "p", .address_count = 1},
      .device_count = w->count,
      .first = w->first,
      .total = total,
      .page = page_of,
      .page_size = sizeof w->pages[0],
      .id = id_of,
      .pages = w,
      .reconnect = {.kind = BACKOFF_FULL_JITTER, .base_ms = 100, .cap_ms = 4000},
      .ota = {.flash = w->flash},
      .seed = 7,
      .metrics = w->metrics,
      .events = w->events};
  set_places(&config);
  assert_int_equal(fleet_create(&config, &w->fleet, NULL), 0);
}

/* Devices first .. first + count - 1 of `total`, 0: of as many. */
static struct world *begin(size_t first, size_t count, size_t total)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->first = first;
  w->count = count;
  for (int i = 0; i < DEVICES; i++) w->pages[i][0] = (uint8_t) i;
  w->backend.now_ms = 5000;
  w->metrics = metrics_create();
  strcpy(w->folder, "/tmp/fleet-test-XXXXXX");
  assert_non_null(mkdtemp(w->folder));
  struct flash_config flash = {.devices = count, .slot_size = SLOT};
  assert_int_equal(flash_create(w->folder, &flash, &w->flash, NULL), 0);
  assert_int_equal(events_open(NULL, &w->events, NULL), 0);
  w->sink = (struct events_sink){.take = on_event};
  events_attach(w->events, &w->sink);
  now_in = w;
  make_fleet(w, total);
  return w;
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
  flash_destroy(w->flash);
  rmdir(w->folder);
  free(w);
}

/* A bad minute, with a bit of everything that is drawn. */
static void live(struct world *w)
{
  static const struct fault fault = {
      .latency_ms = 20, .jitter_ms = 20, .cut_after = 200, .cut_share = 0.5};
  static const struct fleet_power_cuts cuts = {.at = FLEET_CUTS_RANDOM, .every = 2, .times = 3};
  const uint32_t *all = fleet_order(w->fleet);
  fleet_connect(w->fleet, all, w->count, 0, false);
  assert_int_equal(fleet_set_fault(w->fleet, all, w->count, &fault, NULL), 0);
  fleet_power_cut(w->fleet, all, w->count, &cuts);
  fleet_set_telemetry(w->fleet,
                      &(struct fleet_telemetry){.on = true, .every_ms = 1000, .bytes = 32});
  clockwork_pass(&w->backend, 30000);
  fleet_brake(w->fleet, 0.5);
  fleet_cut(w->fleet, all, w->count);
  clockwork_pass(&w->backend, 30000);
  for (size_t i = 0; i < w->count; i++)
    note(w->first + i, "at node %d\n", fleet_facts(w->fleet, i)->node);
}

static void live_in(size_t first, size_t count, size_t total)
{
  struct world *w = begin(first, count, total);
  live(w);
  end(w);
}

/* --- Stories ---------------------------------------------------------------------------------- */

static char whole[DEVICES][TRACE_MAX];

static int live_in_one_process(void **state)
{
  (void) state;
  memset(trace, 0, sizeof trace);
  live_in(0, DEVICES, 0);
  memcpy(whole, trace, sizeof whole);
  return 0;
}

static void expect_trace(size_t number)
{
  if (strcmp(trace[number], whole[number]) == 0) return;
  size_t at = 0;
  while (trace[number][at] == whole[number][at]) at++;
  while (at > 0 && whole[number][at - 1] != '\n') at--;
  fail_msg("device %zu: in the part \"%.80s\", in the whole \"%.80s\"", number, trace[number] + at,
           whole[number] + at);
}

static void a_device_does_the_same_in_a_part_of_the_fleet(void **state)
{
  (void) state;
  for (size_t first = 0; first < DEVICES; first += 3) {
    memset(trace, 0, sizeof trace);
    live_in(first, DEVICES - first, DEVICES);
    for (size_t number = first; number < DEVICES; number++) expect_trace(number);
  }
}

static void two_halves_do_what_the_whole_does(void **state)
{
  (void) state;
  memset(trace, 0, sizeof trace);
  live_in(0, DEVICES / 2, DEVICES);
  live_in(DEVICES / 2, DEVICES / 2, DEVICES);
  for (size_t number = 0; number < DEVICES; number++) expect_trace(number);
}

static void no_two_devices_do_the_same(void **state)
{
  (void) state;
  for (size_t a = 0; a < DEVICES; a++) {
    assert_non_null(strstr(whole[a], "power_cut"));
    assert_non_null(strstr(whole[a], "failed"));
    for (size_t b = 0; b < a; b++) assert_string_not_equal(whole[a], whole[b]);
  }
}

static void a_part_has_its_devices_in_the_order_of_the_whole(void **state)
{
  (void) state;
  const size_t first = 6, count = 9;
  struct world *all = begin(0, DEVICES, DEVICES), *part = begin(first, count, DEVICES);
  const uint32_t *order = fleet_order(all->fleet);
  size_t at = 0;
  assert_int_equal(fleet_size(part->fleet), count);
  for (size_t i = 0; i < DEVICES; i++)
    if (order[i] >= first && order[i] < first + count)
      assert_int_equal(order[i] - first, fleet_order(part->fleet)[at++]);
  assert_int_equal(at, count);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(fleet_facts(part->fleet, i)->id, first + i + 1);
  end(all);
  end(part);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_device_does_the_same_in_a_part_of_the_fleet),
      cmocka_unit_test(two_halves_do_what_the_whole_does),
      cmocka_unit_test(no_two_devices_do_the_same),
      cmocka_unit_test(a_part_has_its_devices_in_the_order_of_the_whole),
  };
  return cmocka_run_group_tests(tests, live_in_one_process, NULL);
}
