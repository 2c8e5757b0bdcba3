/* MQTT packets that a client sends.
 *
 * A packet's body is written at the start of the caller's buffer and moved up once its length, and
 * so the size of the fixed header, is known. Nothing is counted twice, and a buffer of exactly the
 * packet's size is enough. PUBLISH, of which a device sends more than of all others, is written in
 * place: its length is a sum.
 */
#include <assert.h>
#include <string.h>

#include "mqtt.h"
#include "mqtt_property.h"

#define REMAINING_LENGTH_MAX 268435455u /* 2.2.3: four bytes of seven bits */
#define STRING_MAX           65535u     /* 1.5.3 */
#define HEADER_MAX           5u         /* 2.2: type, flags and remaining length */

struct writer {
  uint8_t *out;
  size_t capacity;
  size_t size;
  bool full; /* something did not fit */
};

static void put_bytes(struct writer *w, const void *data, size_t size)
{
  if (w->full || size > w->capacity - w->size) {
    w->full = true;
    return;
  }
  if (size > 0) memcpy(w->out + w->size, data, size);
  w->size += size;
}

static void put_u8(struct writer *w, uint8_t value)
{
  put_bytes(w, &value, 1);
}

static void put_u16(struct writer *w, uint16_t value)
{
  const uint8_t bytes[2] = {(uint8_t) (value >> 8), (uint8_t) value};
  put_bytes(w, bytes, sizeof bytes);
}

static void put_u32(struct writer *w, uint32_t value)
{
  put_u16(w, (uint16_t) (value >> 16));
  put_u16(w, (uint16_t) value);
}

/* A length of two bytes and the bytes: an MQTT string or binary datum. */
static void put_counted(struct writer *w, const void *data, size_t size)
{
  if (size > STRING_MAX) {
    w->full = true;
    return;
  }
  put_u16(w, (uint16_t) size);
  put_bytes(w, data, size);
}

static void put_string(struct writer *w, const char *text)
{
  put_counted(w, text, strlen(text));
}

/* Writes the fixed header of a packet whose body has `left` bytes; its size. */
static size_t make_header(uint8_t header[HEADER_MAX], uint8_t first_byte, size_t left)
{
  size_t size = 1;
  header[0] = first_byte;
  do {
    const uint8_t more = left > 127 ? 0x80 : 0;
    header[size++] = (uint8_t) ((left & 0x7f) | more);
    left >>= 7;
  } while (left > 0);
  return size;
}

/* Puts the fixed header before the body that `w` holds; returns the packet's size. */
static size_t finish(struct writer *w, uint8_t first_byte)
{
  uint8_t header[HEADER_MAX];
  if (w->full || w->size > REMAINING_LENGTH_MAX) return 0;
  size_t header_size = make_header(header, first_byte, w->size);
  if (header_size > w->capacity - w->size) return 0;
  if (w->size > 0) memmove(w->out + header_size, w->out, w->size);
  memcpy(w->out, header, header_size);
  return header_size + w->size;
}

static uint8_t first_byte_of(enum device_mqtt_type type, unsigned flags)
{
  return (uint8_t) ((unsigned) type << 4 | flags);
}

static uint8_t connect_flags(const struct device_mqtt_connect *connect)
{
  unsigned flags = connect->clean_start ? 0x02u : 0u;
  if (connect->will_topic != NULL)
    flags |= 0x04u | (unsigned) connect->will_qos << 3 | (connect->will_retain ? 0x20u : 0u);
  if (connect->password.data != NULL) flags |= 0x40u;
  if (connect->user != NULL) flags |= 0x80u;
  return (uint8_t) flags;
}

static void put_connect_properties(struct writer *w, const struct device_mqtt_connect *connect)
{
  const bool expiry = connect->session_expiry_s != 0;
  const bool receive = connect->receive_maximum != 0;
  const bool packet = connect->packet_maximum != 0;
  put_u8(w, (uint8_t) ((expiry ? 5 : 0) + (receive ? 3 : 0) + (packet ? 5 : 0)));
  if (expiry) {
    put_u8(w, DEVICE_MQTT_SESSION_EXPIRY_INTERVAL);
    put_u32(w, connect->session_expiry_s);
  }
  if (receive) {
    put_u8(w, DEVICE_MQTT_RECEIVE_MAXIMUM);
    put_u16(w, connect->receive_maximum);
  }
  if (packet) {
    put_u8(w, DEVICE_MQTT_MAXIMUM_PACKET_SIZE);
    put_u32(w, connect->packet_maximum);
  }
}

