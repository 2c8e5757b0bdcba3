/* Every read goes through one bounds check. Lengths, variable integers and UTF-8 are taken in
 * their shortest form only, as the standard demands; anything else makes the reader bad, and it
 * stays so. */
#include "mqtt_reader.h"

#include <string.h>

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

/* What the first byte of a UTF-8 sequence allows (RFC 3629, 4): the sequence's size and the range
 * of its second byte, which is where overlong forms, surrogates and values above U+10FFFF show.
 * Size 0: no sequence starts so. */
struct utf8_lead {
  uint8_t size, second_min, second_max;
};

static struct utf8_lead utf8_lead_of(uint8_t byte)
{
  if (byte == 0) return (struct utf8_lead){0, 0, 0};
  if (byte < 0x80) return (struct utf8_lead){1, 0, 0};
  if (byte < 0xc2) return (struct utf8_lead){0, 0, 0};
  if (byte < 0xe0) return (struct utf8_lead){2, 0x80, 0xbf};
  if (byte == 0xe0) return (struct utf8_lead){3, 0xa0, 0xbf};
  if (byte == 0xed) return (struct utf8_lead){3, 0x80, 0x9f};
  if (byte < 0xf0) return (struct utf8_lead){3, 0x80, 0xbf};
  if (byte == 0xf0) return (struct utf8_lead){4, 0x90, 0xbf};
  if (byte < 0xf4) return (struct utf8_lead){4, 0x80, 0xbf};
  if (byte == 0xf4) return (struct utf8_lead){4, 0x80, 0x8f};
  return (struct utf8_lead){0, 0, 0};
}

/* Bytes of the one character that starts at `text`, 0 if it is not well formed or U+0000. */
static size_t utf8_character(const uint8_t *text, size_t size)
{
  const struct utf8_lead lead = utf8_lead_of(text[0]);
  if (lead.size == 0 || lead.size > size) return 0;
  if (lead.size > 1 && (text[1] < lead.second_min || text[1] > lead.second_max)) return 0;
  for (size_t i = 2; i < lead.size; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  return lead.size;
}

struct device_mqtt_bytes device_mqtt_read_string(struct device_mqtt_reader *r)
{
  const struct device_mqtt_bytes text = device_mqtt_read_binary(r);
  for (size_t at = 0; at < text.size;) {
    const size_t step = utf8_character(text.data + at, text.size - at);
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
