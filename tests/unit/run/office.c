/* The back office (office/office.h) in memory: it connects to the first broker that takes it, tries
 * again every second, pushes, and keeps the ledgers that the books of a run are checked against.
 * What cannot be sent waits, but for QoS 0. There is one at a time; what is under way when it stops
 * is of an earlier life. */
#define _POSIX_C_SOURCE 200809L
#include "office/office.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "site.h"
#include "wire.h"

#define SECOND_US      1000000u
#define CONNECT_US     5000u
#define LATENCIES_MAX  65536u
#define EVENTS_MAX     4096u
#define BLOCKS_AT_ONCE 64u

struct out {
  struct out *next;
  uintptr_t life;
  char topic[80];
  uint8_t qos;
  bool keep;
  size_t size;
  uint8_t data[];
};

struct office {
  struct office_config config;
  uint16_t port[1 + OFFICE_OTHERS_MAX];
  size_t port_count;
  struct broker *at; /* NULL: it is not connected */
  struct ledger *ledgers;
  struct office_event event[EVENTS_MAX];
  size_t first, count;
  struct office_tally tally;
  size_t pending;
  struct out *waiting, **waiting_end;
  uint32_t latency[LATENCIES_MAX];
  size_t latency_count;
  unsigned silent_s;
  struct blocks_book book; /* of images, that devices wait for */
  uint64_t not_before_us;
};

static struct office the;
static uintptr_t life;

static void put(struct office_event event)
{
  assert(the.count < EVENTS_MAX);
  the.event[(the.first + the.count++) % EVENTS_MAX] = event;
  the.config.wake(the.config.ctx); /* run/setup.c */
}

