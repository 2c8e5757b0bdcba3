/* Messages of devices, in paho's threads: topic and payload are untrusted and taken apart under
 * the lock, telemetry goes into the books, wishes for blocks into theirs, the rest becomes events
 * that the loop collects. What cannot be read is no event. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/trespass.h"
#include "fleetsim/device.h"
#include "office/internal.h"

enum { STATUS_MAX = 256, NUMBER_DIGITS = 5 };

static bool grow_events(struct office *op)
{
  size_t capacity = op->event_capacity == 0 ? 256 : op->event_capacity * 2;
  if (capacity > op->event_limit) capacity = op->event_limit;
  if (capacity <= op->event_count) return false;
  struct office_event *events = malloc(capacity * sizeof *events);
  if (events == NULL) return false;
  for (size_t i = 0; i < op->event_count; i++)
    events[i] = op->events[(op->event_first + i) % op->event_capacity];
  free(op->events);
  op->events = events;
  op->event_first = 0;
  op->event_capacity = capacity;
  return true;
}

void inbox_event(struct office *op, const struct office_event *event)
{
  if (op->event_count == op->event_capacity && !grow_events(op)) {
    op->tally.dropped++;
    return;
  }
  op->events[(op->event_first + op->event_count++) % op->event_capacity] = *event;
}

bool office_collect(struct office *op, struct office_event *out)
{
  pthread_mutex_lock(&op->mutex);
  bool any = op->event_count > 0;
  if (any) {
    *out = op->events[op->event_first];
    op->event_first = (op->event_first + 1) % op->event_capacity;
    op->event_count--;
  }
  pthread_mutex_unlock(&op->mutex);
  return any;
}

/* Whose topic it is, and what it is behind ROOT; telemetry is "telemetry" wherever it goes, and
 * nothing else is. SIZE_MAX: no device of the fleet. */
static size_t parse_topic(const struct office *op, const char *topic, const char **suffix)
{
  struct names_topic of;
  *suffix = "";
  if (!names_find(op->config.names, topic, &of)) return SIZE_MAX;
  if (of.telemetry)
    *suffix = "telemetry";
  else if (strcmp(of.below, "telemetry") != 0)
    *suffix = of.below;
  return of.index;
}

static void note_latency(struct office *op, uint64_t latency)
{
  if (op->latency_count == LATENCIES_MAX) {
    op->latencies_skipped++;
    return;
  }
  op->latencies[op->latency_count++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t) latency;
}

static void enter_telemetry(struct office *op, size_t index, const struct payload *payload,
                            uint64_t now_us)
{
  switch (ledger_enter(&op->ledgers[index], payload->sequence)) {
  case LEDGER_NEW:
    op->tally.delivered++;
    if (payload->sent_us != PAYLOAD_UNTIMED) note_latency(op, payload_age_us(payload, now_us));
    break;
  case LEDGER_AGAIN: op->tally.duplicated++; break;
  case LEDGER_BEYOND: op->tally.beyond++; break;
  case LEDGER_INVALID: op->tally.strangers++; break;
  }
}

/* A copy counts like its device: numbers that come twice are how it is seen. It delivers nothing of
   the device's. */
static void take_clones_telemetry(struct office *op, size_t index, const struct payload *payload)
{
  op->tally.of_clones++;
  if (ledger_has(&op->ledgers[index], payload->sequence)) op->tally.duplicated++;
}

/* A sequence number says something about the run that gave it only, and nothing where the message
   is not the one that was sent. */
static void take_telemetry(struct office *op, size_t index, const uint8_t *data, size_t size,
                           uint64_t now_us)
{
  struct payload payload;
  const struct payload_texts *texts = &op->config.telemetry;
  const struct payload_sender sender = {.began_unix_ms = op->config.began_unix_ms,
                                        .name = names_of(op->config.names, index).name};
  enum payload_reading reading = payload_text_read(texts, &sender, data, size, &payload);
  bool own = payload.mark == texts->mark;
  bool clones = payload.mark == texts->clones_mark && payload.mark != 0;
  bool torn = reading == PAYLOAD_ALTERED && !own && !clones && size < PAYLOAD_MIN;
  if (reading == PAYLOAD_NONE || torn)
    op->tally.strangers++;
  else if (!own && !clones)
    op->tally.foreign++;
  else if (reading == PAYLOAD_ALTERED)
    op->tally.altered++;
  else if (own)
    enter_telemetry(op, index, &payload, now_us);
  else
    take_clones_telemetry(op, index, &payload);
}

