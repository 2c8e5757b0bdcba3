#include "report/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 sequence that `text` begins with (RFC 3629), 0 if it is none. Looks no further than its zero. */
static unsigned utf8_size(const unsigned char *text)
{
  unsigned size = text[0] < 0x80   ? 1
                  : text[0] < 0xc2 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf5 ? 4
                                   : 0;
  for (unsigned i = 1; i < size; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
  bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
  bool beyond = text[0] == 0xf4 && text[1] >= 0x90;
  return overlong || surrogate || beyond ? 0 : size;
}

/* Writes the escape of the character at *text and moves on; a byte that is no UTF-8 becomes U+FFFD. */
static unsigned escape(const char **text, char out[8])
{
  const unsigned char *at = (const unsigned char *) *text;
  unsigned size = utf8_size(at);
  *text += size > 0 ? size : 1;
  if (size == 0) return (unsigned) snprintf(out, 8, "\\ufffd");
  if (*at == '"' || *at == '\\') return (unsigned) snprintf(out, 8, "\\%c", *at);
  if (*at < 0x20 || *at == 0x7f) return (unsigned) snprintf(out, 8, "\\u%04x", *at);
  memcpy(out, at, size);
  return size;
}

const char *events_quote(const char *text, char *out, unsigned capacity)
{
  unsigned used = 0;
  while (*text != '\0') {
    char piece[8];
    unsigned size = escape(&text, piece);
    if (used + size >= capacity) break;
    memcpy(out + used, piece, size);
    used += size;
  }
  if (capacity > 0) out[used] = '\0';
  return out;
}
