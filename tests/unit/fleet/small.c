/* Two small clients beside the built-in one. The happy path: START, OPENED -> "hello", "welcome" ->
 * ONLINE. Whatever ends that is one ENDED; the watchdog and the fetch go on without a transport.
 */
#include "small.h"

#include <string.h>

#define ATTEMPT_MS 1000u
#define LINE_MAX   16u
#define SLOT       32u /* of two in the page: the newest one whose check fits is in force */

enum state { IDLE, OPENING, GREETING, LIVE };

struct client {
  struct device_config config;
  struct small_memory memory;
  uint32_t sequence; /* of the slot in force */
  enum state state;
  uint64_t now_ms, attempt_ms, alarm_ms; /* 0: not set yet; DEVICE_NEVER */
  bool fetches;                          /* else it is the one with the watchdog */
  bool fetching;
  char line[LINE_MAX];
  size_t line_size;
};

/* --- Memory: the old state or the new, wherever the power fails ------------------------------- */

static uint32_t get(const uint8_t *from)
{
  return (uint32_t) from[0] << 24 | (uint32_t) from[1] << 16 | (uint32_t) from[2] << 8 | from[3];
}

static void put(uint8_t *to, uint32_t value)
{
  for (int i = 3; i >= 0; i--, value >>= 8) to[i] = (uint8_t) value;
}

static uint32_t check_of(const uint8_t slot[SLOT])
{
  uint32_t check = 2166136261u;
  for (size_t i = 0; i < SLOT - 4; i++) check = (check ^ slot[i]) * 16777619u;
  return check;
}

/* 0: the slot was never written, or not to its end. */
static uint32_t read_slot(const uint8_t slot[SLOT], struct small_memory *out)
{
  if (get(slot + SLOT - 4) != check_of(slot)) return 0;
  *out = (struct small_memory){
      .starts = get(slot + 4), .fetched = get(slot + 8), .whole = slot[12] != 0};
  return get(slot);
}

static uint32_t read_page(const uint8_t page[SMALL_PAGE], struct small_memory *out)
{
  struct small_memory memory[2] = {{0, 0, false}, {0, 0, false}};
  uint32_t a = read_slot(page, &memory[0]), b = read_slot(page + SLOT, &memory[1]);
  *out = memory[b > a];
  return a > b ? a : b;
}

struct small_memory small_memory(const uint8_t page[SMALL_PAGE])
{
  struct small_memory memory;
  (void) read_page(page, &memory);
  return memory;
}

static int store(struct client *c)
{
  uint8_t slot[SLOT] = {0};
  uint32_t sequence = c->sequence + 1;
  put(slot, sequence);
  put(slot + 4, c->memory.starts);
  put(slot + 8, c->memory.fetched);
  slot[12] = c->memory.whole;
  put(slot + SLOT - 4, check_of(slot));
  /* slots take turns: B has the odd sequences */
  if (c->config.host.nvm_write(c->config.host.ctx, sequence % 2 * SLOT, slot, SLOT) != 0) return -1;
  c->sequence = sequence;
  return 0;
}

/* --- Connections ------------------------------------------------------------------------------ */

static void say(const struct client *c, struct device_note note)
{
  if (c->config.host.observe != NULL) c->config.host.observe(c->config.host.ctx, &note);
}

static void send_line(struct device_effects *fx, const char *line)
{
  memcpy(fx->out + fx->out_size, line, strlen(line));
  fx->out_size += strlen(line);
}

static void end(struct client *c, enum device_failure failure)
{
  c->state = IDLE;
  c->attempt_ms = DEVICE_NEVER;
  c->line_size = 0;
  if (!c->fetches) c->alarm_ms = c->now_ms + SMALL_WATCHDOG_MS;
  say(c, (struct device_note){.kind = DEVICE_NOTE_ENDED, .failure = failure});
}

static void leave(struct client *c, enum device_failure attempt, enum device_failure session,
                  struct device_effects *fx)
{
  bool live = c->state == LIVE;
  fx->close = true;
  end(c, live ? session : attempt);
}

