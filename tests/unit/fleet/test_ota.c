/* Firmware updates as a fleet's bodies see them, in virtual time: flash in a real file, and a
 * device that updates itself in a few operations. Its own client is tested in tests/unit/device.
 */
#define _POSIX_C_SOURCE 200809L
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

#include "base/names.h"
#include "fleet/flash.h"
#include "fleet/fleet.h"
#include "net/fetch.h"

#define DEVICES 20
#include "clockwork.h"

#define SLOT        (4u * DEVICE_FLASH_SECTOR)
#define BLOCK       256u
#define BLOCKS      (2u * DEVICE_FLASH_SECTOR / BLOCK)
#define OLD         DEVICE_VERSION(1, 0, 0)
#define NEW         DEVICE_VERSION(2, 0, 0)
#define WATCHDOG_MS 400u
#define FACTORY     0x01010101u

/* --- Downloads that a test serves byte by byte ------------------------------------------------ */

struct fetch {
  bool full; /* nothing more can begin */
};

struct fetch_transfer {
  struct fetch_request request;
  const struct fetch_handler *handler;
  void *user;
  char url[DEVICE_OTA_URL_MAX];
  bool under_way, paused;
};

static struct fetch layer;
static struct fetch_transfer transfers[8 * DEVICES];
static size_t begun, aborted;

struct fetch_transfer *fetch_begin(struct fetch *fetch, const struct fetch_request *request,
                                   const struct fetch_handler *handler, void *user)
{
  assert_ptr_equal(fetch, &layer);
  assert_true(begun < sizeof transfers / sizeof *transfers);
  if (fetch->full) return NULL;
  struct fetch_transfer *t = &transfers[begun++];
  *t = (struct fetch_transfer){
      .request = *request, .handler = handler, .user = user, .under_way = true};
  snprintf(t->url, sizeof t->url, "%s", request->url);
  return t;
}

void fetch_pause(struct fetch_transfer *transfer, bool paused)
{
  assert_true(transfer->under_way);
  transfer->paused = paused;
}

void fetch_abort(struct fetch_transfer *transfer)
{
  assert_true(transfer->under_way);
  transfer->under_way = false;
  aborted++;
}

static void serve(size_t transfer, size_t size)
{
  static const uint8_t bytes[4096];
  struct fetch_transfer *t = &transfers[transfer];
  assert_true(t->under_way && !t->paused);
  t->handler->bytes(t->user, bytes, size);
}

static void end_transfer(size_t transfer, enum device_ota_status cause)
{
  struct fetch_transfer *t = &transfers[transfer];
  assert_true(t->under_way);
  t->under_way = false;
  t->handler->ended(t->user, cause);
}

/* A device that updates itself
 * ---------------------------------------------------------------------------------------- An image
 * is one word that its sectors are filled with. What the page holds: */
enum page {
  PAGE_ALIVE,    /* 0: neither slot is said to boot */
  PAGE_INDEX,    /* of the device */
  PAGE_SLOT,     /* the one that is in force */
  PAGE_STATE,    /* enum state */
  PAGE_PROGRESS, /* blocks that have been programmed, behind PAGE_BEGUN */
  PAGE_SEEN,     /* there was a manifest */
  PAGE_BEGUN,    /* an update is under way */
  PAGE_SIZE = 16
};

enum state { IN_FORCE, PENDING, STARTED, FAILED, CONFIRMING };

struct puppet {
  struct device_config config;
  uint64_t watchdog_ms; /* 0: to be set by the first step; DEVICE_NEVER: no trial */
  bool dialling, online, trial, work;
};

static enum fleet_trial trial;               /* of every new image */
static bool checked[DEVICES];                /* its image was whole at its latest boot */
static size_t fetched[DEVICES];              /* bytes */
static enum device_ota_status over[DEVICES]; /* NONE, or how its download ended */
static bool fragile;                         /* it writes to its memory while it takes a message */
/* boots at which a device would not go on with the session that the broker kept */
static unsigned forgetful;
static unsigned starts; /* of any device */
static bool mute;       /* the broker takes connections and says nothing */

static void note(struct puppet *p, struct device_note note)
{
  p->config.host.observe(p->config.host.ctx, &note);
}

static uint8_t get(const struct puppet *p, enum page what)
{
  uint8_t byte = 0;
  (void) p->config.host.nvm_read(p->config.host.ctx, what, &byte, 1);
  return byte;
}

static int put(struct puppet *p, enum page what, uint8_t byte)
{
  return p->config.host.nvm_write(p->config.host.ctx, what, &byte, 1);
}

static void tell(struct puppet *p, enum device_ota_status status)
{
  note(p, (struct device_note){
              .kind = DEVICE_NOTE_OTA, .code = (uint8_t) status, .serial = 5, .version = NEW});
}

static size_t puppet_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct puppet);
}

/* The first word of a slot, if the slot is filled with it. 0: it is not. */
static uint32_t image_in(struct puppet *p, uint8_t slot)
{
  uint32_t words[2 * DEVICE_FLASH_SECTOR / 4];
  if (p->config.host.flash_read(p->config.host.ctx, slot, 0, words, sizeof words) != 0) return 0;
  for (size_t i = 1; i < sizeof words / 4; i++)
    if (words[i] != words[0]) return 0;
  return words[0];
}

static uint8_t running(const struct puppet *p)
{
  uint8_t slot = get(p, PAGE_SLOT);
  return p->trial ? slot ^ 1u : slot;
}

static int confirm(struct puppet *p)
{
  if (put(p, PAGE_STATE, CONFIRMING) != 0 || put(p, PAGE_SLOT, get(p, PAGE_SLOT) ^ 1u) != 0)
    return -1;
  p->trial = false;
  if (put(p, PAGE_BEGUN, 0) != 0 || put(p, PAGE_PROGRESS, 0) != 0) return -1;
  return put(p, PAGE_STATE, IN_FORCE);
}

/* A confirmation that was cut short is taken back: its slot may have been swapped or not, so the
   state tells. */
