/* MQTT 3.1.1 and 5, one answer awaited at a time. Whatever else comes, has a byte too many or a value
   that the standard does not have there, ends the talk: a broker that was just connected to owes
   nothing else. */
#include "talk.h"

#include <stdio.h>
#include <string.h>

#define CONNECT    0x10
#define CONNACK    0x20
#define PUBLISH    0x30
#define PUBACK     0x40
#define SUBSCRIBE  0x82
#define SUBACK     0x90
#define PINGREQ    0xc0
#define PINGRESP   0xd0
#define DISCONNECT 0xe0

#define OUT_MAX      128 /* so that the length is one byte */
#define IN_MAX       4096
#define PACKET_ID    1
#define KEEP_ALIVE_S 60
#define REFUSAL      0x80 /* reason codes from here on; of SUBACK in MQTT 3.1.1, too */

/* Saying ----------------------------------------------------------------------------------------*/

struct packet_out {
  size_t size;
  uint8_t bytes[OUT_MAX];
};

static void put(struct packet_out *out, const void *bytes, size_t size)
{
  if (size > sizeof out->bytes - out->size) size = sizeof out->bytes - out->size;
  memcpy(out->bytes + out->size, bytes, size);
  out->size += size;
}

static void put_number(struct packet_out *out, unsigned number)
{
  put(out, (uint8_t[]){(uint8_t) (number >> 8), (uint8_t) number}, 2);
}

static void put_byte(struct packet_out *out, unsigned byte)
{
  put(out, &(uint8_t){(uint8_t) byte}, 1);
}

static void put_text(struct packet_out *out, const char *text)
{
  put_number(out, (unsigned) strlen(text));
  put(out, text, strlen(text));
}

static void begin(struct packet_out *out, unsigned type)
{
  out->size = 0;
  put_byte(out, type);
  put_byte(out, 0);
}

static void put_properties(struct packet_out *out, const struct talk *talk)
{
  if (talk->version == 5) put_byte(out, 0); /* none */
}

static enum line_end say(struct talk *talk, struct packet_out *out)
{
  out->bytes[1] = (uint8_t) (out->size - 2);
  return line_write(talk->line, out->bytes, out->size);
}

static void put_topic(struct packet_out *out, const struct talk *talk, const char *end)
{
  char topic[TALK_ID_MAX + 32];
  snprintf(topic, sizeof topic, "careless/%s%s", talk->id, end);
  put_text(out, topic);
}

/* Hearing ---------------------------------------------------------------------------------------*/

struct packet_in {
  uint8_t type;
  size_t size;
  uint8_t body[IN_MAX];
};

static enum line_end break_off(struct talk *talk, const char *what, unsigned code)
{
  return line_fail(talk->line, LINE_FAILED, "the broker breaks MQTT: %s (0x%02x)", what, code);
}

static enum line_end hear_any(struct talk *talk, struct packet_in *in)
{
  uint8_t byte = REFUSAL;
  enum line_end end = line_read(talk->line, &in->type, 1);
  in->size = 0;
  for (int shift = 0; end == LINE_OK && byte & 0x80; shift += 7) {
    if (shift > 21) return break_off(talk, "a length of more than four bytes", in->type);
    end = line_read(talk->line, &byte, 1);
    in->size |= (size_t) (byte & 0x7f) << shift;
  }
  if (end != LINE_OK) return end;
  if (in->size > sizeof in->body) return break_off(talk, "a packet of absurd size", in->type);
  return line_read(talk->line, in->body, in->size);
}

static enum line_end hear(struct talk *talk, unsigned type, struct packet_in *in)
{
  enum line_end end = hear_any(talk, in);
  if (end != LINE_OK || in->type == type) return end;
  if (in->type != DISCONNECT || talk->version != 5)
    return break_off(talk, "another packet than its turn is", in->type);
  return line_fail(talk->line, LINE_REFUSED, "the broker ends the session, code 0x%02x",
                   in->size > 0 ? in->body[0] : 0);
}

/* Bytes that a property's value has; 0 where there are none, or fewer than that. A letter of `kind`
   is what the standard calls byte, two and four byte integer, UTF-8 string (and binary data), pair. */
static size_t property_size(char kind, const uint8_t *value, size_t size)
{
  size_t wanted = kind == 'b' ? 1 : kind == '2' ? 2 : kind == '4' ? 4 : 0;
  for (int texts = kind == 's' ? 1 : kind == 'p' ? 2 : 0; texts > 0; texts--) {
    if (size < wanted + 2) return 0;
    wanted += 2 + (size_t) (value[wanted] << 8 | value[wanted + 1]);
  }
  return wanted <= size ? wanted : 0;
}

struct property {
  uint8_t id;
  char kind;
};

static const struct property of_connack[] = {
    {0x11, '4'}, {0x12, 's'}, {0x13, '2'}, {0x15, 's'}, {0x16, 's'}, {0x1a, 's'},
    {0x1c, 's'}, {0x1f, 's'}, {0x21, '2'}, {0x22, '2'}, {0x24, 'b'}, {0x25, 'b'},
    {0x26, 'p'}, {0x27, '4'}, {0x28, 'b'}, {0x29, 'b'}, {0x2a, 'b'}, {0, 0},
};
static const struct property of_acks[] = {{0x1f, 's'}, {0x26, 'p'}, {0, 0}};

/* Whether the properties fill `size` bytes, their length before them, each of the packet's kind and
   none but the pairs twice. `*rest` is what stands behind them, unless NULL: then nothing may. */
