/* What a broker reads and answers, in MQTT 3.1.1 and 5: as much of it as a good one says to a client
 * that connects, subscribes, publishes and pings. Packets are taken one by one; one that is too long
 * to be kept is counted and passed over. */
#define _GNU_SOURCE
#include "gauntlet/visit_internal.h"

#include <string.h>

enum {
  CONNECT = 1,
  PUBLISH = 3,
  PUBREL = 6,
  SUBSCRIBE = 8,
  UNSUBSCRIBE = 10,
  PINGREQ = 12,
  DISCONNECT = 14
};

enum { SUBSCRIPTIONS_MAX = 64 };

struct packet {
  uint8_t kind, flags;
  const uint8_t *body;
  size_t size;
};

/* A reader that never goes past the end: what is not there is 0. */
struct reader {
  const uint8_t *at;
  size_t left;
};

static unsigned take(struct reader *r, size_t bytes)
{
  unsigned value = 0;
  for (; bytes > 0 && r->left > 0; bytes--, r->left--) value = value << 8 | *r->at++;
  return bytes == 0 ? value : 0;
}

static void pass_over(struct reader *r, size_t bytes)
{
  size_t n = bytes < r->left ? bytes : r->left;
  r->at += n;
  r->left -= n;
}

/* A variable byte integer (MQTT 5, 1.5.5). */
static size_t take_length(struct reader *r)
{
  size_t value = 0;
  for (unsigned shift = 0; shift <= 21 && r->left > 0; shift += 7) {
    unsigned byte = take(r, 1);
    value |= (size_t) (byte & 127) << shift;
    if ((byte & 128) == 0) break;
  }
  return value;
}

static void keep_text(struct reader *r, char *out, size_t room)
{
  size_t size = take(r, 2), n = 0;
  if (size > r->left) size = r->left;
  for (size_t i = 0; i < size && n + 1 < room; i++)
    out[n++] = r->at[i] >= 0x20 && r->at[i] < 0x7f ? (char) r->at[i] : '?';
  out[n] = '\0';
  pass_over(r, size);
}

/* --- What is observed ------------------------------------------------------------------------- */

static void skip_will(struct reader *r, uint8_t version)
{
  if (version == 5) pass_over(r, take_length(r));
  pass_over(r, take(r, 2));
  pass_over(r, take(r, 2));
}

static void note_connect(struct visit *visit, const struct packet *packet)
{
  struct observation *seen = &visit->seen;
  struct reader r = {packet->body, packet->size};
  pass_over(&r, take(&r, 2));
  seen->mqtt = (uint8_t) take(&r, 1);
  unsigned flags = take(&r, 1);
  seen->keep_alive_s = (uint16_t) take(&r, 2);
  if (seen->mqtt == 5) pass_over(&r, take_length(&r));
  keep_text(&r, seen->client_id, sizeof seen->client_id);
  if (flags & 4) skip_will(&r, seen->mqtt);
  seen->has_user = (flags & 0x80) != 0;
  if (seen->has_user) pass_over(&r, take(&r, 2));
  seen->has_password = (flags & 0x40) != 0;
  if (seen->has_password) seen->password_size = take(&r, 2);
  seen->asked = true;
}

/* Of a lie in CONNACK, whatever comes afterwards; of one behind it only what follows an answer that the
 * client can have read behind it alone: what it said upon CONNACK was on its way already. */
static bool is_behind_the_lie(const struct visit *visit)
{
  const struct gauntlet_case *c = visit->act->c;
  if (!visit->seen.said || visit->script_over || c->layer != CASE_MQTT) return false;
  return visit->answered || !script_begins_well(&c->talk);
}

/* Whether a packet of that kind is answered: by a polite broker, or as a script waits for it. */
static bool will_answer(const struct visit *visit, const struct packet *packet)
{
  const struct script *script = &visit->act->c->talk;
  bool ping = packet->kind == PINGREQ;
  if (visit->polite || !visit->act->c->has_talk)
    return (visit->without & (unsigned) (ping ? SCRIPT_WITHOUT_PINGRESP : SCRIPT_WITHOUT_PUBACK)) ==
           0;
  for (size_t i = visit->talk_at; i < script->count; i++)
    if (script->step[i].verb == (ping ? SCRIPT_PING : SCRIPT_PUBLISH)) return true;
  return false;
}

static void note_owed(struct visit *visit, const struct packet *packet)
{
  bool asks = packet->kind == PINGREQ || (packet->kind == PUBLISH && (packet->flags & 6) != 0);
  if (asks && visit->seen.owed_ms < 0 && !will_answer(visit, packet))
    visit->seen.owed_ms = visit_ms(visit);
}

static void note_packet(struct visit *visit, const struct packet *packet)
{
  note_owed(visit, packet);
  struct observation *seen = &visit->seen;
  struct reader r = {packet->body, packet->size};
  if (packet->kind == CONNECT && !seen->asked) note_connect(visit, packet);
  if (packet->kind == PUBLISH) seen->publishes++;
  if (packet->kind == PUBLISH && visit->refused_it) seen->publishes_after_refusal++;
  if (packet->kind == DISCONNECT) {
    seen->said_goodbye = true;
    seen->goodbye = (uint8_t) take(&r, 1);
    seen->went_on |= visit->answered && seen->goodbye == 0;
  } else {
    seen->went_on |= is_behind_the_lie(visit);
  }
}

/* --- What is answered ------------------------------------------------------------------------- */