static enum device_ota_status boot(struct puppet *p)
{
  uint8_t state = get(p, PAGE_STATE);
  if (state == PENDING) {
    p->trial = true;
    (void) put(p, PAGE_STATE, STARTED);
    return DEVICE_OTA_TRIAL;
  }
  if (state == IN_FORCE) return DEVICE_OTA_CONFIRMED;
  if (state == STARTED || state == FAILED) {
    (void) put(p, PAGE_BEGUN, 0);
    (void) put(p, PAGE_PROGRESS, 0);
    (void) put(p, PAGE_STATE, IN_FORCE);
    return state == FAILED ? DEVICE_OTA_SELF_TEST : DEVICE_OTA_UNCONFIRMED;
  }
  (void) put(p, PAGE_SLOT, 1); /* the one update of a test leads from slot 0 to slot 1 */
  (void) put(p, PAGE_BEGUN, 0);
  (void) put(p, PAGE_PROGRESS, 0);
  (void) put(p, PAGE_STATE, IN_FORCE);
  return DEVICE_OTA_CONFIRMED;
}

static int puppet_create(void *storage, const struct device_config *config)
{
  struct puppet *p = storage;
  *p = (struct puppet){.config = *config, .watchdog_ms = DEVICE_NEVER};
  forgetful += config->profile->forget_first;
  if (get(p, PAGE_ALIVE) == 0) return -DEVICE_FAIL_DEVICE_IMAGE;
  uint8_t index = get(p, PAGE_INDEX); /* which the power may take away */
  enum device_ota_status status = boot(p);
  if (p->trial) p->watchdog_ms = 0;
  uint32_t image = image_in(p, running(p));
  checked[index] = image != 0 && image != UINT32_MAX;
  p->work = get(p, PAGE_BEGUN) != 0 && !p->trial;
  bool is_new = running(p) == 1;
  note(p, (struct device_note){.kind = DEVICE_NOTE_BOOTED,
                               .code = (uint8_t) status,
                               .version = is_new ? NEW : OLD,
                               .serial = is_new ? 5 : 0});
  return 0;
}

static void puppet_end(struct puppet *p, enum device_failure failure)
{
  p->online = p->dialling = false;
  note(p, (struct device_note){.kind = DEVICE_NOTE_ENDED, .failure = failure});
}

static void puppet_open(struct puppet *p, struct device_effects *fx)
{
  static const uint8_t anchor[32] = {1};
  if (mute) return;
  p->dialling = false;
  memcpy(fx->out, "hello", 5);
  fx->out_size = 5;
  note(p, (struct device_note){.kind = DEVICE_NOTE_HANDSHAKE, .anchor_id = anchor});
  p->online = true;
  note(p, (struct device_note){.kind = DEVICE_NOTE_ONLINE});
  if (!p->trial) return;
  if (p->config.host.self_test(p->config.host.ctx) != 0) {
    (void) put(p, PAGE_STATE, FAILED);
    tell(p, DEVICE_OTA_SELF_TEST);
    fx->reboot = true;
    return;
  }
  if (confirm(p) == 0) tell(p, DEVICE_OTA_CONFIRMED);
}

/* One operation of the update; true when the image is whole. */
static bool puppet_work(struct puppet *p)
{
  const struct device_host *host = &p->config.host;
  uint32_t words[BLOCK / 4];
  uint8_t done = get(p, PAGE_PROGRESS);
  memset(words, 0x02, sizeof words);
  if (done == BLOCKS) return true;
  uint32_t at = done * BLOCK;
  bool failed = false;
  if (at % DEVICE_FLASH_SECTOR == 0) failed = host->flash_erase(host->ctx, 1, at) != 0;
  failed = failed || host->flash_program(host->ctx, 1, at, words, BLOCK) != 0;
  note(p, (struct device_note){
              .kind = DEVICE_NOTE_OTA_BYTES, .payload_size = BLOCK, .duplicate = failed});
  if (failed) tell(p, DEVICE_OTA_FLASH_FAILED);
  return !failed && put(p, PAGE_PROGRESS, ++done) == 0 && done == BLOCKS;
}

static void puppet_tick(struct puppet *p, const struct device_event *event,
                        struct device_effects *fx)
{
  if (p->watchdog_ms == 0) p->watchdog_ms = event->now_ms + WATCHDOG_MS;
  if (p->trial && event->now_ms >= p->watchdog_ms) fx->reboot = true;
  if (!p->work || !puppet_work(p)) return;
  tell(p, DEVICE_OTA_STAGED);
  fx->reboot = put(p, PAGE_STATE, PENDING) == 0;
  if (!fx->reboot || (!p->online && !p->dialling)) return;
  fx->close = true;
  if (p->online) {
    memcpy(fx->out, "status", 6);
    fx->out_size = 6;
  }
  puppet_end(p, p->online ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED);
}

/* Each piece is programmed as one block. */
static void puppet_take(struct puppet *p, size_t size)
{
  static const uint8_t block[BLOCK];
  fetched[get(p, PAGE_INDEX)] += size;
  (void) p->config.host.flash_program(p->config.host.ctx, 1, 0, block, BLOCK);
}

/* A manifest, the word to fetch something or to leave it, or nonsense. */
static void puppet_read(struct puppet *p, uint8_t word, struct device_effects *fx)
{
  static const struct device_fetch fetch = {
      .url = "https://update/v2.bin", .offset = 512, .size_max = 9000};
  switch (word) {
  case 'f': fx->fetch = &fetch; return;
  case 'a': fx->fetch_abort = true; return;
  case 'b':
    fx->fetch_abort = true;
    puppet_take(p, 0);
    return;
  case 'd': tell(p, DEVICE_OTA_DOWNLOADING); return;
  case '?':
    note(p, (struct device_note){.kind = DEVICE_NOTE_OTA, .code = DEVICE_OTA_BAD_MANIFEST});
    return;
  default: break;
  }
  if (p->trial || running(p) == 1 || put(p, PAGE_SEEN, 1) != 0 || put(p, PAGE_BEGUN, 1) != 0)
    return;
  p->work = true;
  tell(p, DEVICE_OTA_DOWNLOADING);
}

