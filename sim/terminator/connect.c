/* Reads a CONNECT from bytes that anybody may send, through a cursor that cannot leave them, and
 * writes it again with the certificate's CN as user name. Three outcomes: more bytes are needed,
 * it is wrong (a sentence for the log), or it is taken. */
#include "terminator/connect.h"

#include <string.h>

#include "terminator/terminator.h"

enum {
  CONNECT = 0x10,
  USER_NAME = 0x80,
  PASSWORD = 0x40,
  VERSION_3 = 4,
  VERSION_5 = 5,
  BRIDGE = 0x80
};

struct cursor {
  const uint8_t *at, *end;
  bool broken;
};

static const uint8_t *take(struct cursor *c, size_t size)
{
  const uint8_t *from = c->at;
  if (c->broken || size > (size_t) (c->end - c->at)) {
    c->broken = true;
    return NULL;
  }
  c->at += size;
  return from;
}

static uint32_t take_number(struct cursor *c, size_t bytes)
{
  const uint8_t *from = take(c, bytes);
  uint32_t value = 0;
  for (size_t i = 0; from != NULL && i < bytes; i++) value = value << 8 | from[i];
  return value;
}

/* MQTT's variable byte integer, four bytes at most. */
static uint32_t take_varint(struct cursor *c)
{
  uint32_t value = 0;
  for (unsigned shift = 0; shift <= 21; shift += 7) {
    const uint8_t *byte = take(c, 1);
    if (byte == NULL) return 0;
    value |= (uint32_t) (*byte & 0x7f) << shift;
    if ((*byte & 0x80) == 0) return value;
  }
  c->broken = true;
  return 0;
}

static size_t put_varint(uint8_t *out, size_t value)
{
  size_t size = 0;
  do {
    out[size] = (uint8_t) (value & 0x7f);
    value >>= 7;
    if (value > 0) out[size] |= 0x80;
    size++;
  } while (value > 0);
  return size;
}

/* The packet's body; `flags` is where its connect flags are. */
static const char *judge(struct cursor *body, const char *own_id, const uint8_t **flags)
{
  static const char malformed[] = "its CONNECT is malformed";
  (void) take(body, take_number(body, 2));
  /* a mosquitto that bridges says so in that bit */
  uint32_t version = take_number(body, 1) & ~(uint32_t) BRIDGE;
  *flags = take(body, 1);
  (void) take(body, 2);
  if (version == VERSION_5) (void) take(body, take_varint(body));
  size_t size = take_number(body, 2);
  const uint8_t *id = take(body, size);
  if (body->broken || (version != VERSION_3 && version != VERSION_5)) return malformed;
  if ((**flags & (USER_NAME | PASSWORD)) != 0)
    return "it brings a user name or password beside its certificate";
  if (own_id != NULL && (size != strlen(own_id) || memcmp(id, own_id, size) != 0))
    return "its client id is not its certificate's";
  return NULL;
}

struct terminator_connect terminator_connect(const uint8_t *data, size_t size, const char *name,
                                             const char *id, uint8_t *out)
{
  struct terminator_connect result = {0};
  struct cursor c = {.at = data, .end = data + size};
  if (size > 0 && data[0] != CONNECT) result.wrong = "it does not begin with CONNECT";
  if (size < 2 || result.wrong != NULL) return result;
  c.at++;
  uint32_t length = take_varint(&c);
  if (c.broken && size < 5) return result;
  if (c.broken || length > TERMINATOR_CONNECT_MAX) {
    result.wrong = "its CONNECT is too long";
    return result;
  }
  if ((size_t) (c.end - c.at) < length) return result;
  const uint8_t *body = c.at, *flags = NULL;
  c.end = body + length;
  result.wrong = judge(&c, id, &flags);
  if (result.wrong != NULL) return result;

  size_t name_size = strlen(name);
  result.taken = (size_t) (body - data) + length;
  out[0] = CONNECT;
  size_t at = 1 + put_varint(out + 1, length + 2 + name_size);
  memcpy(out + at, body, length);
  out[at + (size_t) (flags - body)] |= USER_NAME;
  at += length;
  out[at++] = (uint8_t) (name_size >> 8);
  out[at++] = (uint8_t) name_size;
  memcpy(out + at, name, name_size);
  result.size = at + name_size;
  return result;
}
