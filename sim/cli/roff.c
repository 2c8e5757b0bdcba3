/* What troff would take for more than text is escaped: a backslash, a hyphen that is to be copied
 * from the page, and a dot or quote that would begin a request. */
#include "cli/roff.h"

#include <stdbool.h>
#include <string.h>

#define LINE_MAX 66 /* characters of the text, of which some become two or more */

static void put_character(char c, bool begins, FILE *out)
{
  if (begins && (c == '.' || c == '\'')) fputs("\\&", out);
  switch (c) {
  case '\\': fputs("\\e", out); break;
  case '-': fputs("\\-", out); break;
  case '\'': fputs("\\(aq", out); break;
  case '^': fputs("\\(ha", out); break;
  case '~': fputs("\\(ti", out); break;
  case '`': fputs("\\(ga", out); break;
  default: fputc(c, out);
  }
}

/* A line of the source ends at the last blank before LINE_MAX; troff fills lines anew. */
void roff_part(const char *text, size_t size, FILE *out)
{
  size_t column = 0;
  for (size_t i = 0; i < size; i++) {
    bool blank = text[i] == ' ' || text[i] == '\n';
    if (!blank) {
      put_character(text[i], column == 0, out);
      column++;
    } else if (column > 0) {
      size_t word = 1 + strcspn(text + i + 1, " \n");
      bool full = column + word > LINE_MAX;
      fputc(full ? '\n' : ' ', out);
      column = full ? 0 : column + 1;
    }
  }
}

void roff_text(const char *text, FILE *out)
{
  roff_part(text, strlen(text), out);
}

void roff_paragraphs(const char *text, FILE *out)
{
  while (*(text += strspn(text, "\n")) != '\0') {
    const char *end = strstr(text, "\n\n");
    size_t size = end != NULL ? (size_t) (end - text) : strlen(text);
    while (text[size - 1] == '\n') size--;
    fputs(".PP\n", out);
    roff_part(text, size, out);
    fputc('\n', out);
    text += size;
  }
}

void roff_lines(const char *text, size_t size, FILE *out)
{
  fputs(".nf\n", out);
  bool begins = true;
  for (size_t i = 0; i < size; i++) {
    put_character(text[i], begins, out);
    begins = text[i] == '\n';
  }
  fputs("\n.fi\n", out);
}