static void restart(struct client *c, struct device_effects *fx)
{
  if (c->state != IDLE) leave(c, DEVICE_FAIL_STOPPED, DEVICE_FAIL_SESSION_STOPPED, fx);
  fx->reboot = true;
}

static void go_online(struct client *c)
{
  c->state = LIVE;
  c->attempt_ms = DEVICE_NEVER;
  if (!c->fetches) c->alarm_ms = DEVICE_NEVER;
  say(c, (struct device_note){.kind = DEVICE_NOTE_HANDSHAKE});
  say(c, (struct device_note){.kind = DEVICE_NOTE_ONLINE});
}

static void take_line(struct client *c, struct device_effects *fx)
{
  if (c->state == GREETING && strcmp(c->line, "welcome") == 0)
    go_online(c);
  else if (c->state == LIVE && strcmp(c->line, "restart") == 0)
    restart(c, fx);
  else
    leave(c, DEVICE_FAIL_MQTT_PROTOCOL, DEVICE_FAIL_SESSION_PROTOCOL, fx);
}

static void take_bytes(struct client *c, const uint8_t *data, size_t size,
                       struct device_effects *fx)
{
  for (size_t i = 0; i < size && (c->state == GREETING || c->state == LIVE); i++) {
    bool whole = data[i] == '\n';
    c->line[c->line_size++] = whole ? '\0' : (char) data[i];
    if (!whole && c->line_size < LINE_MAX) continue;
    c->line[LINE_MAX - 1] = '\0';
    c->line_size = 0;
    take_line(c, fx);
  }
}

/* --- What needs no transport ------------------------------------------------------------------ */

static void fetch(struct client *c, struct device_effects *fx)
{
  static struct device_fetch wanted = {.url = SMALL_URL, .size_max = SMALL_FILE_SIZE};
  wanted.offset = c->memory.fetched;
  wanted.size_max = SMALL_FILE_SIZE - c->memory.fetched;
  c->alarm_ms = DEVICE_NEVER;
  c->fetching = true;
  fx->fetch = &wanted;
}

static void take_fetched(struct client *c, size_t size, struct device_effects *fx)
{
  if (!c->fetching) return;
  c->memory.fetched += (uint32_t) size;
  if (c->memory.fetched <= SMALL_FILE_SIZE && store(c) == 0) return;
  c->fetching = false;
  c->alarm_ms = c->now_ms + SMALL_FETCH_MS;
  c->memory.fetched = 0;
  fx->fetch_abort = true;
}

static void end_fetch(struct client *c, enum device_ota_status cause, struct device_effects *fx)
{
  if (!c->fetching) return;
  c->fetching = false;
  c->alarm_ms = c->now_ms + SMALL_FETCH_MS;
  c->memory.whole = cause == DEVICE_OTA_NONE && c->memory.fetched == SMALL_FILE_SIZE;
  if (!c->memory.whole || store(c) != 0) return;
  restart(c, fx); /* what was fetched holds from the next start on */
}

static void wake(struct client *c, struct device_effects *fx)
{
  if (c->now_ms >= c->attempt_ms)
    leave(c, c->state == OPENING ? DEVICE_FAIL_TCP_TIMEOUT : DEVICE_FAIL_MQTT_TIMEOUT,
          DEVICE_FAIL_SESSION_ACK, fx);
  if (c->now_ms < c->alarm_ms) return;
  if (c->fetches)
    fetch(c, fx);
  else
    restart(c, fx);
}

/* The first step tells the time: what is due after a start is due from then on. */
static void begin(struct client *c)
{
  if (c->alarm_ms != 0) return;
  c->alarm_ms = c->now_ms + (c->fetches ? SMALL_FETCH_MS : SMALL_WATCHDOG_MS);
  if (c->fetches && c->memory.whole) c->alarm_ms = DEVICE_NEVER;
}

/* --- The interface ---------------------------------------------------------------------------- */