static void puppet_step(void *storage, const struct device_event *event, struct device_effects *fx)
{
  struct puppet *p = storage;
  switch (event->kind) {
  case DEVICE_START:
    starts++;
    p->dialling = true;
    fx->connect = true;
    fx->endpoint = event->start.endpoint;
    break;
  case DEVICE_OPENED: puppet_open(p, fx); break;
  case DEVICE_CLOSED:
    puppet_end(p, p->online ? DEVICE_FAIL_SESSION_CLOSED : event->closed.cause);
    break;
  case DEVICE_STOP:
    fx->close = true;
    puppet_end(p, p->online ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED);
    break;
  case DEVICE_BYTES: puppet_read(p, event->bytes.data[0], fx); break;
  case DEVICE_FETCHED: puppet_take(p, event->bytes.size); break;
  case DEVICE_FETCH_ENDED: over[get(p, PAGE_INDEX)] = event->fetched.cause; break;
  case DEVICE_TICK: puppet_tick(p, event, fx); break;
  case DEVICE_PUBLISH:
  case DEVICE_SUBSCRIBE:
    if (fragile && event->kind == DEVICE_PUBLISH) (void) put(p, PAGE_SEEN, 1);
    fx->accepted = p->online;
    if (fx->accepted && event->publish.once)
      note(p, (struct device_note){.kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag});
    break;
  default: break;
  }
  fx->deadline_ms = p->work && !p->trial              ? event->now_ms + 10
                    : p->trial && p->watchdog_ms != 0 ? p->watchdog_ms
                                                      : DEVICE_NEVER;
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

static const struct device_ops puppet_ops = {.name = "puppet",
                                             .storage_size = puppet_size,
                                             .create = puppet_create,
                                             .step = puppet_step,
                                             .destroy = puppet_destroy,
                                             .trust_version = puppet_version};

/* --- The world of one test -------------------------------------------------------------------- */

static const struct timing_profile slow = {.name = "slow",
                                           .clock_hz = 1e6,
                                           .verify = 2e5,
                                           .sha256_byte = 10,
                                           .k_low = 1,
                                           .k_nominal = 1,
                                           .k_high = 1};

struct world {
  struct backend backend;
  struct fleet *fleet;
  struct names *names;
  struct flash *flash;
  struct metrics *metrics;
  struct events *events;
  uint8_t pages[DEVICES][PAGE_SIZE];
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

static enum fleet_trial trial_of(void *ctx, size_t index, uint32_t version)
{
  (void) ctx;
  assert_in_range(index, 0, DEVICES - 1);
  assert_int_equal(version, NEW);
  return trial;
}

static void make_flash(struct world *w)
{
  static uint32_t image[2 * DEVICE_FLASH_SECTOR / 4];
  struct flash_config config = {
      .devices = DEVICES, .slot_size = SLOT, .erase_us = 50000, .program_us = 100};
  for (size_t i = 0; i < sizeof image / 4; i++) image[i] = FACTORY;
  assert_int_equal(flash_create(w->folder, &config, &w->flash, NULL), 0);
  assert_int_equal(flash_factory(w->flash, (const uint8_t *) image, sizeof image, NULL), 0);
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  char *name = ctx;
  device_id_text(id_of(NULL, index), name);
  out->id = name;
}

static bool served = true; /* there is somebody to fetch from */

static void make_fleet(struct world *w, bool takes_updates, bool pace)
{
  static const struct device_ota_profile ota = {.slot_size = SLOT};
  static const struct device_profile with = {.name = "puppet", .ota = &ota, .forget_first = true},
                                     without = {.name = "puppet"};
  char name[DEVICE_ID_TEXT];
  assert_int_equal(names_create(&names_usual, DEVICES, describe, name, &w->names, NULL, NULL), 0);
  struct fleet_config config = {
      .backend = &w->backend,
      .names = w->names,
      .ops = &puppet_ops,
      .profile = takes_updates ? &with : &without,
      .place = {{.host = "a", .address_count = 1}},
      .place_count = 1,
      .prove = {.host = "b", .address_count = 1},
      .device_count = DEVICES,
      .page = page_of,
      .page_size = PAGE_SIZE,
      .id = id_of,
      .pages = w,
      .anchor_id = {{1}},
      .root_count = 1,
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 1000, .cap_ms = 1000},
      .timing = &slow,
      .pace = pace,
      .ota = {.flash = w->flash, .fetch = served ? &layer : NULL, .trial = trial_of},
      .seed = 7,
      .metrics = w->metrics,
      .events = w->events};
  assert_int_equal(fleet_create(&config, &w->fleet, NULL), 0);
}

/* `bricked`: index of a device that does not boot, -1: all do. */
static struct world *new_world_with(int bricked, bool pace)
{
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  trial = FLEET_TRIAL_PASS;
  starts = forgetful = 0;
  begun = aborted = 0;
  layer.full = false;
  memset(fetched, 0, sizeof fetched);
  memset(over, 0, sizeof over);
  for (int i = 0; i < DEVICES; i++) w->pages[i][PAGE_ALIVE] = i != bricked;
  for (int i = 0; i < DEVICES; i++) w->pages[i][PAGE_INDEX] = (uint8_t) i;
  w->backend.now_ms = 5000;
  w->metrics = metrics_create();
  strcpy(w->folder, "/tmp/fleet-test-XXXXXX");
  assert_non_null(mkdtemp(w->folder));
  assert_int_equal(events_open(NULL, &w->events, NULL), 0);
  make_flash(w);
  make_fleet(w, true, pace);
  return w;
}

static struct world *new_world(void)
{
  return new_world_with(-1, false);
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
  names_free(w->names);
  flash_destroy(w->flash);
  rmdir(w->folder);
  free(w);
}

static void pass(struct world *w, uint64_t ms)
{
  clockwork_pass(&w->backend, ms);
}

static int value(struct world *w, enum metric metric)
{
  return (int) metrics_value(w->metrics, metric);
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
  int closed =
      value(w, METRIC_CONNECT_OK) + value(w, METRIC_CONNECT_FAILED) + (int) census.attempts_open;
  assert_int_equal(value(w, METRIC_CONNECT_ATTEMPTS), closed);
}

static void connect_all(struct world *w)
{
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 1000, false);
  pass(w, 100);
  assert_int_equal(online(w), DEVICES);
}

static void say(struct world *w, size_t index, const char *word)
{
  struct backend_conn *conn = w->backend.conns[index];
  if (conn->open) conn->handler->bytes(conn->user, (const uint8_t *) word, strlen(word));
}

/* The back office sends every device the manifest. */
static void offer(struct world *w)
{
  for (size_t i = 0; i < DEVICES; i++) say(w, i, "manifest");
}