static bool parse_ack(struct office_event *event, const void *payload, size_t size)
{
  json_t *object = json_loadb(payload, size, 0, NULL);
  const char *status = json_string_value(json_object_get(object, "status"));
  json_int_t version = json_integer_value(json_object_get(object, "version"));
  json_int_t of = json_integer_value(json_object_get(object, "of"));
  int code = 0;
  while (code < DEVICE_UPDATE_COUNT &&
         (status == NULL || strcmp(status, device_update_name((enum device_update) code)) != 0))
    code++;
  json_decref(object);
  event->code = (uint8_t) code;
  event->version = (uint32_t) version;
  event->of = (uint32_t) of;
  return code < DEVICE_UPDATE_COUNT && version >= 0 && version <= UINT32_MAX && of >= 0 &&
         of <= UINT32_MAX;
}

/* A decimal number of at most five digits, `limit` at most; then `end`. */
static bool take_number(const char **text, char end, uint32_t limit, uint32_t *out)
{
  size_t digits = strspn(*text, "0123456789");
  if (digits == 0 || digits > NUMBER_DIGITS || (*text)[digits] != end) return false;
  *out = (uint32_t) strtoul(*text, NULL, 10);
  *text += digits + (end != '\0');
  return *out <= limit;
}

/* "1.2.0", as device_version_text writes it. */
static bool parse_version(const json_t *value, uint32_t *out)
{
  const char *text = json_string_value(value);
  uint32_t major, minor, revision;
  if (text == NULL || !take_number(&text, '.', UINT8_MAX, &major) ||
      !take_number(&text, '.', UINT8_MAX, &minor) ||
      !take_number(&text, '\0', UINT16_MAX, &revision))
    return false;
  *out = DEVICE_VERSION(major, minor, revision);
  return true;
}

static bool parse_ota_status(struct office_event *event, const void *payload, size_t size)
{
  if (size > STATUS_MAX) return false;
  json_t *object = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
  const char *status = json_string_value(json_object_get(object, "status"));
  int code = status != NULL ? device_ota_status_find(status, strlen(status)) : -1;
  const json_t *serial = json_object_get(object, "serial");
  json_int_t number = json_integer_value(serial);
  bool good = code >= 0 && json_is_integer(serial) && number >= 0 && number <= UINT32_MAX &&
              parse_version(json_object_get(object, "version"), &event->version) &&
              parse_version(json_object_get(object, "running"), &event->running);
  json_decref(object);
  event->kind = OFFICE_OTA_STATUS;
  event->code = (uint8_t) code;
  event->serial = (uint32_t) number;
  return good;
}

/* Payloads are untrusted: what is not printable ASCII becomes a dot. */
static void copy_text(char *out, size_t capacity, const char *data, size_t size)
{
  size_t n = size < capacity - 1 ? size : capacity - 1;
  for (size_t i = 0; i < n; i++) out[i] = data[i] < ' ' || data[i] > '~' ? '.' : data[i];
  out[n] = '\0';
}

/* What is said where devices try each other's topics, which the run wants to hear of whatever the
   topic. */
static bool is_trespass(const void *payload, size_t size)
{
  static const char word[] = TRESPASS_WORD, lure[] = TRESPASS_LURE;
  return (size == sizeof word - 1 && memcmp(payload, word, size) == 0) ||
         (size == sizeof lure - 1 && memcmp(payload, lure, size) == 0);
}

