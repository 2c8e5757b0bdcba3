/* Fixed header, flags, code, and in MQTT 5 the properties one by one, through the device's bounded
 * reader. */
#include "survey/connack.h"

#include <string.h>

#include "device/mqtt_property.h"

static void keep_text(struct device_mqtt_bytes text, char out[SURVEY_TEXT_MAX])
{
  size_t used = 0;
  for (size_t i = 0; i < text.size && used < SURVEY_TEXT_MAX - 1; i++)
    out[used++] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char) text.data[i] : '?';
  out[used] = '\0';
}

static bool is_withheld(struct device_mqtt_reader *r)
{
  return device_mqtt_read_u8(r) == 0;
}

static void skip_pair(struct device_mqtt_reader *r)
{
  (void) device_mqtt_read_string(r);
  (void) device_mqtt_read_string(r);
}

static void read_property(struct device_mqtt_reader *r, struct survey_connack *out)
{
  switch (device_mqtt_read_varint(r)) {
  case DEVICE_MQTT_SESSION_EXPIRY_INTERVAL:
    out->has_session_expiry = true;
    out->session_expiry_s = device_mqtt_read_u32(r);
    break;
  case DEVICE_MQTT_ASSIGNED_CLIENT_IDENTIFIER:
    keep_text(device_mqtt_read_string(r), out->assigned_id);
    break;
  case DEVICE_MQTT_SERVER_KEEP_ALIVE:
    out->has_keep_alive = true;
    out->keep_alive_s = device_mqtt_read_u16(r);
    break;
  case DEVICE_MQTT_RESPONSE_INFORMATION:
  case DEVICE_MQTT_AUTHENTICATION_METHOD: (void) device_mqtt_read_string(r); break;
  case DEVICE_MQTT_AUTHENTICATION_DATA: (void) device_mqtt_read_binary(r); break;
  case DEVICE_MQTT_SERVER_REFERENCE: keep_text(device_mqtt_read_string(r), out->moved); break;
  case DEVICE_MQTT_REASON_STRING: keep_text(device_mqtt_read_string(r), out->reason); break;
  case DEVICE_MQTT_RECEIVE_MAXIMUM: out->receive_maximum = device_mqtt_read_u16(r); break;
  case DEVICE_MQTT_TOPIC_ALIAS_MAXIMUM: out->topic_aliases = device_mqtt_read_u16(r); break;
  case DEVICE_MQTT_MAXIMUM_QOS: out->maximum_qos = device_mqtt_read_u8(r); break;
  case DEVICE_MQTT_RETAIN_AVAILABLE: out->no_retain = is_withheld(r); break;
  case DEVICE_MQTT_USER_PROPERTY: skip_pair(r); break;
  case DEVICE_MQTT_MAXIMUM_PACKET_SIZE: out->packet_maximum = device_mqtt_read_u32(r); break;
  case DEVICE_MQTT_WILDCARD_SUBSCRIPTION_AVAILABLE: out->no_wildcards = is_withheld(r); break;
  case DEVICE_MQTT_SUBSCRIPTION_IDENTIFIER_AVAILABLE: out->no_identifiers = is_withheld(r); break;
  case DEVICE_MQTT_SHARED_SUBSCRIPTION_AVAILABLE: out->no_shared = is_withheld(r); break;
  default: r->bad = true;
  }
}

/* Behind flags and code. */
static int read_properties(struct device_mqtt_reader *r, struct survey_connack *out)
{
  struct device_mqtt_reader properties = {.left = device_mqtt_read_varint(r)};
  properties.next = device_mqtt_read_bytes(r, properties.left).data;
  if (r->bad || r->left > 0) return -1;
  while (properties.left > 0 && !properties.bad) read_property(&properties, out);
  return properties.bad ? -1 : 1;
}

int survey_connack_read(const uint8_t *data, size_t size, uint8_t version,
                        struct survey_connack *out)
{
  struct device_mqtt_reader r = {.next = data, .left = size};
  *out = (struct survey_connack){.receive_maximum = UINT16_MAX, .maximum_qos = 2};
  if (size > 0 && data[0] != DEVICE_MQTT_CONNACK << 4) return -1;
  if (size < 2) return 0;
  (void) device_mqtt_read_u8(&r);
  uint32_t length = device_mqtt_read_varint(&r);
  if (r.bad) return size < 5 ? 0 : -1;
  if (length < 2 || length > SURVEY_PACKET_MAX) return -1;
  if (r.left < length) return 0;
  r.left = length;
  (void) device_mqtt_read_u8(&r);
  out->code = device_mqtt_read_u8(&r);
  if (r.left == 0) return version == 5 && out->code == 0 ? -1 : 1;
  return version == 5 || out->code >= 0x80 ? read_properties(&r, out) : -1;
}
