/* A plain body: memory for a page, a line to a peer, a clock that is a number. Each story below
 * boots a device from the factory's page and holds what it does against the header. */
#define _XOPEN_SOURCE 700 /* strdup */
#include "conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TICKS_MAX 64u /* until something happens that a client waits for */
#define PLACES    24u /* of one attempt at which it is disturbed */
#define LINE_MAX  32768u
#define NO_CUT    SIZE_MAX

enum disturbance { CLOSED, RESET, STOPPED, SILENCE, DISTURBANCES };

struct body {
  const struct conformance *it;
  struct device_config config;
  uint8_t *page;
  void *storage; /* NULL: no power */
  uint64_t now_ms;
  uint8_t out[2 * DEVICE_OUT_MIN];
  struct device_effects fx; /* of the latest step */
  void *link;               /* NULL: no transport */
  uint8_t line[LINE_MAX];   /* on its way to the device */
  size_t line_size;
  size_t chunk;                       /* most bytes of an event, either way; 0: all */
  size_t heard;                       /* bytes that the device was given in this attempt */
  size_t writes;                      /* to the page */
  size_t cut;                         /* the write in which the power fails */
  bool dark;                          /* it has failed */
  size_t loans, loan_bytes;           /* of the device now */
  size_t asked, refused;              /* how often for a loan; which of them it did not get */
  bool attempting;                    /* between START and ENDED */
  unsigned handshakes, onlines, ends; /* of the latest attempt */
  enum device_failure failure;
};

#define FAIL(b, ...)                         \
  do {                                       \
    print_error("%s: ", (b)->it->ops->name); \
    fail_msg(__VA_ARGS__);                   \
  } while (0)
#define REQUIRE(b, condition, sentence)                            \
  do {                                                             \
    if (!(condition)) FAIL(b, "%s: not %s", sentence, #condition); \
  } while (0)

/* --- Hooks ------------------------------------------------------------------------------------ */

static int hook_random(void *ctx, uint8_t *out, size_t size)
{
  static uint64_t state = 1;
  const struct body *b = ctx;
  for (size_t i = 0; i < size; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    out[i] = (uint8_t) (state >> 56);
  }
  return b->dark ? -1 : 0;
}

static int hook_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct body *b = ctx;
  if (b->dark || size > b->it->page_size || offset > b->it->page_size - size) return -1;
  memcpy(out, b->page + offset, size);
  return 0;
}

static int hook_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct body *b = ctx;
  if (b->dark || size > b->it->page_size || offset > b->it->page_size - size) return -1;
  b->dark = ++b->writes == b->cut;
  memcpy(b->page + offset, data, b->dark ? size / 2 : size);
  return b->dark ? -1 : 0;
}

static void *hook_lend(void *ctx, size_t size)
{
  struct body *b = ctx;
  REQUIRE(b, b->it->profile->borrows, "it borrows where it may");
  REQUIRE(b, size > 0 && b->loans < 2 && b->loan_bytes + size <= 8192,
          "it borrows no more than it may");
  if (++b->asked == b->refused) return NULL;
  void *room = malloc(size);
  assert_non_null(room);
  memset(room, 0xa5, size);
  b->loans++;
  b->loan_bytes += size;
  return room;
}

static void hook_give_back(void *ctx, void *room, size_t size)
{
  struct body *b = ctx;
  REQUIRE(b, b->loans > 0 && b->loan_bytes >= size, "it gives back what it has borrowed");
  b->loans--;
  b->loan_bytes -= size;
  memset(room, 0x5a, size); /* of that size: a sanitizer sees */
  free(room);
}