static size_t running_new(struct world *w)
{
  size_t n = 0;
  for (size_t i = 0; i < DEVICES; i++) {
    const struct fleet_ota_facts *facts = fleet_ota_facts(w->fleet, i);
    n += facts->image_version == NEW && !facts->ota_trial;
  }
  return n;
}

static void assert_all(struct world *w, uint32_t version, enum device_ota_status status)
{
  for (size_t i = 0; i < DEVICES; i++) {
    const struct fleet_ota_facts *facts = fleet_ota_facts(w->fleet, i);
    if (facts->image_version != version || facts->ota_status != status || facts->ota_trial ||
        !checked[i])
      fail_msg("device %zu runs %08x (%s, trial %d, whole %d), not %08x (%s)", i,
               (unsigned) facts->image_version, device_ota_status_name(facts->ota_status),
               facts->ota_trial, checked[i], (unsigned) version, device_ota_status_name(status));
    assert_int_equal(facts->ota_serial, 5);
    assert_false(facts->bricked);
  }
}

/* --- Stories ---------------------------------------------------------------------------------- */

static void an_update_is_loaded_tried_and_confirmed(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct metrics_stats stats;
  connect_all(w);
  offer(w);
  pass(w, 100);
  assert_int_equal(fleet_ota_facts(w->fleet, 3)->ota_status, DEVICE_OTA_DOWNLOADING);
  assert_int_equal(fleet_ota_facts(w->fleet, 3)->image_version, OLD);
  pass(w, 4000);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_UPDATED), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_BYTES), DEVICES * 2 * DEVICE_FLASH_SECTOR);
  assert_int_equal(value(w, METRIC_OTA_RESENT_BYTES), 0);
  assert_int_equal(value(w, METRIC_OTA_FLASH_OPERATIONS), DEVICES * (BLOCKS + 2));
  assert_int_equal(value(w, METRIC_OTA_BRICKED), 0);
  assert_int_equal(fleet_ota_tally(w->fleet, DEVICE_OTA_CONFIRMED)->count, DEVICES);
  assert_int_equal(fleet_ota_tally(w->fleet, DEVICE_OTA_STAGED)->first_count,
                   METRICS_FIRST_DEVICES);
  metrics_stats(w->metrics, METRIC_OTA_DOWNLOAD, &stats);
  assert_int_equal(stats.count, DEVICES);
  assert_in_range((int) stats.max, 10 * BLOCKS, 10 * BLOCKS + 20);
  metrics_stats(w->metrics, METRIC_OTA_APPLY, &stats);
  assert_int_equal(stats.count, DEVICES);
  assert_in_range((int) stats.min, 200, 2010);
  end(w);
}

static void modelled_times_of_an_update_are_of_its_bytes_and_words(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct metrics_stats flash, verify;
  connect_all(w);
  offer(w);
  pass(w, 4000);
  metrics_stats(w->metrics, METRIC_OTA_DEVICE_FLASH, &flash);
  metrics_stats(w->metrics, METRIC_OTA_DEVICE_VERIFY, &verify);
  assert_int_equal(flash.count, DEVICES);
  assert_in_range((int) flash.mean, 304, 306);  /* 2 sectors of 50 ms, 2048 words of 0.1 ms */
  assert_in_range((int) verify.mean, 281, 283); /* 8192 bytes of 10 us, a signature of 200 ms */
  end(w);
}

static void a_restart_is_no_failure_and_the_plan_goes_on(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  offer(w);
  pass(w, 4000);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(starts, 2 * DEVICES);
  assert_int_equal(value(w, METRIC_CONNECT_OK), 2 * DEVICES);
  assert_int_equal(value(w, METRIC_CONNECT_FAILED), 0);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_SESSION_STOPPED)->count, 0);
  assert_books_closed(w);
  end(w);
}

/* What the broker keeps for a device that restarts is of this run: a manifest or a bundle among
   it. */
static void a_device_that_restarts_keeps_its_session(void **state)
{
  (void) state;
  struct world *w = new_world();
  assert_int_equal(forgetful, DEVICES);
  connect_all(w);
  offer(w);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES,
                  &(struct fleet_power_cuts){.at = FLEET_CUTS_EACH, .times = 2});
  pass(w, 8000);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  assert_int_equal(forgetful, DEVICES);
  fleet_shelve(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 50);
  fleet_wake(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  assert_int_equal(forgetful, 2 * DEVICES);
  end(w);
}

/* An update takes some 70 operations; what came before counts for its next attempt. */
static void the_power_may_fail_at_one_operation_after_the_other(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  for (uint32_t i = 0; i < DEVICES; i++) /* one by one: each for itself */
    fleet_power_cut(w->fleet, &i, 1,
                    &(struct fleet_power_cuts){.at = FLEET_CUTS_EACH, .times = 60});
  for (int i = 0; i < 200; i++) {
    offer(w); /* what the power took away with the manifest, or took back, is offered again */
    pass(w, 1000);
  }
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_BRICKED), 0);
  assert_in_range(value(w, METRIC_OTA_POWER_CUTS), 10 * DEVICES, 60 * DEVICES);
  assert_books_closed(w);
  end(w);
}

static void devices_share_out_the_operations_at_which_the_power_fails(void **state)
{
  (void) state;
  struct world *w = new_world();
  const uint32_t *order = fleet_order(w->fleet);
  connect_all(w);
  fleet_power_cut(w->fleet, order, DEVICES,
                  &(struct fleet_power_cuts){.at = FLEET_CUTS_EACH, .times = 4});
  offer(w);
  pass(w, 150); /* 20 operations, and nobody has booted again */
  for (size_t i = 0; i < DEVICES; i++) {
    assert_int_equal(fleet_ota_facts(w->fleet, order[i])->power_cuts, 1);
    assert_int_equal(fleet_ota_facts(w->fleet, order[i])->operations, i + 1);
  }
  uint64_t second[DEVICES] = {0};
  for (int ms = 0; ms < 5000; ms++) {
    pass(w, 1);
    if (ms % 1000 == 0) offer(w);
    for (size_t i = 0; i < DEVICES; i++) {
      const struct fleet_ota_facts *facts = fleet_ota_facts(w->fleet, order[i]);
      if (facts->power_cuts == 2 && second[i] == 0) second[i] = facts->operations;
    }
  }
  for (size_t i = 0; i < DEVICES; i++) assert_int_equal(second[i], (i + 1) + (DEVICES + i + 1));
  end(w);
}

