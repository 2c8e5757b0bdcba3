/* What no decoder may take for a character is refused at its first wrong byte. */
#include "utf8.h"

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

size_t device_utf8_character(const uint8_t *text, size_t size)
{
  const struct utf8_lead lead = utf8_lead_of(text[0]);
  if (lead.size == 0 || lead.size > size) return 0;
  if (lead.size > 1 && (text[1] < lead.second_min || text[1] > lead.second_max)) return 0;
  for (size_t i = 2; i < lead.size; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  return lead.size;
}