static void put_text(enum office_event_kind kind, const char *text)
{
  struct office_event event = {.kind = kind, .index = SIZE_MAX};
  snprintf(event.text, sizeof event.text, "%s", text);
  put(event);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void arrive(void *ctx)
{
  struct out *out = ctx;
  if (out->life != life) {
    free(out);
    return;
  }
  if (the.at == NULL && out->qos > 0) {
    out->next = NULL;
    *the.waiting_end = out;
    the.waiting_end = &out->next;
    return;
  }
  if (the.at != NULL) site_publish(the.at, out->topic, out->data, out->size, out->qos, out->keep);
  the.pending--;
  free(out);
}

static void send_waiting(void)
{
  struct out *out = the.waiting;
  the.waiting = NULL;
  the.waiting_end = &the.waiting;
  for (struct out *next; out != NULL; out = next) {
    next = out->next;
    clock_in(WIRE_US, arrive, out);
  }
}

static int dispatch(size_t index, const char *suffix, const void *data, size_t size, uint8_t qos,
                    bool keep)
{
  struct out *out = calloc(1, sizeof *out + size);
  assert(out != NULL && index < the.config.device_count);
  struct names_device to = names_of(the.config.names, index);
  snprintf(out->topic, sizeof out->topic, "%s%s", to.root, suffix);
  out->life = life;
  out->qos = qos;
  out->keep = keep;
  out->size = size;
  if (size > 0) memcpy(out->data, data, size);
  the.pending++;
  bool block = strcmp(suffix, "ota/block") == 0; /* hundreds of them */
  if (!block) trace_say("operator", "to %s: %s", to.name, suffix);
  clock_in(WIRE_US, arrive, out);
  return 0;
}

int office_push(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  (void) op, (void) error;
  return dispatch(index, suffix, data, size, 1, false);
}

int office_send(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  (void) op, (void) error;
  return dispatch(index, suffix, data, size, 0, false);
}

int office_keep(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  (void) op, (void) error;
  return dispatch(index, suffix, data, size, 1, true);
}

size_t office_pending(struct office *op)
{
  return op->pending;
}

/* --- Connecting ------------------------------------------------------------------------------- */

static void try_to_connect(void *ctx)
{
  if ((uintptr_t) ctx != life || the.at != NULL) return;
  for (size_t i = 0; i < the.port_count && the.at == NULL; i++) {
    struct broker *broker = site_at(the.port[i]);
    bool may = clock_now_us() >= the.not_before_us && broker != NULL;
    if (may && site_attach(broker)) the.at = broker;
  }
  if (the.at == NULL) {
    put_text(OFFICE_FAILED, "");
    clock_in(SECOND_US, try_to_connect, ctx);
    return;
  }
  the.silent_s = 0;
  put_text(OFFICE_CONNECTED, "");
  send_waiting();
}

static void lose(const char *why)
{
  the.at = NULL;
  put_text(OFFICE_LOST, why);
  clock_in(SECOND_US, try_to_connect, (void *) life);
}

/* Its keep-alive. */
static void beat(void *ctx)
{
  unsigned patience_s = the.config.keep_alive_s != 0 ? the.config.keep_alive_s : 20;
  if ((uintptr_t) ctx != life) return;
  the.silent_s = the.at != NULL && site_is_silent(the.at) ? the.silent_s + 1 : 0;
  if (the.silent_s > patience_s) {
    site_detach(the.at);
    lose("the broker is silent");
  }
  clock_in(SECOND_US, beat, ctx);
}

void site_lose_office(struct broker *broker)
{
  if (the.at == broker) lose("the broker has closed the connection");
}

void site_cut_office(uint64_t us)
{
  if (the.at == NULL) return;
  site_detach(the.at);
  the.not_before_us = clock_now_us() + us;
  lose("its connection broke");
}

int office_start(const struct office_config *config, struct office **out, struct error *error)
{
  (void) error;
  memset(&the, 0, sizeof the);
  life++;
  the.config = *config;
  the.port[the.port_count++] = config->port;
  for (size_t i = 0; i < config->other_count; i++)
    the.port[the.port_count++] = config->others[i].port;
  the.ledgers = calloc(config->device_count, sizeof *the.ledgers);
  bool opened = blocks_open(&the.book, config->device_count);
  assert(the.ledgers != NULL && opened);
  (void) opened;
  the.waiting_end = &the.waiting;
  clock_in(CONNECT_US, try_to_connect, (void *) life);
  clock_in(SECOND_US, beat, (void *) life);
  *out = &the;
  return 0;
}

void office_stop(struct office *op)
{
  if (op->at != NULL) site_detach(op->at);
  op->at = NULL;
  life++;
  for (struct out *out = op->waiting, *next; out != NULL; out = next) {
    next = out->next;
    free(out);
  }
  for (size_t i = 0; i < op->config.device_count; i++) free(op->ledgers[i].words);
  free(op->ledgers);
  blocks_close(&op->book);
}

bool office_connected(struct office *op)
{
  return op->at != NULL;
}

void office_failure(struct office *op, struct office_failure *out)
{
  (void) op;
  *out = (struct office_failure){.failure = DEVICE_FAIL_TCP_REFUSED};
  snprintf(out->text, sizeof out->text, "connect.tcp.refused: nobody answers");
}

bool office_is_home(struct office *op)
{
  return op->at != NULL && op->at == site_at(op->port[0]);
}

void office_return(struct office *op)
{
  if (op->at == NULL || office_is_home(op)) return;
  site_detach(op->at);
  op->at = NULL;
  clock_in(CONNECT_US, try_to_connect, (void *) life);
}

/* --- Hearing ---------------------------------------------------------------------------------- */

static void hear_telemetry(size_t index, const uint8_t *data, size_t size)
{
  struct payload payload;
  const struct payload_texts *texts = &the.config.telemetry;
  const struct payload_sender sender = {.began_unix_ms = the.config.began_unix_ms,
                                        .name = names_of(the.config.names, index).name};
  if (the.config.unnumbered) {
    the.tally.unnumbered++;
    return;
  }
  enum payload_reading reading = payload_text_read(texts, &sender, data, size, &payload);
  uint32_t mark = payload.mark;
  assert(reading != PAYLOAD_NONE && index != SIZE_MAX);
  if (reading == PAYLOAD_ALTERED && (mark == texts->mark || mark == texts->clones_mark)) {
    the.tally.altered++;
    return;
  }
  if (mark == texts->clones_mark && mark != 0) {
    the.tally.of_clones++;
    return;
  }
  if (mark != texts->mark) {
    the.tally.foreign++;
    return;
  }
  bool new = ledger_enter(&the.ledgers[index], payload.sequence) == LEDGER_NEW;
  the.tally.delivered += new;
  the.tally.duplicated += !new;
  uint64_t now_us = the.config.now_us(the.config.clock); /* run/setup.c */
  if (new &&payload.sent_us != PAYLOAD_UNTIMED && the.latency_count < LATENCIES_MAX)
    the.latency[the.latency_count++] = (uint32_t) payload_age_us(&payload, now_us);
}

static uint32_t version_of(const char *text)
{
  unsigned part[3] = {0};
  char *end = (char *) (uintptr_t) text;
  for (int i = 0; i < 3; i++, end += *end == '.') part[i] = (unsigned) strtoul(end, &end, 10);
  return DEVICE_VERSION(part[0], part[1], part[2]);
}

/* {"status":"staged","serial":2,"version":"1.1.0","running":"1.0.0"} */
static void hear_update(size_t index, const char *text)
{
  char status[32], serial[12], version[16], running[16];
  struct office_event event = {.kind = OFFICE_OTA_STATUS, .index = index};
  int found = sscanf(text,
                     "{\"status\":\"%31[a-z_]\",\"serial\":%11[0-9],\"version\":\"%15[0-9.]\","
                     "\"running\":\"%15[0-9.]\"}",
                     status, serial, version, running);
  assert(found == 4);
  (void) found;
  event.code = (uint8_t) device_ota_status_find(status, strlen(status));
  event.serial = (uint32_t) strtoul(serial, NULL, 10);
  event.version = version_of(version);
  event.running = version_of(running);
  put(event);
}

static void hear_wish(size_t index, const void *data, size_t size)
{
  if (blocks_ask(&the.book, index, data, size)) the.config.wake(the.config.ctx); /* run/setup.c */
}

/* {"status":"committed","version":2,"of":123} */
static void hear_ack(enum office_event_kind kind, size_t index, const char *text)
{
  char status[32], version[12], of[12];
  struct office_event event = {.kind = kind, .index = index};
  if (sscanf(text, "{\"status\":\"%31[a-z_]\",\"version\":%11[0-9],\"of\":%11[0-9]}", status,
             version, of) != 3)
    return;
  event.version = (uint32_t) strtoul(version, NULL, 10);
  event.of = (uint32_t) strtoul(of, NULL, 10);
  for (int u = 0; u < DEVICE_UPDATE_COUNT; u++)
    if (strcmp(device_update_name((enum device_update) u), status) == 0) event.code = (uint8_t) u;
  put(event);
}

void site_hear(const char *topic, const void *data, size_t size, bool retained)
{
  char text[160];
  struct names_topic of;
  bool runs = life % 2 == 1;
  if (!runs || retained || !names_find(the.config.names, topic, &of)) return;
  const char *below = of.telemetry ? "telemetry" : of.below;
  size_t index = of.index;
  snprintf(text, sizeof text, "%.*s", (int) size, (const char *) data);
  struct office_event event = {.kind = OFFICE_MESSAGE, .index = index};
  snprintf(event.topic, sizeof event.topic, "%s", topic);
  snprintf(event.below, sizeof event.below, "%s", below);
  memcpy(event.text, text, sizeof event.text);
  bool word = strncmp(text, "trespass", 8) == 0;
  if (strcmp(below, "telemetry") == 0 && !word)
    hear_telemetry(index, data, size);
  else if (strcmp(below, "ota/get") == 0 && !word)
    hear_wish(index, data, size);
  else if (strcmp(below, "ota/status") == 0 && !word)
    hear_update(index, text);
  else if (strcmp(below, "trust/ack") == 0 && !word)
    hear_ack(OFFICE_TRUST_ACK, index, text);
  else if (strcmp(below, "cert/ack") == 0 && !word)
    hear_ack(OFFICE_IDENTITY_ACK, index, text);
  else
    put(event);
}

bool office_collect(struct office *op, struct office_event *out)
{
  if (op->count == 0) return false;
  *out = op->event[op->first];
  op->first = (op->first + 1) % EVENTS_MAX;
  op->count--;
  return true;
}

void office_tally(struct office *op, struct office_tally *out)
{
  *out = op->tally;
}

uint64_t office_missing(struct office *op, size_t index, uint64_t last)
{
  return ledger_missing(&op->ledgers[index], last);
}

bool office_has(struct office *op, size_t index, uint64_t sequence)
{
  return ledger_has(&op->ledgers[index], sequence);
}

uint64_t office_lacks(struct office *op, size_t index, const struct ledger *of)
{
  return ledger_lacks(&op->ledgers[index], of);
}

size_t office_latencies(struct office *op, uint32_t *out_us, size_t capacity, uint64_t *skipped)
{
  size_t n = op->latency_count < capacity ? op->latency_count : capacity;
  (void) skipped;
  memcpy(out_us, op->latency, n * sizeof *out_us);
  op->latency_count -= n;
  memmove(op->latency, op->latency + n, op->latency_count * sizeof *out_us);
  return n;
}

size_t office_block_room(struct office *op)
{
  return op->at != NULL && op->pending < BLOCKS_AT_ONCE ? BLOCKS_AT_ONCE - op->pending : 0;
}

bool office_next_block(struct office *op, struct blocks_want *out)
{
  return blocks_next(&op->book, out);
}