/* The power of all of them fails in whatever they do next. */
static const struct fleet_power_cuts next_operation = {
    .at = FLEET_CUTS_RANDOM, .every = 1, .times = 1};

/* Returns the operations of all devices until they were updated. */
static uint64_t random_cuts(uint32_t every)
{
  struct world *w = new_world();
  uint64_t operations = 0;
  connect_all(w);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES,
                  &(struct fleet_power_cuts){.at = FLEET_CUTS_RANDOM, .every = every, .times = 5});
  for (int i = 0; i < 60; i++) {
    offer(w);
    pass(w, 1000);
  }
  assert_int_equal(running_new(w), DEVICES);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  for (size_t i = 0; i < DEVICES; i++) operations += fleet_ota_facts(w->fleet, i)->operations;
  assert_in_range(value(w, METRIC_OTA_POWER_CUTS), 1, 5 * DEVICES);
  if (every == 1) assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), 5 * DEVICES);
  end(w);
  return operations;
}

static void random_cuts_are_the_seeds(void **state)
{
  (void) state;
  uint64_t often = random_cuts(20);
  assert_int_equal(often, random_cuts(20));
  random_cuts(1);
}

static void random_cuts_come_as_often_as_said(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  fleet_power_cut(
      w->fleet, fleet_order(w->fleet), DEVICES,
      &(struct fleet_power_cuts){.at = FLEET_CUTS_RANDOM, .every = 30, .times = 1000000});
  trial = FLEET_TRIAL_FAIL;
  uint64_t operations = 0;
  for (int i = 0; i < 300; i++) {
    offer(w);
    pass(w, 1000);
  }
  for (size_t i = 0; i < DEVICES; i++) operations += fleet_ota_facts(w->fleet, i)->operations;
  int every = (int) operations / value(w, METRIC_OTA_POWER_CUTS);
  if (every < 27 || every > 33) fail_msg("a power cut every %d operations, not 30", every);
  end(w);
}

static void what_a_device_says_without_power_is_not_heard(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  offer(w);
  pass(w, 50);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  pass(w, 20);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), DEVICES);
  assert_int_equal(online(w), 0);
  assert_int_equal(value(w, METRIC_OTA_REFUSED), 0);
  /* that is what the power took */
  assert_int_equal(value(w, METRIC_OTA_RESENT_BYTES), DEVICES * BLOCK);
  assert_int_equal(fleet_ota_facts(w->fleet, 2)->power_cuts, 1);
  for (size_t i = 0; i < DEVICES; i++) assert_false(w->backend.conns[i]->open);
  pass(w, 150);
  assert_int_equal(starts, DEVICES); /* it takes 200 ms at least to boot */
  pass(w, 5000);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  end(w);
}

static void after_a_power_cut_a_device_comes_back_by_its_policy(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct backoff_policy patient = {.kind = BACKOFF_FIXED, .base_ms = 10000, .cap_ms = 10000};
  assert_int_equal(fleet_set_reconnect(w->fleet, fleet_order(w->fleet), DEVICES, &patient), 0);
  connect_all(w);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  offer(w); /* the power fails before the update begins */
  pass(w, 10000);
  assert_int_equal(starts, DEVICES);
  pass(w, 2300);
  assert_int_equal(starts, 2 * DEVICES);
  assert_int_equal(value(w, METRIC_CONNECT_FAILED), 0);
  assert_books_closed(w);
  end(w);
}

static void an_attempt_that_the_power_ends_is_booked(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  offer(w);
  pass(w, 30);
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0, false);
  for (size_t i = 0; i < DEVICES; i++) /* dialled, and not opened */
    w->backend.conns[i]->handler->deadline(w->backend.conns[i]->user);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  w->backend.now_ms += 20;
  for (size_t i = 0; i < DEVICES; i++)
    w->backend.conns[i]->handler->deadline(w->backend.conns[i]->user);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), DEVICES);
  const struct metrics_failure *stopped = metrics_failure(w->metrics, DEVICE_FAIL_STOPPED);
  assert_int_equal(stopped->count, DEVICES);
  assert_int_equal(stopped->expected, DEVICES);
  assert_books_closed(w);
  pass(w, 4000);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void an_image_that_fails_its_test_is_rolled_back_once_each_time(void **state)
{
  (void) state;
  struct world *w = new_world();
  trial = FLEET_TRIAL_FAIL;
  connect_all(w);
  offer(w);
  pass(w, 8000);
  assert_all(w, OLD, DEVICE_OTA_SELF_TEST);
  offer(w);
  pass(w, 8000);
  struct metrics_stats flash;
  metrics_stats(w->metrics, METRIC_OTA_DEVICE_FLASH, &flash);
  assert_int_equal(flash.count, 2 * DEVICES);
  assert_in_range((int) flash.max, 304, 306); /* each of its own operations */
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_UPDATED), 0);
  assert_int_equal(value(w, METRIC_OTA_ROLLED_BACK), 2 * DEVICES);
  assert_int_equal(fleet_ota_tally(w->fleet, DEVICE_OTA_SELF_TEST)->count, 2 * DEVICES);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), 0);
  assert_books_closed(w);
  end(w);
}

static void an_image_that_crashes_is_rolled_back_and_that_is_no_power_cut(void **state)
{
  (void) state;
  struct world *w = new_world();
  trial = FLEET_TRIAL_CRASH;
  connect_all(w);
  offer(w);
  pass(w, 8000);
  assert_all(w, OLD, DEVICE_OTA_UNCONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_ROLLED_BACK), DEVICES);
  assert_int_equal(fleet_ota_tally(w->fleet, DEVICE_OTA_SELF_TEST)->count, 0);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), 0);
  assert_books_closed(w);
  end(w);
}

