/* One table says which property may stand in which packet, how often and with what value. Whatever
 * it does not allow makes the reader bad, and so the packet malformed; what a client has no use
 * for is read over. */
#include "mqtt_property.h"

enum value_type { BYTE, TWO_BYTES, FOUR_BYTES, VARIABLE, STRING, TOPIC, STRING_PAIR, BINARY };

enum rule {
  ANY,
  FLAG,     /* 0 or 1 */
  POSITIVE, /* 0 is a protocol error */
  /* allowed only to a server that was offered it in CONNECT, and our CONNECT never offers it */
  NOT_OFFERED,
};

/* One bit per packet type. */
#define IN(type)    (1u << DEVICE_MQTT_##type)
#define IN_ACKS     (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK))
#define FROM_CLIENT 0u
#define REPEATABLE  true
#define ONCE        false

/* MQTT 5, table 2-4 as a client sees it: `packets` are those in which a server may send the
 * property. AUTH, which needs an authentication method in CONNECT, is not among them. Session
 * Expiry Interval is not for a server's DISCONNECT (MQTT-3.14.2-2). */
static const struct property {
  uint8_t id;
  enum value_type type;
  enum rule rule;
  bool repeatable;
  uint16_t packets;
} PROPERTIES[] = {
    {DEVICE_MQTT_PAYLOAD_FORMAT_INDICATOR, BYTE, FLAG, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_MESSAGE_EXPIRY_INTERVAL, FOUR_BYTES, ANY, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_CONTENT_TYPE, STRING, ANY, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_RESPONSE_TOPIC, TOPIC, ANY, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_CORRELATION_DATA, BINARY, ANY, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_SUBSCRIPTION_IDENTIFIER, VARIABLE, POSITIVE, REPEATABLE, IN(PUBLISH)},
    {DEVICE_MQTT_SESSION_EXPIRY_INTERVAL, FOUR_BYTES, ANY, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_ASSIGNED_CLIENT_IDENTIFIER, STRING, ANY, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_SERVER_KEEP_ALIVE, TWO_BYTES, ANY, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_AUTHENTICATION_METHOD, STRING, NOT_OFFERED, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_AUTHENTICATION_DATA, BINARY, NOT_OFFERED, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_REQUEST_PROBLEM_INFORMATION, BYTE, FLAG, ONCE, FROM_CLIENT},
    {DEVICE_MQTT_WILL_DELAY_INTERVAL, FOUR_BYTES, ANY, ONCE, FROM_CLIENT},
    {DEVICE_MQTT_REQUEST_RESPONSE_INFORMATION, BYTE, FLAG, ONCE, FROM_CLIENT},
    {DEVICE_MQTT_RESPONSE_INFORMATION, STRING, ANY, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_SERVER_REFERENCE, STRING, ANY, ONCE, IN(CONNACK) | IN(DISCONNECT)},
    {DEVICE_MQTT_REASON_STRING, STRING, ANY, ONCE, IN(CONNACK) | IN_ACKS | IN(DISCONNECT)},
    {DEVICE_MQTT_RECEIVE_MAXIMUM, TWO_BYTES, POSITIVE, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_TOPIC_ALIAS_MAXIMUM, TWO_BYTES, ANY, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_TOPIC_ALIAS, TWO_BYTES, NOT_OFFERED, ONCE, IN(PUBLISH)},
    {DEVICE_MQTT_MAXIMUM_QOS, BYTE, FLAG, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_RETAIN_AVAILABLE, BYTE, FLAG, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_USER_PROPERTY, STRING_PAIR, ANY, REPEATABLE,
     IN(CONNACK) | IN(PUBLISH) | IN_ACKS | IN(DISCONNECT)},
    {DEVICE_MQTT_MAXIMUM_PACKET_SIZE, FOUR_BYTES, POSITIVE, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_WILDCARD_SUBSCRIPTION_AVAILABLE, BYTE, FLAG, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_SUBSCRIPTION_IDENTIFIER_AVAILABLE, BYTE, FLAG, ONCE, IN(CONNACK)},
    {DEVICE_MQTT_SHARED_SUBSCRIPTION_AVAILABLE, BYTE, FLAG, ONCE, IN(CONNACK)},
};

