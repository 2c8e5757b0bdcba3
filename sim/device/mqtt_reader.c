/* Every read goes through one bounds check. Lengths, variable integers and UTF-8 are taken in
 * their shortest form only, as the standard demands; anything else makes the reader bad, and it
 * stays so. */
#include "mqtt_reader.h"

#include <string.h>

#include "utf8.h"

struct device_mqtt_bytes device_mqtt_read_bytes(struct device_mqtt_reader *r, size_t size)
{
  struct device_mqtt_bytes bytes = {0};
  if (r->bad || size > r->left) {
    r->bad = true;
    return bytes;
  }
  bytes.data = r->next;
  bytes.size = size;
  r->next += size;
  r->left -= size;
  return bytes;
}

uint8_t device_mqtt_read_u8(struct device_mqtt_reader *r)
{
  const struct device_mqtt_bytes bytes = device_mqtt_read_bytes(r, 1);
  return bytes.size == 1 ? bytes.data[0] : 0;
}

uint16_t device_mqtt_read_u16(struct device_mqtt_reader *r)
{
  const struct device_mqtt_bytes bytes = device_mqtt_read_bytes(r, 2);
  if (bytes.size != 2) return 0;
  return (uint16_t) ((unsigned) bytes.data[0] << 8 | bytes.data[1]);
}

uint32_t device_mqtt_read_u32(struct device_mqtt_reader *r)
{
  const uint32_t high = device_mqtt_read_u16(r);
  return high << 16 | device_mqtt_read_u16(r);
}

uint32_t device_mqtt_read_varint(struct device_mqtt_reader *r)
{
  uint32_t value = 0;
  for (unsigned shift = 0; shift <= 21; shift += 7) {
    const uint8_t byte = device_mqtt_read_u8(r);
    value |= (uint32_t) (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift > 0) r->bad = true;
      return value;
    }
  }
  r->bad = true;
  return 0;
}

struct device_mqtt_bytes device_mqtt_read_binary(struct device_mqtt_reader *r)
{
  const uint16_t size = device_mqtt_read_u16(r);
  return device_mqtt_read_bytes(r, size);
}

struct device_mqtt_bytes device_mqtt_read_string(struct device_mqtt_reader *r)
{
  const struct device_mqtt_bytes text = device_mqtt_read_binary(r);
  for (size_t at = 0; at < text.size;) {
    const size_t step = device_utf8_character(text.data + at, text.size - at);
    if (step == 0) {
      r->bad = true;
      break;
    }
    at += step;
  }
  return text;
}

struct device_mqtt_bytes device_mqtt_read_topic(struct device_mqtt_reader *r)
{
  const struct device_mqtt_bytes topic = device_mqtt_read_string(r);
  if (topic.size == 0 || memchr(topic.data, '+', topic.size) != NULL ||
      memchr(topic.data, '#', topic.size) != NULL)
    r->bad = true;
  return topic;
}