static void an_image_that_hangs_begins_no_attempt_and_its_watchdog_ends_it(void **state)
{
  (void) state;
  struct world *w = new_world();
  trial = FLEET_TRIAL_HANG;
  connect_all(w);
  offer(w);
  pass(w, 900); /* some have booted */
  size_t hanging = 0;
  for (size_t i = 0; i < DEVICES; i++) {
    hanging += fleet_ota_facts(w->fleet, i)->ota_trial;
    assert_true(w->backend.conns[i]->deadline_ms > w->backend.now_ms); /* nobody spins */
  }
  assert_in_range(hanging, 1, DEVICES - 1);
  assert_int_equal(starts, DEVICES);
  pass(w, 1800);
  pass(w, 6000);
  assert_all(w, OLD, DEVICE_OTA_UNCONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(starts, 2 * DEVICES); /* before the update, and after it was taken back */
  assert_int_equal(value(w, METRIC_OTA_ROLLED_BACK), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_device_without_an_image_is_bricked_and_told(void **state)
{
  (void) state;
  struct world *w = new_world_with(6, false);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 1000, false);
  pass(w, 100);
  assert_int_equal(online(w), DEVICES - 1);
  assert_true(fleet_facts(w->fleet, 6)->dead);
  assert_true(fleet_ota_facts(w->fleet, 6)->bricked);
  assert_int_equal(value(w, METRIC_OTA_BRICKED), 1);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_DEVICE_IMAGE)->first_devices[0], 7);
  end(w);
}

/* A sector takes 50 ms and a block 6.4 ms: 30 blocks need no more than the 10 ms between two of
   them, 2 take 57 ms. */
static void a_paced_device_waits_for_its_flash(void **state)
{
  (void) state;
  struct world *w = new_world_with(-1, true);
  struct metrics_stats stats;
  connect_all(w);
  offer(w);
  pass(w, 60);
  /* the first sector and block take 56 ms */
  assert_int_equal(value(w, METRIC_OTA_FLASH_OPERATIONS), 2 * DEVICES);
  pass(w, 4000);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  metrics_stats(w->metrics, METRIC_OTA_DOWNLOAD, &stats);
  assert_in_range((int) stats.mean, 405, 425);
  assert_books_closed(w);
  end(w);
}

/* Every device is told to fetch; transfer i is of device i. */
static struct world *while_they_fetch(bool pace)
{
  struct world *w = new_world_with(-1, pace);
  connect_all(w);
  for (size_t i = 0; i < DEVICES; i++) say(w, i, "f");
  assert_int_equal(begun, DEVICES);
  return w;
}

static void a_download_is_the_devices_own(void **state)
{
  (void) state;
  struct world *w = new_world();
  uint32_t third = 3;
  fleet_set_clock(w->fleet, &third, 1, false, 1000);
  connect_all(w);
  say(w, 3, "f");
  assert_int_equal(begun, 1);
  assert_string_equal(transfers[0].url, "https://update/v2.bin");
  assert_int_equal(transfers[0].request.offset, 512);
  assert_int_equal(transfers[0].request.size_max, 9000);
  assert_int_equal(transfers[0].request.unix_s, 1000);
  serve(0, 700);
  serve(0, 300);
  end_transfer(0, DEVICE_OTA_SERVER_CUT);
  assert_int_equal(fetched[3], 1000);
  assert_int_equal(over[3], DEVICE_OTA_SERVER_CUT);
  assert_int_equal(over[2], DEVICE_OTA_NONE);
  end(w);
  assert_int_equal(aborted, 0);
}

static void a_download_needs_no_session_with_the_broker(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(false);
  fleet_disconnect_all(w->fleet);
  pass(w, 50);
  assert_int_equal(online(w), 0);
  serve(5, 100);
  assert_int_equal(fetched[5], 100);
  end(w);
  assert_int_equal(aborted, DEVICES); /* with the power */
}

static void a_device_has_one_download_and_may_leave_it(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(false);
  say(w, 2, "f");
  assert_false(transfers[2].under_way);
  assert_int_equal(begun, DEVICES + 1);
  say(w, 2, "a");
  assert_false(transfers[DEVICES].under_way);
  say(w, 2, "a");
  assert_int_equal(aborted, 2);
  assert_int_equal(over[2], DEVICE_OTA_NONE);
  end(w);
}

static void a_download_that_cannot_begin_ends_later_and_by_name(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  layer.full = true;
  say(w, 0, "f");
  assert_int_equal(over[0], DEVICE_OTA_NONE); /* not from inside the device's step */
  pass(w, 2);
  assert_int_equal(over[0], DEVICE_OTA_SERVER_UNREACHABLE);
  say(w, 1, "f");
  say(w, 1, "a");
  pass(w, 2);
  assert_int_equal(over[1], DEVICE_OTA_NONE);
  end(w);
  served = false;
  w = new_world();
  served = true;
  connect_all(w);
  say(w, 7, "f");
  pass(w, 2);
  assert_int_equal(over[7], DEVICE_OTA_SERVER_UNREACHABLE);
  end(w);
}

static void a_device_that_programs_takes_no_bytes(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(true);
  serve(4, 256); /* 64 words take 6.4 ms */
  assert_true(transfers[4].paused);
  assert_false(transfers[5].paused);
  pass(w, 8);
  assert_false(transfers[4].paused);
  serve(4, 256);
  end_transfer(4, DEVICE_OTA_SERVER_TIMEOUT);
  assert_int_equal(over[4], DEVICE_OTA_NONE);
  pass(w, 8);
  assert_int_equal(over[4], DEVICE_OTA_SERVER_TIMEOUT);
  end(w);
}

static void a_download_that_was_left_is_not_heard_of_again(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(true);
  say(w, 4, "b"); /* and programs for 6.4 ms, before which nothing of it happens */
  assert_true(transfers[4].under_way);
  end_transfer(4, DEVICE_OTA_SERVER_TIMEOUT);
  pass(w, 20);
  assert_int_equal(over[4], DEVICE_OTA_NONE);
  end(w);
}

static void a_power_cut_ends_a_download_in_the_middle_of_its_bytes(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(false);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  for (size_t i = 0; i < DEVICES; i++) serve(i, 256);
  assert_int_equal(aborted, DEVICES);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), DEVICES);
  assert_int_equal(online(w), 0);
  pass(w, 4000);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(over[0], DEVICE_OTA_NONE);
  end(w);
}

