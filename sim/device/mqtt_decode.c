/* MQTT packets that a client receives. */
#include <assert.h>
#include <string.h>

#include "mqtt_property.h"

/* Codes that a packet of one type may carry. */
struct codes {
  const uint8_t *list;
  size_t count;
};

#define REFUSED 0x80u

#define CODES(...)                                                         \
  {                                                                        \
    (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}) \
  }

/* MQTT 5, 2.4: reason codes below 0x80 that a server may send, by packet type. A server's
 * DISCONNECT is never "with will". */
static const struct codes REASONS_5[16] = {
    [DEVICE_MQTT_CONNACK] = CODES(0x00),        [DEVICE_MQTT_PUBACK] = CODES(0x00, 0x10),
    [DEVICE_MQTT_PUBREC] = CODES(0x00, 0x10),   [DEVICE_MQTT_PUBREL] = CODES(0x00),
    [DEVICE_MQTT_PUBCOMP] = CODES(0x00),        [DEVICE_MQTT_SUBACK] = CODES(0x00, 0x01, 0x02),
    [DEVICE_MQTT_UNSUBACK] = CODES(0x00, 0x11), [DEVICE_MQTT_DISCONNECT] = CODES(0x00),
};

/* MQTT 3.1.1, 3.2.2.3 and 3.9.3 */
static const struct codes CODES_4[16] = {
    [DEVICE_MQTT_CONNACK] = CODES(0, 1, 2, 3, 4, 5),
    [DEVICE_MQTT_SUBACK] = CODES(0x00, 0x01, 0x02),
};

/* From 0x80 on every code is a refusal, also one that the specification has for other packets or
 * for MQTT 5 only: brokers give them (mosquitto 2.0 answers a PUBLISH that is too large with
 * 0x95). */
static bool code_allowed(uint8_t version, enum device_mqtt_type type, uint8_t code)
{
  const struct codes *codes = version == 5 ? &REASONS_5[type] : &CODES_4[type];
  return codes->count > 0 && (code >= REFUSED || memchr(codes->list, code, codes->count) != NULL);
}

static uint8_t read_code(struct device_mqtt_reader *r, uint8_t version, enum device_mqtt_type type)
{
  const uint8_t code = device_mqtt_read_u8(r);
  if (!code_allowed(version, type, code)) r->bad = true;
  return code;
}

static uint16_t read_packet_id(struct device_mqtt_reader *r)
{
  const uint16_t packet_id = device_mqtt_read_u16(r);
  if (packet_id == 0) r->bad = true;
  return packet_id;
}

static void read_connack(struct device_mqtt_reader *r, uint8_t version,
                         struct device_mqtt_packet *out)
{
  const uint8_t flags = device_mqtt_read_u8(r);
  out->session_present = flags == 1;
  out->reason = read_code(r, version, out->type);
  /* 3.2.2.1, MQTT-3.2.2-6 */
  if (flags > 1 || (out->session_present && out->reason != 0)) r->bad = true;
  out->receive_maximum = 65535;
  out->maximum_qos = 2;
  if (version == 5) device_mqtt_read_properties(r, out);
}

static void read_publish(struct device_mqtt_reader *r, uint8_t version,
                         struct device_mqtt_packet *out)
{
  struct device_mqtt_publish *publish = &out->publish;
  const struct device_mqtt_bytes topic = device_mqtt_read_topic(r);
  publish->topic = (const char *) topic.data;
  publish->topic_size = topic.size;
  if (publish->qos > 0) publish->packet_id = read_packet_id(r);
  if (version == 5) device_mqtt_read_properties(r, out);
  const struct device_mqtt_bytes payload = device_mqtt_read_bytes(r, r->left);
  publish->payload = payload.data;
  publish->payload_size = payload.size;
  out->packet_id = publish->packet_id;
}

/* MQTT 5, 3.4.2: reason code 0 and an empty list of properties may be left out. */
static void read_ack(struct device_mqtt_reader *r, uint8_t version, struct device_mqtt_packet *out)
{
  out->packet_id = read_packet_id(r);
  if (version == 5 && r->left > 0) out->reason = read_code(r, version, out->type);
  if (version == 5 && r->left > 0) device_mqtt_read_properties(r, out);
}

static void read_suback(struct device_mqtt_reader *r, uint8_t version,
                        struct device_mqtt_packet *out)
{
  out->packet_id = read_packet_id(r);
  if (version == 5) device_mqtt_read_properties(r, out);
  if (version == 4 && out->type == DEVICE_MQTT_UNSUBACK) return;
  out->codes = device_mqtt_read_bytes(r, r->left);
  if (out->codes.size == 0) {
    r->bad = true;
    return;
  }
  out->reason = out->codes.data[0];
  for (size_t i = 0; i < out->codes.size; i++)
    if (!code_allowed(version, out->type, out->codes.data[i])) r->bad = true;
}