static bool are_properties(const struct property *known, const uint8_t *bytes, size_t size,
                           const uint8_t **rest)
{
  uint64_t seen = 0;
  if (size < 1 || bytes[0] & 0x80) return false; /* 127 bytes are more than any of these need */
  size_t left = bytes[0];
  bytes++;
  if (left > size - 1 || (!rest && left != size - 1)) return false;
  while (left > 0) {
    const struct property *property = known;
    while (property->id != 0 && property->id != *bytes) property++;
    size_t value = property_size(property->kind, bytes + 1, left - 1);
    if (property->id == 0 || value == 0) return false;
    if (seen >> property->id & 1 && property->kind != 'p') return false;
    seen |= (uint64_t) 1 << property->id;
    bytes += 1 + value;
    left -= 1 + value;
  }
  if (rest) *rest = bytes;
  return true;
}

/* A code of CONNACK, PUBACK or SUBACK: LINE_OK up to `best`. */
static enum line_end consider(struct talk *talk, const char *packet, unsigned code, unsigned best)
{
  unsigned refusal = talk->version == 4 && strcmp(packet, "CONNACK") == 0 ? 1 : REFUSAL;
  if (code <= best) return LINE_OK;
  if (code < refusal) return break_off(talk, packet, code);
  return line_fail(talk->line, LINE_REFUSED, "the broker refuses: %s with code 0x%02x", packet,
                   code);
}

/* Turns -----------------------------------------------------------------------------------------*/

static enum line_end greet(struct talk *talk)
{
  struct packet_out out;
  begin(&out, CONNECT);
  put_text(&out, "MQTT");
  put_byte(&out, talk->version);
  put_byte(&out, 0x02); /* a clean session */
  put_number(&out, KEEP_ALIVE_S);
  put_properties(&out, talk);
  put_text(&out, talk->id);
  return say(talk, &out);
}

static enum line_end be_let_in(struct talk *talk)
{
  struct packet_in in;
  if (talk->trusts_connack) {
    hear_any(talk, &in);
    return LINE_OK;
  }
  enum line_end end = hear(talk, CONNACK, &in);
  if (end != LINE_OK) return end;
  if (in.size < 2 || (talk->version == 4 && in.size != 2))
    return break_off(talk, "CONNACK of a wrong size", (unsigned) in.size);
  end = consider(talk, "CONNACK", in.body[1], 0);
  if (end != LINE_OK) return end;
  if (in.body[0] != 0) return break_off(talk, "CONNACK knows an old session", in.body[0]);
  if (talk->version == 5 && !are_properties(of_connack, in.body + 2, in.size - 2, NULL))
    return break_off(talk, "properties of CONNACK", (unsigned) in.size);
  return LINE_OK;
}

static enum line_end subscribe(struct talk *talk)
{
  struct packet_out out;
  struct packet_in in;
  begin(&out, SUBSCRIBE);
  put_number(&out, PACKET_ID);
  put_properties(&out, talk);
  put_topic(&out, talk, "/in");
  put_byte(&out, 1); /* QoS */
  enum line_end end = say(talk, &out);
  if (end == LINE_OK) end = hear(talk, SUBACK, &in);
  if (end != LINE_OK) return end;
  const uint8_t *codes = in.body + 2;
  if (in.size < 3 || in.body[0] != 0 || in.body[1] != PACKET_ID ||
      (talk->version == 5 && !are_properties(of_acks, in.body + 2, in.size - 2, &codes)) ||
      codes + 1 != in.body + in.size)
    return break_off(talk, "SUBACK does not fit what was asked", (unsigned) in.size);
  return consider(talk, "SUBACK", codes[0], 1);
}

static enum line_end publish(struct talk *talk)
{
  struct packet_out out;
  struct packet_in in;
  begin(&out, PUBLISH | talk->qos << 1);
  put_topic(&out, talk, "");
  if (talk->qos > 0) put_number(&out, PACKET_ID);
  put_properties(&out, talk);
  put(&out, "hello", 5);
  enum line_end end = say(talk, &out);
  if (end != LINE_OK || talk->qos == 0) return end;
  end = hear(talk, PUBACK, &in);
  if (end != LINE_OK) return end;
  if (in.size < 2 || in.body[0] != 0 || in.body[1] != PACKET_ID ||
      (talk->version == 4 && in.size != 2) ||
      (in.size > 3 && !are_properties(of_acks, in.body + 3, in.size - 3, NULL)))
    return break_off(talk, "PUBACK does not fit what was sent", (unsigned) in.size);
  if (in.size == 2 || in.body[2] == 0x10) return LINE_OK; /* 0x10: nobody has subscribed */
  return consider(talk, "PUBACK", in.body[2], 0);
}

static enum line_end ping(struct talk *talk)
{
  struct packet_out out;
  struct packet_in in;
  begin(&out, PINGREQ);
  enum line_end end = say(talk, &out);
  if (end == LINE_OK) end = hear(talk, PINGRESP, &in);
  if (end != LINE_OK) return end;
  return in.size == 0 ? LINE_OK : break_off(talk, "PINGRESP has a body", (unsigned) in.size);
}

static enum line_end part(struct talk *talk)
{
  struct packet_out out;
  begin(&out, DISCONNECT);
  return say(talk, &out);
}

enum line_end talk_through(struct talk *talk)
{
  enum line_end end = greet(talk);
  if (end == LINE_OK) end = be_let_in(talk);
  if (end == LINE_OK && talk->subscribes) end = subscribe(talk);
  if (end == LINE_OK) end = publish(talk);
  if (end == LINE_OK && talk->pings) end = ping(talk);
  if (end == LINE_OK) end = part(talk);
  return end;
}