static void what_a_power_cut_took_of_a_download_is_sent_again(void **state)
{
  (void) state;
  struct world *w = while_they_fetch(false);
  for (size_t i = 0; i < DEVICES; i++) say(w, i, "d");
  /* of which it says nothing: less than a block */
  for (size_t i = 0; i < DEVICES; i++) serve(i, 100);
  assert_int_equal(value(w, METRIC_OTA_BYTES), 0);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  for (size_t i = 0; i < DEVICES; i++) serve(i, 300);
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), DEVICES);
  assert_int_equal(value(w, METRIC_OTA_RESENT_BYTES), DEVICES * 400);
  assert_int_equal(value(w, METRIC_OTA_BYTES), DEVICES * 400);
  end(w);
}

static void what_a_device_held_is_forgotten_in_a_restart(void **state)
{
  (void) state;
  struct world *w = new_world();
  size_t count;
  connect_all(w);
  offer(w);
  /* never acknowledged */
  for (int i = 0; i < 3; i++) assert_true(fleet_publish(w->fleet, 6, 32, 1));
  (void) fleet_forgotten(w->fleet, &count);
  assert_int_equal(count, 0);
  pass(w, 330);
  const struct fleet_forgotten *list = fleet_forgotten(w->fleet, &count);
  assert_int_equal(count, 3);
  for (uint32_t i = 0; i < 3; i++) assert_true(list[i].device == 6 && list[i].sequence == i + 1);
  struct fleet_books books;
  fleet_books(w->fleet, 6, &books);
  assert_int_equal(books.forgotten, 3);
  uint32_t held[FLEET_UNACKED_MAX];
  assert_int_equal(fleet_unacked(w->fleet, 6, held), 0);
  pass(w, 3000);
  fleet_shelve(w->fleet, (const uint32_t[]){6}, 1); /* and waits for nothing */
  pass(w, 10);
  assert_false(fleet_facts(w->fleet, 6)->powered);
  end(w);
}

static void a_message_that_the_power_cut_short_was_never_sent(void **state)
{
  (void) state;
  struct world *w = new_world();
  size_t count;
  connect_all(w);
  assert_true(fleet_publish(w->fleet, 6, 32, 1));
  fragile = true;
  fleet_power_cut(w->fleet, (const uint32_t[]){6}, 1, &next_operation);
  assert_false(fleet_publish(w->fleet, 6, 32, 1));
  fragile = false;
  assert_int_equal(value(w, METRIC_OTA_POWER_CUTS), 1);
  assert_int_equal(fleet_facts(w->fleet, 6)->telemetry_sent, 1);
  const struct fleet_forgotten *list = fleet_forgotten(w->fleet, &count);
  assert_int_equal(count, 1);
  assert_int_equal(list[0].sequence, 1);
  struct fleet_books books;
  fleet_books(w->fleet, 6, &books);
  assert_int_equal(books.forgotten, 1);
  end(w);
}

/* An update that needs no network any more goes on without one. */
static void an_update_goes_on_offline(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct backoff_policy never = {.kind = BACKOFF_FIXED, .base_ms = 1000000, .cap_ms = 1000000};
  assert_int_equal(fleet_set_reconnect(w->fleet, fleet_order(w->fleet), DEVICES, &never), 0);
  connect_all(w);
  offer(w);
  fleet_cut(w->fleet, fleet_order(w->fleet), DEVICES);
  assert_int_equal(online(w), 0);
  pass(w, 300);
  assert_int_equal(value(w, METRIC_OTA_BYTES), DEVICES * 29 * BLOCK);
  pass(w, 100);
  assert_int_equal(fleet_ota_facts(w->fleet, 0)->ota_status, DEVICE_OTA_STAGED);
  assert_books_closed(w);
  end(w);
}

