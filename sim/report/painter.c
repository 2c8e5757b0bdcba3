/* ECMA-48: CUU moves up, EL clears to the right, ED clears below. A line is cleared behind its
   text and not before it, so that nothing flickers; one flush, so that a turn of the screen has
   it whole. */
#include "report/painter.h"

#include <string.h>

#define LEFT        "\r"
#define CLEAR_RIGHT "\033[K"
#define CLEAR_BELOW "\033[J"

void painter_show(FILE *terminal, const char *text, size_t lines)
{
  fputs(LEFT, terminal);
  for (size_t l = 0; l < lines; l++) {
    size_t size = strcspn(text, "\n");
    fprintf(terminal, "%.*s" CLEAR_RIGHT "%s", (int) size, text, l + 1 < lines ? "\r\n" : "");
    text += size + (text[size] == '\n');
  }
  fputs(CLEAR_BELOW LEFT, terminal);
  if (lines > 1) fprintf(terminal, "\033[%zuA", lines - 1);
  fflush(terminal);
}

void painter_clear(FILE *terminal)
{
  fputs(LEFT CLEAR_BELOW, terminal);
  fflush(terminal);
}