static void on_note(void *ctx, const struct device_note *note)
{
  struct body *b = ctx;
  if (b->dark) return;
  switch (note->kind) {
  case DEVICE_NOTE_HANDSHAKE:
    REQUIRE(b, b->attempting && b->handshakes == 0, "one HANDSHAKE an attempt");
    b->handshakes++;
    break;
  case DEVICE_NOTE_ONLINE:
    REQUIRE(b, b->attempting && b->onlines == 0, "one ONLINE an attempt");
    REQUIRE(b, b->handshakes == 1, "HANDSHAKE comes before ONLINE");
    b->onlines++;
    break;
  case DEVICE_NOTE_READY: REQUIRE(b, b->onlines == 1, "ONLINE comes before READY"); break;
  case DEVICE_NOTE_ENDED:
    REQUIRE(b, b->attempting, "one ENDED an attempt");
    REQUIRE(b, note->failure > DEVICE_FAIL_NONE && note->failure < DEVICE_FAIL_COUNT,
            "an end has a name");
    b->attempting = false;
    b->ends++;
    b->failure = note->failure;
    break;
  default: break;
  }
}

/* --- Power ------------------------------------------------------------------------------------ */

static void hang_up(struct body *b)
{
  if (b->link != NULL) b->it->peer.close(b->link);
  b->link = NULL;
  b->line_size = 0;
}

static void power_off(struct body *b)
{
  if (b->storage == NULL) return;
  b->it->ops->destroy(b->storage);
  REQUIRE(b, b->loans == 0, "a device without power has borrowed nothing");
  free(b->storage);
  b->storage = NULL;
  b->attempting = false;
  hang_up(b);
}

/* What a device finds in its storage is not zero. */
static int power_on(struct body *b)
{
  size_t size = b->it->ops->storage_size(b->it->profile);
  b->dark = false;
  b->storage = malloc(size);
  assert_non_null(b->storage);
  memset(b->storage, 0xa5, size);
  int result = b->it->ops->create(b->storage, &b->config);
  if (result == 0) return 0;
  REQUIRE(b, result > -(int) DEVICE_FAIL_COUNT && result < 0, "create fails with a failure's code");
  free(b->storage); /* nothing in it must be released: a sanitizer sees */
  b->storage = NULL;
  return result;
}

static void restart(struct body *b)
{
  power_off(b);
  b->cut = NO_CUT;
  REQUIRE(b, power_on(b) == 0, "a device boots");
}

/* --- Steps ------------------------------------------------------------------------------------ */

static void check_fetch(struct body *b)
{
  const struct device_fetch *fetch = b->fx.fetch;
  if (fetch == NULL) return;
  REQUIRE(b, memchr(fetch->url, '\0', DEVICE_OTA_URL_MAX) != NULL, "a URL ends within its limit");
  REQUIRE(b, strncmp(fetch->url, "https://", 8) == 0, "a URL is of HTTPS");
  REQUIRE(b, fetch->size_max > 0, "a download has room for something");
}

static void take_answer(struct body *b, const uint8_t *data, size_t size)
{
  b->line_size +=
      b->it->peer.talk(b->link, data, size, b->line + b->line_size, sizeof b->line - b->line_size);
}

static void send(struct body *b)
{
  size_t most = b->chunk == 0 ? b->fx.out_size : b->chunk;
  for (size_t at = 0, n; at < b->fx.out_size; at += n) {
    n = b->fx.out_size - at < most ? b->fx.out_size - at : most;
    take_answer(b, b->out + at, n);
  }
}

/* Effects that a step leaves as it found them are garbage. */
static void feed(struct body *b, struct device_event event)
{
  bool idle = !b->attempting, starts = event.kind == DEVICE_START && idle;
  event.now_ms = b->now_ms;
  event.unix_s = b->it->unix_s;
  memset(&b->fx, 0xff, sizeof b->fx);
  memset(&b->fx.connect, 1, sizeof b->fx.connect);
  b->fx.out = b->out;
  b->fx.out_capacity = sizeof b->out;
  if (starts) b->attempting = true, b->handshakes = b->onlines = b->ends = 0, b->heard = 0;
  b->it->ops->step(b->storage, &event, &b->fx);
  if (b->dark) return;
  REQUIRE(b, b->fx.out == b->out && b->fx.out_capacity == sizeof b->out, "the room is the body's");
  REQUIRE(b, b->fx.out_size <= sizeof b->out, "no more bytes than there is room for");
  REQUIRE(b, b->fx.out_size == 0 || b->link != NULL, "no bytes without a transport");
  REQUIRE(b, !b->fx.connect || starts, "only START opens a transport");
  REQUIRE(b, !b->fx.close || b->ends > 0, "who closes has ended the attempt");
  check_fetch(b);
  if (b->link != NULL) send(b);
  if (b->fx.close) hang_up(b);
  /* a note that an attempt is over comes in the step that ends it */
  if (!b->attempting && !idle && event.kind == DEVICE_CLOSED) hang_up(b);
}