static void a_restart_in_the_midst_of_an_attempt_ends_one_attempt(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct backoff_policy soon = {.kind = BACKOFF_FIXED, .base_ms = 10, .cap_ms = 10};
  assert_int_equal(fleet_set_reconnect(w->fleet, fleet_order(w->fleet), DEVICES, &soon), 0);
  connect_all(w);
  offer(w);
  mute = true;
  fleet_cut(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 330);
  assert_int_equal(fleet_ota_facts(w->fleet, 0)->ota_status, DEVICE_OTA_STAGED);
  assert_int_equal(value(w, METRIC_CONNECT_FAILED), DEVICES);
  assert_int_equal(metrics_failure(w->metrics, DEVICE_FAIL_STOPPED)->count, DEVICES);
  assert_books_closed(w);
  mute = false;
  pass(w, 4000);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

/* Devices restart between these two: some boot while the plan speaks. */
static struct world *while_they_boot(void)
{
  struct world *w = new_world();
  connect_all(w);
  offer(w);
  pass(w, 330);
  assert_int_equal(online(w), 0);
  assert_int_equal(fleet_ota_facts(w->fleet, 0)->ota_status, DEVICE_OTA_STAGED);
  return w;
}

static void a_plan_waits_for_a_device_that_boots(void **state)
{
  (void) state;
  struct world *w = while_they_boot();
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 10, false); /* over the next 2 s */
  pass(w, 100);
  assert_int_equal(starts, DEVICES);
  pass(w, 4000);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(value(w, METRIC_CONNECT_OK), 2 * DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_session_that_the_plan_would_end_later_comes_back_at_once(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  offer(w);
  /* the first one now, over 200 s */
  fleet_redial(w->fleet, fleet_order(w->fleet), DEVICES, 0.1, false);
  pass(w, 5000);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_restart_before_the_first_attempt_is_due_makes_it_no_earlier(void **state)
{
  (void) state;
  struct world *w = new_world();
  fleet_shelve(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 10);
  /* an update that needs no network any more */
  for (size_t i = 0; i < DEVICES; i++) w->pages[i][PAGE_BEGUN] = 1;
  fleet_wake(w->fleet, fleet_order(w->fleet), DEVICES, 0.1);
  pass(w, 8000);
  assert_int_equal(starts, 2); /* the first one: at once, and after its restart */
  assert_int_equal(fleet_ota_tally(w->fleet, DEVICE_OTA_STAGED)->count, DEVICES);
  pass(w, 200000);
  assert_int_equal(online(w), DEVICES);
  assert_int_equal(starts, DEVICES + 1);
  assert_books_closed(w);
  end(w);
}

static void a_device_that_is_shelved_while_it_boots_stays_off(void **state)
{
  (void) state;
  struct world *w = while_they_boot();
  fleet_shelve(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 4000);
  assert_int_equal(starts, DEVICES);
  for (size_t i = 0; i < DEVICES; i++) assert_false(fleet_facts(w->fleet, i)->powered);
  fleet_wake(w->fleet, fleet_order(w->fleet), DEVICES, 0);
  pass(w, 100);
  assert_all(w, NEW, DEVICE_OTA_CONFIRMED);
  assert_int_equal(online(w), DEVICES);
  assert_books_closed(w);
  end(w);
}

static void a_device_that_loses_power_while_it_is_shelved_stays_off(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  fleet_set_telemetry(w->fleet,
                      &(struct fleet_telemetry){.on = true, .every_ms = 10, .bytes = 32, .qos = 1});
  offer(w);
  pass(w, 20);
  fleet_power_cut(w->fleet, fleet_order(w->fleet), DEVICES, &next_operation);
  fleet_shelve(w->fleet, fleet_order(w->fleet), DEVICES);
  pass(w, 5000);
  for (size_t i = 0; i < DEVICES; i++) assert_false(fleet_facts(w->fleet, i)->powered);
  assert_int_equal(starts, DEVICES);
  assert_books_closed(w);
  end(w);
}

static void the_end_of_the_plan_may_come_while_devices_boot(void **state)
{
  (void) state;
  struct world *w = while_they_boot();
  fleet_disconnect_all(w->fleet);
  pass(w, 3000);
  assert_int_equal(starts, DEVICES);
  assert_books_closed(w);
  end(w);
  w = while_they_boot();
  end(w); /* and nothing fires afterwards */
}

static void a_trespasser_tries_the_topics_of_updates_too(void **state)
{
  (void) state;
  struct world *w = new_world();
  connect_all(w);
  assert_int_equal(fleet_trespass(w->fleet, 3, 4), 0);
  assert_true(fleet_is_trespassing(w->fleet, 3));
  pass(w, 50);
  assert_false(fleet_is_trespassing(w->fleet, 3));
  assert_int_equal(value(w, METRIC_TRESPASS_ATTEMPTS), 23);
  say(w, 8, "?"); /* of nobody that is known */
  assert_int_equal(value(w, METRIC_TRESPASS_DELIVERED), 0);
  say(w, 4, "?");
  assert_int_equal(value(w, METRIC_TRESPASS_DELIVERED), 1);
  assert_int_equal(fleet_ota_facts(w->fleet, 4)->ota_status, DEVICE_OTA_BAD_MANIFEST);
  say(w, 4, "?");
  assert_int_equal(value(w, METRIC_TRESPASS_DELIVERED), 1);
  assert_int_equal(value(w, METRIC_OTA_REFUSED), 3);
  end(w);
}

static void a_fleet_that_takes_no_updates_has_no_such_facts(void **state)
{
  (void) state;
  struct world *w = new_world();
  struct fleet *with = w->fleet;
  assert_non_null(fleet_ota_facts(with, 0));
  size_t bytes = fleet_bytes_per_device(&puppet_ops, &(struct device_profile){.ota = NULL});
  static const struct device_ota_profile ota = {.slot_size = SLOT};
  assert_true(fleet_bytes_per_device(&puppet_ops, &(struct device_profile){.ota = &ota}) > bytes);
  end(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_update_is_loaded_tried_and_confirmed),
      cmocka_unit_test(modelled_times_of_an_update_are_of_its_bytes_and_words),
      cmocka_unit_test(a_restart_is_no_failure_and_the_plan_goes_on),
      cmocka_unit_test(a_device_that_restarts_keeps_its_session),
      cmocka_unit_test(the_power_may_fail_at_one_operation_after_the_other),
      cmocka_unit_test(devices_share_out_the_operations_at_which_the_power_fails),
      cmocka_unit_test(random_cuts_are_the_seeds),
      cmocka_unit_test(random_cuts_come_as_often_as_said),
      cmocka_unit_test(what_a_device_says_without_power_is_not_heard),
      cmocka_unit_test(after_a_power_cut_a_device_comes_back_by_its_policy),
      cmocka_unit_test(an_attempt_that_the_power_ends_is_booked),
      cmocka_unit_test(an_image_that_fails_its_test_is_rolled_back_once_each_time),
      cmocka_unit_test(an_image_that_crashes_is_rolled_back_and_that_is_no_power_cut),
      cmocka_unit_test(an_image_that_hangs_begins_no_attempt_and_its_watchdog_ends_it),
      cmocka_unit_test(a_device_without_an_image_is_bricked_and_told),
      cmocka_unit_test(a_paced_device_waits_for_its_flash),
      cmocka_unit_test(a_download_is_the_devices_own),
      cmocka_unit_test(a_download_needs_no_session_with_the_broker),
      cmocka_unit_test(a_device_has_one_download_and_may_leave_it),
      cmocka_unit_test(a_download_that_cannot_begin_ends_later_and_by_name),
      cmocka_unit_test(a_device_that_programs_takes_no_bytes),
      cmocka_unit_test(a_download_that_was_left_is_not_heard_of_again),
      cmocka_unit_test(a_power_cut_ends_a_download_in_the_middle_of_its_bytes),
      cmocka_unit_test(what_a_power_cut_took_of_a_download_is_sent_again),
      cmocka_unit_test(what_a_device_held_is_forgotten_in_a_restart),
      cmocka_unit_test(a_message_that_the_power_cut_short_was_never_sent),
      cmocka_unit_test(an_update_goes_on_offline),
      cmocka_unit_test(a_restart_in_the_midst_of_an_attempt_ends_one_attempt),
      cmocka_unit_test(a_plan_waits_for_a_device_that_boots),
      cmocka_unit_test(a_session_that_the_plan_would_end_later_comes_back_at_once),
      cmocka_unit_test(a_restart_before_the_first_attempt_is_due_makes_it_no_earlier),
      cmocka_unit_test(a_device_that_is_shelved_while_it_boots_stays_off),
      cmocka_unit_test(a_device_that_loses_power_while_it_is_shelved_stays_off),
      cmocka_unit_test(the_end_of_the_plan_may_come_while_devices_boot),
      cmocka_unit_test(a_trespasser_tries_the_topics_of_updates_too),
      cmocka_unit_test(a_fleet_that_takes_no_updates_has_no_such_facts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