static void step(void *storage, const struct device_event *event, struct device_effects *fx)
{
  struct client *c = storage;
  *fx = (struct device_effects){.out = fx->out, .out_capacity = fx->out_capacity};
  c->now_ms = event->now_ms;
  begin(c);
  switch (event->kind) {
  case DEVICE_START:
    if (c->state != IDLE) break;
    c->state = OPENING;
    c->attempt_ms = c->now_ms + ATTEMPT_MS;
    fx->connect = true;
    fx->endpoint = event->start.endpoint;
    break;
  case DEVICE_OPENED:
    if (c->state != OPENING) break;
    c->state = GREETING;
    send_line(fx, "hello\n");
    break;
  case DEVICE_BYTES: take_bytes(c, event->bytes.data, event->bytes.size, fx); break;
  case DEVICE_CLOSED:
    if (c->state == IDLE) break;
    end(c, c->state == LIVE                          ? DEVICE_FAIL_SESSION_CLOSED
           : event->closed.cause == DEVICE_FAIL_NONE ? DEVICE_FAIL_TCP_CLOSED
                                                     : event->closed.cause);
    break;
  case DEVICE_STOP:
    if (c->state != IDLE) leave(c, DEVICE_FAIL_STOPPED, DEVICE_FAIL_SESSION_STOPPED, fx);
    break;
  case DEVICE_TICK: wake(c, fx); break;
  case DEVICE_FETCHED: take_fetched(c, event->bytes.size, fx); break;
  case DEVICE_FETCH_ENDED: end_fetch(c, event->fetched.cause, fx); break;
  case DEVICE_PUBLISH:
    fx->accepted = c->state == LIVE;
    if (!fx->accepted) break;
    send_line(fx, "message\n");
    /* nobody confirms what is of a higher QoS: it is held until the next restart */
    if (event->publish.qos == 0)
      say(c, (struct device_note){.kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag});
    break;
  case DEVICE_SUBSCRIBE: break; /* never taken */
  }
  fx->deadline_ms = c->attempt_ms < c->alarm_ms ? c->attempt_ms : c->alarm_ms;
}

static int create(void *storage, const struct device_config *config, bool fetches)
{
  uint8_t page[SMALL_PAGE];
  struct client *c = storage;
  *c = (struct client){.config = *config, .attempt_ms = DEVICE_NEVER, .fetches = fetches};
  if (config->host.nvm_read(config->host.ctx, 0, page, sizeof page) != 0)
    return -DEVICE_FAIL_DEVICE_NVM;
  c->sequence = read_page(page, &c->memory);
  c->memory.starts++;
  return store(c) == 0 ? 0 : -DEVICE_FAIL_DEVICE_NVM;
}

static int create_watchdog(void *storage, const struct device_config *config)
{
  return create(storage, config, false);
}

static int create_fetcher(void *storage, const struct device_config *config)
{
  return create(storage, config, true);
}

static size_t storage_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct client);
}

static void destroy(void *storage)
{
  memset(storage, 0, sizeof(struct client));
}

static const char *device_name(const void *storage)
{
  (void) storage;
  return "small";
}

static uint32_t trust_version(const void *storage)
{
  (void) storage;
  return 0;
}

static const char *state_name(uint8_t state)
{
  (void) state;
  return "unknown";
}

const struct device_ops small_watchdog = {.name = "watchdog",
                                          .tls_library = "none",
                                          .storage_size = storage_size,
                                          .create = create_watchdog,
                                          .step = step,
                                          .destroy = destroy,
                                          .device_name = device_name,
                                          .trust_version = trust_version,
                                          .state_name = state_name};

const struct device_ops small_fetcher = {.name = "fetcher",
                                         .tls_library = "none",
                                         .storage_size = storage_size,
                                         .create = create_fetcher,
                                         .step = step,
                                         .destroy = destroy,
                                         .device_name = device_name,
                                         .trust_version = trust_version,
                                         .state_name = state_name};
