#include "report/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Writes the escape of the character at *text and moves on; a byte that is no UTF-8 becomes
   U+FFFD. */
static unsigned escape(const char **text, char out[8])
{
  const unsigned char *at = (const unsigned char *) *text;
  unsigned size = text_letter(*text);
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