static void tick_now(struct body *b)
{
  feed(b, (struct device_event){.kind = DEVICE_TICK});
}

static void boot(struct body *b)
{
  REQUIRE(b, power_on(b) == 0, "a device boots from the factory's page");
  tick_now(b);
}

/* To its deadline, before which it has nothing to say. */
static void wait(struct body *b)
{
  REQUIRE(b, b->fx.deadline_ms != DEVICE_NEVER, "who waits has a deadline");
  if (b->fx.deadline_ms > b->now_ms + 1) {
    unsigned ends = b->ends;
    uint64_t deadline_ms = b->fx.deadline_ms;
    b->now_ms = deadline_ms - 1;
    tick_now(b);
    REQUIRE(b, b->ends == ends && b->fx.out_size == 0 && !b->fx.close && !b->fx.reboot,
            "nothing happens before the deadline");
    REQUIRE(b, b->fx.deadline_ms <= deadline_ms, "a deadline does not move while nothing happens");
  }
  if (b->fx.deadline_ms > b->now_ms) b->now_ms = b->fx.deadline_ms;
  tick_now(b);
}

/* What is on the line reaches the device, up to `limit` bytes of the attempt. */
static void pump(struct body *b, size_t limit)
{
  while (b->line_size > 0 && b->heard < limit && !b->dark) {
    uint8_t data[LINE_MAX];
    size_t n = b->line_size;
    if (b->chunk != 0 && n > b->chunk) n = b->chunk;
    if (n > limit - b->heard) n = limit - b->heard;
    memcpy(data, b->line, n);
    b->line_size -= n;
    memmove(b->line, b->line + n, b->line_size);
    b->heard += n;
    feed(b, (struct device_event){.kind = DEVICE_BYTES, .bytes = {data, n}});
  }
}

static void start(struct body *b, uint8_t endpoint)
{
  feed(b, (struct device_event){.kind = DEVICE_START, .start.endpoint = endpoint});
  if (b->dark) return;
  REQUIRE(b, b->fx.connect && b->fx.endpoint == endpoint,
          "START opens a transport to its endpoint");
  REQUIRE(b, !b->fx.close && b->fx.out_size == 0, "START does no more than that");
}

static void open(struct body *b)
{
  b->link = b->it->peer.open(b->it->ctx);
  feed(b, (struct device_event){.kind = DEVICE_OPENED});
}

static void connect(struct body *b)
{
  start(b, 0);
  if (!b->dark) open(b);
  if (!b->dark) pump(b, SIZE_MAX);
  if (b->dark) return;
  if (b->ends > 0) FAIL(b, "it did not come online: %s", device_failure_name(b->failure));
  REQUIRE(b, b->onlines == 1, "it comes online");
}

static void leave(struct body *b)
{
  feed(b, (struct device_event){.kind = DEVICE_STOP});
  if (b->dark) return;
  REQUIRE(b, b->fx.close, "STOP closes the transport");
  REQUIRE(b, b->ends == 1 && b->failure == DEVICE_FAIL_SESSION_STOPPED,
          "a session that is stopped ends as stopped");
}

/* --- Stories ---------------------------------------------------------------------------------- */

static struct body *begin(const struct conformance *it)
{
  struct body *b = calloc(1, sizeof *b);
  assert_non_null(b);
  b->it = it;
  b->now_ms = 100000;
  b->cut = NO_CUT;
  b->page = malloc(it->page_size);
  assert_non_null(b->page);
  memcpy(b->page, it->page, it->page_size);
  b->config = (struct device_config){.profile = it->profile,
                                     .endpoints = it->endpoints,
                                     .endpoint_count = it->endpoint_count,
                                     .host = {.ctx = b,
                                              .random = hook_random,
                                              .nvm_read = hook_read,
                                              .nvm_write = hook_write,
                                              .observe = on_note,
                                              .lend = hook_lend,
                                              .give_back = hook_give_back}};
  return b;
}