/* What can be made of a message of a device of the fleet; false: nothing. */
static bool parse_message(struct office_event *event, const char *suffix, const void *payload,
                          size_t size)
{
  if (strcmp(suffix, "ota/status") == 0) return parse_ota_status(event, payload, size);
  bool trust = strcmp(suffix, "trust/ack") == 0, identity = strcmp(suffix, "cert/ack") == 0;
  if (!trust && !identity) return true;
  event->kind = trust ? OFFICE_TRUST_ACK : OFFICE_IDENTITY_ACK;
  return parse_ack(event, payload, size);
}

/* Held. True: there is an event to collect, or a block to send. */
static bool sort_message(struct office *op, const char *topic, const void *payload, size_t size,
                         bool retained, uint64_t now_us)
{
  const char *suffix;
  struct office_event event = {.kind = OFFICE_MESSAGE, .index = parse_topic(op, topic, &suffix)};
  bool known = event.index != SIZE_MAX;
  bool of_trespass = is_trespass(payload, size);
  if (known && !of_trespass && strcmp(suffix, "telemetry") == 0) {
    if (op->config.unnumbered) {
      op->tally.unnumbered += !retained;
      op->tally.foreign += retained;
      return false;
    }
    take_telemetry(op, event.index, payload, size, now_us);
    return false;
  }
  if (retained) { /* no device asks for that: it is a word of some other day */
    op->tally.foreign++;
    return false;
  }
  if (known && !of_trespass && op->config.ota && strcmp(suffix, "ota/get") == 0) {
    bool asked = blocks_ask(&op->book, event.index, payload, size);
    op->tally.strangers += !asked;
    return asked;
  }
  bool sense = known && (of_trespass || parse_message(&event, suffix, payload, size));
  op->tally.strangers += !sense;
  if (known && !sense) return false;
  copy_text(event.topic, sizeof event.topic, topic, strlen(topic));
  copy_text(event.below, sizeof event.below, suffix, strlen(suffix));
  copy_text(event.text, sizeof event.text, payload, size);
  inbox_event(op, &event);
  return true;
}

void inbox_message(struct office *op, const char *topic, const void *payload, size_t size,
                   bool retained)
{
  uint64_t now_us = op->config.now_us(op->config.clock);
  pthread_mutex_lock(&op->mutex);
  bool wake = sort_message(op, topic, payload, size, retained, now_us);
  pthread_mutex_unlock(&op->mutex);
  if (wake) op->config.wake(op->config.ctx);
}

void office_tally(struct office *op, struct office_tally *out)
{
  pthread_mutex_lock(&op->mutex);
  *out = op->tally;
  out->block_requests = op->book.requests;
  out->blocks_dropped = op->book.dropped;
  pthread_mutex_unlock(&op->mutex);
}

uint64_t office_missing(struct office *op, size_t index, uint64_t last)
{
  assert(index < op->config.device_count);
  pthread_mutex_lock(&op->mutex);
  uint64_t missing = ledger_missing(&op->ledgers[index], last);
  pthread_mutex_unlock(&op->mutex);
  return missing;
}

bool office_has(struct office *op, size_t index, uint64_t sequence)
{
  assert(index < op->config.device_count);
  pthread_mutex_lock(&op->mutex);
  bool has = ledger_has(&op->ledgers[index], sequence);
  pthread_mutex_unlock(&op->mutex);
  return has;
}

uint64_t office_lacks(struct office *op, size_t index, const struct ledger *of)
{
  assert(index < op->config.device_count);
  pthread_mutex_lock(&op->mutex);
  uint64_t lacks = ledger_lacks(&op->ledgers[index], of);
  pthread_mutex_unlock(&op->mutex);
  return lacks;
}

size_t office_latencies(struct office *op, uint32_t *out_us, size_t capacity, uint64_t *skipped)
{
  pthread_mutex_lock(&op->mutex);
  size_t n = op->latency_count < capacity ? op->latency_count : capacity;
  memcpy(out_us, op->latencies, n * sizeof *out_us);
  op->latency_count -= n;
  memmove(op->latencies, op->latencies + n, op->latency_count * sizeof *out_us);
  if (skipped != NULL) *skipped = op->latencies_skipped;
  op->latencies_skipped = 0;
  pthread_mutex_unlock(&op->mutex);
  return n;
}