size_t device_mqtt_encode_connect(uint8_t *out, size_t capacity,
                                  const struct device_mqtt_connect *connect)
{
  struct writer w = {.out = out, .capacity = capacity};
  assert(connect->version == 4 || connect->version == 5);
  assert(connect->will_qos <= 2);
  assert(connect->version == 5 || connect->user != NULL || connect->password.data == NULL);
  put_string(&w, "MQTT");
  put_u8(&w, connect->version);
  put_u8(&w, connect_flags(connect));
  put_u16(&w, connect->keep_alive_s);
  if (connect->version == 5) put_connect_properties(&w, connect);
  put_string(&w, connect->client_id);
  if (connect->will_topic != NULL) {
    if (connect->version == 5) put_u8(&w, 0);
    put_string(&w, connect->will_topic);
    put_counted(&w, connect->will_payload.data, connect->will_payload.size);
  }
  if (connect->user != NULL) put_string(&w, connect->user);
  if (connect->password.data != NULL)
    put_counted(&w, connect->password.data, connect->password.size);
  return finish(&w, first_byte_of(DEVICE_MQTT_CONNECT, 0));
}

/* Where there is room for all of it. */
static void put_publish(uint8_t *at, uint8_t version, const struct device_mqtt_publish *publish)
{
  *at++ = (uint8_t) (publish->topic_size >> 8);
  *at++ = (uint8_t) publish->topic_size;
  memcpy(at, publish->topic, publish->topic_size);
  at += publish->topic_size;
  if (publish->qos > 0) {
    *at++ = (uint8_t) (publish->packet_id >> 8);
    *at++ = (uint8_t) publish->packet_id;
  }
  if (version == 5) *at++ = 0; /* no properties */
  if (publish->payload_size > 0) memcpy(at, publish->payload, publish->payload_size);
}

size_t device_mqtt_encode_publish(uint8_t *out, size_t capacity, uint8_t version,
                                  const struct device_mqtt_publish *publish)
{
  const unsigned flags = (publish->duplicate ? 0x08u : 0u) | (unsigned) publish->qos << 1 |
                         (publish->retain ? 0x01u : 0u);
  assert(version == 4 || version == 5);
  assert(publish->qos <= 2);
  assert(publish->qos > 0 ? publish->packet_id != 0 : !publish->duplicate);
  if (publish->topic_size > STRING_MAX || publish->payload_size > REMAINING_LENGTH_MAX) return 0;
  const size_t left = 2 + publish->topic_size + (publish->qos > 0 ? 2 : 0) +
                      (version == 5 ? 1 : 0) + publish->payload_size;
  if (left > REMAINING_LENGTH_MAX) return 0;
  uint8_t header[HEADER_MAX];
  const size_t header_size = make_header(header, first_byte_of(DEVICE_MQTT_PUBLISH, flags), left);
  if (left > capacity || header_size > capacity - left) return 0;
  memcpy(out, header, header_size);
  put_publish(out + header_size, version, publish);
  return header_size + left;
}

size_t device_mqtt_encode_subscribe(uint8_t *out, size_t capacity, uint8_t version,
                                    const struct device_mqtt_subscribe *subscribe)
{
  struct writer w = {.out = out, .capacity = capacity};
  assert(version == 4 || version == 5);
  assert(subscribe->packet_id != 0 && subscribe->qos <= 2 && subscribe->filter[0] != NULL);
  put_u16(&w, subscribe->packet_id);
  if (version == 5) put_u8(&w, 0);
  for (size_t i = 0; i < DEVICE_MQTT_FILTERS && subscribe->filter[i] != NULL; i++) {
    put_string(&w, subscribe->filter[i]);
    put_u8(&w, (subscribe->at_most_once >> i & 1) != 0 ? 0 : subscribe->qos);
  }
  return finish(&w, first_byte_of(DEVICE_MQTT_SUBSCRIBE, 0x02)); /* 3.8.1: reserved bits are 0010 */
}

size_t device_mqtt_encode_ack(uint8_t *out, size_t capacity, uint8_t version,
                              enum device_mqtt_type type, uint16_t packet_id, uint8_t reason)
{
  struct writer w = {.out = out, .capacity = capacity};
  assert(version == 4 || version == 5);
  assert(type >= DEVICE_MQTT_PUBACK && type <= DEVICE_MQTT_PUBCOMP);
  assert(packet_id != 0);
  put_u16(&w, packet_id);
  if (version == 5 && reason != 0) put_u8(&w, reason);
  return finish(&w, first_byte_of(type, type == DEVICE_MQTT_PUBREL ? 0x02 : 0)); /* 3.6.1 */
}

size_t device_mqtt_encode_pingreq(uint8_t *out, size_t capacity)
{
  struct writer w = {.out = out, .capacity = capacity};
  return finish(&w, first_byte_of(DEVICE_MQTT_PINGREQ, 0));
}

size_t device_mqtt_encode_disconnect(uint8_t *out, size_t capacity, uint8_t version, uint8_t reason)
{
  struct writer w = {.out = out, .capacity = capacity};
  assert(version == 4 || version == 5);
  if (version == 5 && reason != 0) put_u8(&w, reason);
  return finish(&w, first_byte_of(DEVICE_MQTT_DISCONNECT, 0));
}