static uint16_t packet_id_of(const struct packet *packet)
{
  struct reader r = {packet->body, packet->size};
  if (packet->kind == PUBLISH) pass_over(&r, take(&r, 2));
  return (uint16_t) take(&r, 2);
}

static unsigned count_filters(const struct visit *visit, const struct packet *packet)
{
  struct reader r = {packet->body, packet->size};
  unsigned count = 0;
  take(&r, 2);
  if (visit->seen.mqtt == 5) pass_over(&r, take_length(&r));
  while (r.left > 2 && count < SUBSCRIPTIONS_MAX) {
    pass_over(&r, take(&r, 2));
    if (packet->kind == SUBSCRIBE) take(&r, 1);
    count++;
  }
  return count;
}

static void note_answered(struct visit *visit)
{
  visit->answered |= visit->seen.said && visit->act->c->layer == CASE_MQTT;
}

static void acknowledge(struct visit *visit, uint8_t first, uint16_t id)
{
  note_answered(visit);
  const uint8_t answer[] = {first, 2, (uint8_t) (id >> 8), (uint8_t) id};
  visit_tls_say(visit, answer, sizeof answer);
}

/* SUBACK and UNSUBACK: a code for each filter, if the version has them. */
static void grant(struct visit *visit, const struct packet *packet, uint16_t id)
{
  uint8_t answer[8 + SUBSCRIPTIONS_MAX] = {packet->kind == SUBSCRIBE ? 0x90 : 0xb0};
  bool five = visit->seen.mqtt == 5;
  unsigned codes = packet->kind == SUBSCRIBE || five ? count_filters(visit, packet) : 0;
  size_t size = 4;
  answer[2] = (uint8_t) (id >> 8);
  answer[3] = (uint8_t) id;
  if (five) answer[size++] = 0;
  size += codes; /* QoS 0 */
  answer[1] = (uint8_t) (size - 2);
  note_answered(visit);
  visit_tls_say(visit, answer, size);
}

static void answer_packet(struct visit *visit, const struct packet *packet)
{
  static const uint8_t connack[] = {0x20, 2, 0, 0}, connack5[] = {0x20, 3, 0, 0, 0};
  static const uint8_t pong[] = {0xd0, 0};
  uint16_t id = packet_id_of(packet);
  unsigned qos = (packet->flags >> 1) & 3;
  bool acks = (visit->without & SCRIPT_WITHOUT_PUBACK) == 0;
  switch (packet->kind) {
  case CONNECT:
    if (visit->seen.mqtt == 5)
      visit_tls_say(visit, connack5, sizeof connack5);
    else
      visit_tls_say(visit, connack, sizeof connack);
    if (visit->seen.connack_ms < 0) visit->seen.connack_ms = visit_ms(visit);
    break;
  case PUBLISH:
    if (qos > 0 && acks) acknowledge(visit, qos == 1 ? 0x40 : 0x50, id);
    break;
  case PUBREL: acknowledge(visit, 0x70, id); break;
  case SUBSCRIBE:
  case UNSUBSCRIBE:
    if ((visit->without & SCRIPT_WITHOUT_SUBACK) == 0) grant(visit, packet, id);
    break;
  case PINGREQ:
    if ((visit->without & SCRIPT_WITHOUT_PINGRESP) != 0) break;
    note_answered(visit);
    visit->seen.pings++;
    visit_tls_say(visit, pong, sizeof pong);
    break;
  default: break;
  }
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* The size of the packet that begins at that byte; 0: it is not whole yet, and shall be. Of one that is
 * too large to be kept, `out` has what is there. */
static size_t measure(const struct visit *visit, size_t from, struct packet *out)
{
  if (from >= visit->talk.size) return 0;
  const uint8_t *data = visit->talk.data + from;
  size_t there = visit->talk.size - from, bytes = 1;
  struct reader r = {data, there};
  uint8_t first = (uint8_t) take(&r, 1);
  while (bytes < there && bytes < 4 && (data[bytes] & 128) != 0) bytes++;
  if (there < 2 || bytes >= there) return 0;
  size_t length = take_length(&r), size = (size_t) (r.at - data) + length;
  if (size > there && size <= VISIT_TALK_MAX) return 0;
  *out = (struct packet){.kind = first >> 4,
                         .flags = first & 15,
                         .body = r.at,
                         .size = length < r.left ? length : r.left};
  return size;
}

void talk_mqtt_note(struct visit *visit)
{
  struct packet packet;
  size_t size;
  while ((size = measure(visit, visit->noted, &packet)) > 0) {
    note_packet(visit, &packet);
    visit->noted += size;
  }
}

static uint8_t kind_of(enum script_verb wanted)
{
  switch (wanted) {
  case SCRIPT_CONNECT: return CONNECT;
  case SCRIPT_SUBSCRIBE: return SUBSCRIBE;
  case SCRIPT_PUBLISH: return PUBLISH;
  case SCRIPT_PING: return PINGREQ;
  default: return 0;
  }
}

static bool skip_rest(struct visit *visit)
{
  size_t part = visit->skip < visit->talk.size ? visit->skip : visit->talk.size;
  visit_forget(visit, part);
  visit->skip -= part;
  return visit->skip == 0;
}

bool talk_mqtt_take(struct visit *visit, enum script_verb wanted)
{
  struct packet packet;
  size_t size;
  while (skip_rest(visit) && (size = measure(visit, 0, &packet)) > 0) {
    bool found = packet.kind == kind_of(wanted);
    if (found) visit->packet_id = packet_id_of(&packet);
    if (visit->polite) answer_packet(visit, &packet);
    visit->skip = size;
    if (found) return true;
  }
  return false;
}
