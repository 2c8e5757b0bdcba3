/* Escapes, letter by letter. The apostrophe is a number: HTML 4 has no name for it. */
#include "report/markup.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

static const char replacement[] = "\xef\xbf\xbd";

static bool is_control_letter(const char *letter, unsigned size)
{
  unsigned char c = (unsigned char) *letter;
  if (size == 1) return c < 0x20 || c == 0x7f;
  return size == 2 && c == 0xc2 && (unsigned char) letter[1] < 0xa0;
}

static bool is_no_xml_letter(const char *letter, unsigned size)
{
  return size == 3 &&
         (memcmp(letter, "\xef\xbf\xbe", 3) == 0 || memcmp(letter, "\xef\xbf\xbf", 3) == 0);
}

static void put_plain_letter(FILE *out, const char *letter, unsigned size)
{
  if (size == 0 || is_no_xml_letter(letter, size))
    fputs(replacement, out);
  else if (is_control_letter(letter, size))
    fputc(' ', out);
  else
    (void) fwrite(letter, 1, size, out);
}

void markup_put(FILE *out, const char *text)
{
  while (*text != '\0') {
    unsigned size = text_letter(text);
    switch (*text) {
    case '&': fputs("&amp;", out); break;
    case '<': fputs("&lt;", out); break;
    case '>': fputs("&gt;", out); break;
    case '"': fputs("&quot;", out); break;
    case '\'': fputs("&#39;", out); break;
    default: put_plain_letter(out, text, size);
    }
    text += size > 0 ? size : 1;
  }
}