static void end(struct body *b)
{
  power_off(b);
  free(b->page);
  free(b);
}

static void goes_online_and_leaves(const struct conformance *it, size_t chunk)
{
  struct body *b = begin(it);
  b->chunk = chunk;
  boot(b);
  for (int times = 0; times < 2; times++) {
    connect(b);
    leave(b);
  }
  connect(b);
  end(b); /* the power goes in a session */
}

static void publish_telemetry(struct body *b)
{
  feed(b, (struct device_event){
              .kind = DEVICE_PUBLISH,
              .publish = {.payload = (const uint8_t *) "x", .size = 1, .tag = 1, .qos = 0}});
  REQUIRE(b, b->fx.accepted, "a message at QoS 0 is taken in a session");
}

static void expect_names(struct body *b, const char *client_id, const char *trust, const char *up)
{
  bool (*heard)(void *, const char *) = b->it->peer.heard; /* of broker_heard, for one */
  boot(b);
  connect(b);
  publish_telemetry(b);
  REQUIRE(b, heard(b->link, client_id), "CONNECT has the client id that it was given");
  REQUIRE(b, heard(b->link, trust), "what it listens to is behind its root");
  REQUIRE(b, heard(b->link, up), "a message without a topic is telemetry");
  leave(b);
}

/* Without names of the body it goes by the one of its page. */
static void goes_by_its_names(const struct conformance *it)
{
  static const struct device_naming naming = {
      .client_id = "client 7", .root = "acme/pumps/7/", .telemetry = "acme/v1/7/up"};
  char trust[DEVICE_TOPIC_MAX], up[DEVICE_TOPIC_MAX];
  struct body *b = begin(it);
  b->config.naming = &naming;
  expect_names(b, "client 7", "acme/pumps/7/trust", "acme/v1/7/up");
  end(b);
  b = begin(it);
  boot(b);
  const char *name = it->ops->device_name(b->storage);
  REQUIRE(b, device_name_is_good(name), "a device has a name");
  snprintf(trust, sizeof trust, "private/%s/trust", name);
  snprintf(up, sizeof up, "private/%s/telemetry", name);
  char *client_id = strdup(name);
  power_off(b);
  expect_names(b, client_id, trust, up);
  free(client_id);
  end(b);
}

static void each_endpoint_is_dialled(const struct conformance *it)
{
  struct body *b = begin(it);
  boot(b);
  for (uint8_t e = 0; e < it->endpoint_count; e++) {
    start(b, e);
    feed(b, (struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_REFUSED});
    REQUIRE(b, b->ends == 1 && b->failure == DEVICE_FAIL_TCP_REFUSED,
            "a transport that did not open ends the attempt with its cause");
  }
  end(b);
}

static void disturb(struct body *b, enum disturbance how)
{
  switch (how) {
  case CLOSED: feed(b, (struct device_event){.kind = DEVICE_CLOSED}); break;
  case RESET:
    feed(b, (struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_RESET});
    break;
  case STOPPED: feed(b, (struct device_event){.kind = DEVICE_STOP}); break;
  default:
    for (unsigned t = 0; t < TICKS_MAX && b->attempting && b->onlines == 0; t++) wait(b);
    if (b->attempting) leave(b); /* a live session may last */
    break;
  }
}

/* The attempt ended, in the one way that fits what it had come to; and the next one goes well. */
static void ends_well(struct body *b, size_t heard)
{
  enum device_failure f = b->failure;
  if (b->ends != 1) FAIL(b, "after %zu bytes the attempt did not end", heard);
  bool before = f >= DEVICE_FAIL_CONNECT_FIRST && f <= DEVICE_FAIL_CONNECT_LAST;
  if (before == (b->onlines > 0))
    FAIL(b, "after %zu bytes and %u CONNACK it ended as %s", heard, b->onlines,
         device_failure_name(f));
  hang_up(b);
  if (b->fx.deadline_ms == DEVICE_NEVER) return;
  wait(b); /* for what is left to do without a transport: nothing of the attempt */
  if (b->fx.reboot) restart(b);
  tick_now(b);
}