#define PROPERTY_COUNT (sizeof PROPERTIES / sizeof PROPERTIES[0])
_Static_assert(PROPERTY_COUNT <= 32, "read_property keeps one bit per property");

struct value {
  uint32_t number;
  struct device_mqtt_bytes bytes;
};

static struct value read_value(struct device_mqtt_reader *r, enum value_type type)
{
  struct value value = {0};
  switch (type) {
  case BYTE: value.number = device_mqtt_read_u8(r); break;
  case TWO_BYTES: value.number = device_mqtt_read_u16(r); break;
  case FOUR_BYTES: value.number = device_mqtt_read_u32(r); break;
  case VARIABLE: value.number = device_mqtt_read_varint(r); break;
  case STRING: value.bytes = device_mqtt_read_string(r); break;
  case TOPIC: value.bytes = device_mqtt_read_topic(r); break;
  case BINARY: value.bytes = device_mqtt_read_binary(r); break;
  case STRING_PAIR:
    device_mqtt_read_string(r);
    device_mqtt_read_string(r);
    break;
  }
  return value;
}

static bool value_allowed(enum rule rule, uint32_t number)
{
  switch (rule) {
  case ANY: return true;
  case FLAG: return number <= 1;
  case POSITIVE: return number > 0;
  case NOT_OFFERED: return false;
  }
  return false;
}

static void keep(struct device_mqtt_packet *out, uint8_t id, const struct value *value)
{
  switch (id) {
  case DEVICE_MQTT_RECEIVE_MAXIMUM: out->receive_maximum = (uint16_t) value->number; break;
  case DEVICE_MQTT_MAXIMUM_PACKET_SIZE: out->packet_maximum = value->number; break;
  case DEVICE_MQTT_MAXIMUM_QOS: out->maximum_qos = (uint8_t) value->number; break;
  case DEVICE_MQTT_SERVER_REFERENCE: out->server_reference = value->bytes; break;
  case DEVICE_MQTT_SERVER_KEEP_ALIVE:
    out->keep_alive_s = (uint16_t) value->number;
    out->has_keep_alive = true;
    break;
  default: break;
  }
}

/* `seen` has the bits of the properties that were read before, by place in the table. */
static void read_property(struct device_mqtt_reader *r, struct device_mqtt_packet *out,
                          uint32_t *seen)
{
  const uint32_t id = device_mqtt_read_varint(r);
  size_t i = 0;
  while (i < PROPERTY_COUNT && PROPERTIES[i].id != id) i++;
  if (i == PROPERTY_COUNT || (PROPERTIES[i].packets & 1u << out->type) == 0) {
    r->bad = true;
    return;
  }
  const struct property *property = &PROPERTIES[i];
  if (!property->repeatable && (*seen & (uint32_t) 1 << i) != 0) r->bad = true;
  *seen |= (uint32_t) 1 << i;

  const struct value value = read_value(r, property->type);
  if (!value_allowed(property->rule, value.number)) r->bad = true;
  if (!r->bad) keep(out, property->id, &value);
}

void device_mqtt_read_properties(struct device_mqtt_reader *r, struct device_mqtt_packet *out)
{
  const uint32_t size = device_mqtt_read_varint(r);
  const struct device_mqtt_bytes all = device_mqtt_read_bytes(r, size);
  struct device_mqtt_reader inside = {.next = all.data, .left = all.size, .bad = r->bad};
  uint32_t seen = 0;
  while (!inside.bad && inside.left > 0) read_property(&inside, out, &seen);
  r->bad = inside.bad;
}
