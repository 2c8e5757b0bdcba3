/* Texts of any origin on a terminal: letter by letter, what steers it as a space, what is no letter as
   a question mark. */
#include "report/screen.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

static void put_printable(FILE *out, const char *text, size_t size)
{
  while (size > 0) {
    unsigned letter = text_letter(text), bytes = letter > 0 ? letter : 1;
    unsigned char c = (unsigned char) *text;
    bool steers = (letter == 1 && (c < 0x20 || c == 0x7f)) ||
                  (letter == 2 && c == 0xc2 && (unsigned char) text[1] < 0xa0);
    if (letter == 0)
      fputc('?', out);
    else if (steers)
      fputc(' ', out);
    else
      (void) fwrite(text, 1, letter, out);
    text += bytes;
    size -= bytes;
  }
}

void screen_put(FILE *out, const char *text, size_t columns)
{
  static const char dots[] = "...";
  bool cut = text_columns(text) > columns;
  size_t ending = !cut ? 0 : columns < sizeof dots - 1 ? columns : sizeof dots - 1;
  put_printable(out, text, cut ? text_fit(text, SIZE_MAX, columns - ending) : strlen(text));
  fprintf(out, "%.*s", (int) ending, dots);
}

void screen_line(FILE *out, const char *format, ...)
{
  char text[SCREEN_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  text_trim(text);
  screen_put(out, text, SCREEN_COLUMNS);
  fputc('\n', out);
}

const char *screen_cell(const char *text, size_t columns, char out[SCREEN_CELL])
{
  size_t size = text_fit(text, SCREEN_CELL - columns - 1, columns);
  memcpy(out, text, size);
  out[size] = '\0';
  size_t filled = text_columns(out);
  memset(out + size, ' ', columns - filled);
  out[size + columns - filled] = '\0';
  return out;
}

/* Of a word that no line has room for, as a path may be: what fits on one. Whole words else. */
static size_t piece_of(const char *text, size_t columns)
{
  size_t size = strcspn(text, " "), fits = text_fit(text, size, columns);
  return fits > 0 ? fits : size;
}

void screen_paragraph(FILE *out, int indent, const char *text)
{
  size_t column = 0, room = SCREEN_COLUMNS - (size_t) indent;
  while (*text != '\0') {
    size_t size = piece_of(text, room), width = 0;
    char word[4 * SCREEN_COLUMNS + SCREEN_CELL];
    snprintf(word, sizeof word, "%.*s", (int) size, text);
    width = text_columns(word);
    bool fits = column > 0 && column + 1 + width <= SCREEN_COLUMNS;
    if (column > 0) fputc(fits ? ' ' : '\n', out);
    if (!fits) fprintf(out, "%*s", indent, "");
    column = fits ? column + 1 + width : (size_t) indent + width;
    put_printable(out, text, size);
    text += size + strspn(text + size, " ");
  }
  if (column > 0) fputc('\n', out);
}