static void is_disturbed_wherever_it_is(const struct conformance *it, enum disturbance how)
{
  struct body *b = begin(it);
  boot(b);
  connect(b);
  size_t all = b->heard, step = all / PLACES + 1;
  leave(b);
  for (size_t heard = 0; heard <= all; heard += step) {
    start(b, 0);
    open(b);
    pump(b, heard);
    b->line_size = 0;
    disturb(b, how);
    ends_well(b, heard);
  }
  start(b, 0); /* before there is a transport */
  disturb(b, how);
  ends_well(b, 0);
  connect(b);
  end(b);
}

/* Events that come about although they do not fit; `idle`: without an attempt. */
static void ignores_what_does_not_fit(const struct conformance *it)
{
  static const uint8_t data[] = {1, 2, 3};
  const struct device_event strays[] = {
      {.kind = DEVICE_OPENED},
      {.kind = DEVICE_BYTES, .bytes = {data, sizeof data}},
      {.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_RESET},
      {.kind = DEVICE_STOP},
      {.kind = DEVICE_FETCHED, .bytes = {data, sizeof data}},
      {.kind = DEVICE_FETCH_ENDED, .fetched.cause = DEVICE_OTA_SERVER_CUT},
  };
  struct body *b = begin(it);
  boot(b);
  for (size_t s = 0; s < sizeof strays / sizeof *strays; s++) {
    feed(b, strays[s]);
    REQUIRE(b, b->ends == 0 && !b->fx.reboot && b->fx.out_size == 0, "an idle device ignores it");
  }
  connect(b);
  feed(b, (struct device_event){.kind = DEVICE_START});
  REQUIRE(b, b->attempting && b->ends == 0 && !b->fx.connect, "START is ignored unless idle");
  for (size_t s = 4; s < sizeof strays / sizeof *strays; s++) {
    feed(b, strays[s]);
    REQUIRE(b, b->attempting && b->ends == 0, "a download that is not its own ends no session");
  }
  leave(b);
  end(b);
}

static void needs_no_observer(const struct conformance *it)
{
  struct body *b = begin(it);
  b->config.host.observe = NULL;
  boot(b);
  start(b, 0);
  open(b);
  pump(b, SIZE_MAX);
  b->ends = 1; /* nobody says so */
  feed(b, (struct device_event){.kind = DEVICE_STOP});
  REQUIRE(b, b->fx.close, "STOP closes the transport");
  end(b);
}

static void does_not_boot_from_memory_that_cannot_be_read(const struct conformance *it)
{
  struct body *b = begin(it);
  b->config.host.ctx = &(struct body){.it = it, .dark = true};
  REQUIRE(b, power_on(b) < 0, "create fails where its memory does");
  end(b);
}

/* --- Restarts and downloads ------------------------------------------------------------------- */

static bool left_alone_until(struct body *b, bool (*happened)(const struct device_effects *fx))
{
  for (unsigned t = 0; t < TICKS_MAX && !b->dark; t++) {
    if (happened(&b->fx)) return true;
    wait(b);
  }
  return !b->dark && happened(&b->fx);
}

static bool wants_restart(const struct device_effects *fx)
{
  return fx->reboot;
}

static bool wants_fetch(const struct device_effects *fx)
{
  return fx->fetch != NULL;
}

static void restarts_when_it_says_so(const struct conformance *it)
{
  struct body *b = begin(it);
  boot(b);
  REQUIRE(b, left_alone_until(b, wants_restart), "it asks for a restart without a transport");
  restart(b);
  tick_now(b);
  connect(b);
  leave(b);
  REQUIRE(b, left_alone_until(b, wants_restart), "and after a session");
  restart(b);
  end(b);
}

/* The whole of what it wants, a byte at a time, or until it has enough. */
static void serve(struct body *b)
{
  uint32_t size = b->fx.fetch->size_max;
  for (uint32_t i = 0; i < size; i++) {
    feed(b, (struct device_event){.kind = DEVICE_FETCHED, .bytes = {(const uint8_t *) "x", 1}});
    if (b->dark || b->fx.fetch_abort || b->fx.fetch != NULL || b->fx.reboot) return;
  }
  feed(b, (struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = DEVICE_OTA_NONE});
}