static void read_pingresp(struct device_mqtt_reader *r, uint8_t version,
                          struct device_mqtt_packet *out)
{
  (void) r;
  (void) version;
  (void) out;
}

static void read_disconnect(struct device_mqtt_reader *r, uint8_t version,
                            struct device_mqtt_packet *out)
{
  if (r->left > 0) out->reason = read_code(r, version, out->type);
  if (r->left > 0) device_mqtt_read_properties(r, out);
}

typedef void read_body(struct device_mqtt_reader *r, uint8_t version,
                       struct device_mqtt_packet *out);

/* NULL: a client never receives it. AUTH answers an authentication method, which our CONNECT does
   not have. */
static read_body *const READ_BODY[16] = {
    [DEVICE_MQTT_CONNACK] = read_connack,   [DEVICE_MQTT_PUBLISH] = read_publish,
    [DEVICE_MQTT_PUBACK] = read_ack,        [DEVICE_MQTT_PUBREC] = read_ack,
    [DEVICE_MQTT_PUBREL] = read_ack,        [DEVICE_MQTT_PUBCOMP] = read_ack,
    [DEVICE_MQTT_SUBACK] = read_suback,     [DEVICE_MQTT_UNSUBACK] = read_suback,
    [DEVICE_MQTT_PINGRESP] = read_pingresp, [DEVICE_MQTT_DISCONNECT] = read_disconnect,
};

static bool first_byte_allowed(uint8_t byte, uint8_t version)
{
  const unsigned type = byte >> 4;
  const unsigned flags = byte & 0x0fu;
  if (READ_BODY[type] == NULL) return false;
  /* MQTT 3.1.1, 3.14: only a client sends it */
  if (version == 4 && type == DEVICE_MQTT_DISCONNECT) return false;
  if (type != DEVICE_MQTT_PUBLISH) return flags == (type == DEVICE_MQTT_PUBREL ? 0x02u : 0u);
  const unsigned qos = flags >> 1 & 3u;
  const bool duplicate = (flags & 0x08u) != 0;
  return qos <= 2 && !(duplicate && qos == 0); /* MQTT-3.3.1-4, MQTT-3.3.1-2 */
}

/* Reads the remaining length behind the first byte. Returns the fixed header's size, INCOMPLETE or
 * MALFORMED. Only MQTT 5 forbids more bytes than the number needs. */
static int read_remaining_length(const uint8_t *data, size_t size, uint8_t version, size_t *length)
{
  *length = 0;
  for (unsigned i = 0; i < 4; i++) {
    if (size < i + 2u) return DEVICE_MQTT_INCOMPLETE;
    const uint8_t byte = data[i + 1];
    *length |= (size_t) (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0)
      return version == 5 && i > 0 && byte == 0 ? DEVICE_MQTT_MALFORMED : (int) i + 2;
  }
  return DEVICE_MQTT_MALFORMED;
}

static void start_packet(uint8_t first_byte, struct device_mqtt_packet *out)
{
  memset(out, 0, sizeof *out);
  out->type = (enum device_mqtt_type)(first_byte >> 4);
  if (out->type != DEVICE_MQTT_PUBLISH) return;
  out->publish.duplicate = (first_byte & 0x08) != 0;
  out->publish.qos = first_byte >> 1 & 3;
  out->publish.retain = (first_byte & 0x01) != 0;
}

int device_mqtt_decode(const uint8_t *data, size_t size, uint8_t version, size_t limit,
                       struct device_mqtt_packet *out)
{
  assert(version == 4 || version == 5);
  if (size == 0) return DEVICE_MQTT_INCOMPLETE;
  if (!first_byte_allowed(data[0], version)) return DEVICE_MQTT_MALFORMED;

  size_t length;
  const int header = read_remaining_length(data, size, version, &length);
  if (header <= 0) return header;
  const size_t total = (size_t) header + length;
  if (total > limit) return DEVICE_MQTT_TOO_LARGE;
  if (total > size) return DEVICE_MQTT_INCOMPLETE;

  struct device_mqtt_reader body = {.next = data + header, .left = length};
  start_packet(data[0], out);
  READ_BODY[out->type](&body, version, out);
  return body.bad || body.left > 0 ? DEVICE_MQTT_MALFORMED : (int) total;
}