static void fetches_when_it_says_so(const struct conformance *it)
{
  struct body *b = begin(it);
  boot(b);
  for (int cause = DEVICE_OTA_SERVER_FIRST; cause <= DEVICE_OTA_SERVER_LAST; cause++) {
    REQUIRE(b, left_alone_until(b, wants_fetch), "it asks for a file without a transport");
    feed(b, (struct device_event){.kind = DEVICE_FETCH_ENDED,
                                  .fetched.cause = (enum device_ota_status) cause});
  }
  connect(b);
  REQUIRE(b, left_alone_until(b, wants_fetch), "it asks again, and with one");
  serve(b);
  if (b->fx.reboot) restart(b);
  end(b);
}

/* --- Power cuts ------------------------------------------------------------------------------- */

static void live(struct body *b)
{
  if (power_on(b) != 0) return;
  tick_now(b);
  for (int times = 0; times < 2 && !b->dark; times++) {
    connect(b);
    if (!b->dark) leave(b);
  }
  if (b->it->fetches && !b->dark && left_alone_until(b, wants_fetch)) serve(b);
}

static void survives_a_power_cut_in_every_write(const struct conformance *it)
{
  struct body *b = begin(it);
  live(b);
  REQUIRE(b, b->storage != NULL && !b->dark, "nothing is cut yet");
  size_t writes = b->writes;
  char *name = strdup(it->ops->device_name(b->storage));
  end(b);
  for (size_t w = 1; w <= writes; w++) {
    b = begin(it);
    b->cut = w;
    live(b);
    REQUIRE(b, b->dark, "the power has failed");
    b->dark = false;
    restart(b);
    REQUIRE(b, strcmp(it->ops->device_name(b->storage), name) == 0, "a device stays who it is");
    tick_now(b);
    connect(b);
    leave(b);
    end(b);
  }
  free(name);
}

/* --- Loans ------------------------------------------------------------------------------------ */

static bool publish_surely(struct body *b)
{
  feed(b, (struct device_event){
              .kind = DEVICE_PUBLISH,
              .publish = {.payload = (const uint8_t *) "x", .size = 1, .tag = 1, .qos = 1}});
  return b->fx.accepted;
}

/* True: all of it went well. */
static bool tries(struct body *b)
{
  start(b, 0);
  open(b);
  pump(b, SIZE_MAX);
  if (b->ends > 0) return false;
  bool taken = publish_surely(b);
  if (b->ends == 0) pump(b, SIZE_MAX);
  if (b->ends > 0) return false;
  leave(b);
  return taken;
}

/* What it does not get it does without, or ends the attempt by name; the next one is as good as
   ever. */
static void gets_over_each_loan_that_is_refused(const struct conformance *it)
{
  size_t asked = 1;
  for (size_t n = 0; n <= asked; n++) {
    struct body *b = begin(it);
    b->refused = n;
    boot(b);
    bool well = tries(b);
    REQUIRE(b, well == (n == 0), "who is refused a loan goes without something");
    if (n == 0) asked = b->asked;
    REQUIRE(b, asked > 0 && asked < 1000, "it borrows now and then");
    connect(b);
    leave(b);
    end(b);
  }
}

void conformance_run(const struct conformance *it)
{
  if (it->peer.heard != NULL) goes_by_its_names(it);
  goes_online_and_leaves(it, 0);
  goes_online_and_leaves(it, 1);
  each_endpoint_is_dialled(it);
  for (int how = 0; how < DISTURBANCES; how++)
    is_disturbed_wherever_it_is(it, (enum disturbance) how);
  ignores_what_does_not_fit(it);
  needs_no_observer(it);
  does_not_boot_from_memory_that_cannot_be_read(it);
  if (it->restarts) restarts_when_it_says_so(it);
  if (it->fetches) fetches_when_it_says_so(it);
  survives_a_power_cut_in_every_write(it);
  if (it->profile->borrows) gets_over_each_loan_that_is_refused(it);
}
