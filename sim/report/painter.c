/* ECMA-48: CUU moves up, EL clears to the right, ED clears below. A line is cleared behind its text
 * and not before it, so that nothing flickers. One write (stderr has no buffer), so that the echo of a
 * key, as of Ctrl-C, does not come into the midst of a line. */
#define _POSIX_C_SOURCE 200809L
#include "report/painter.h"

#include <stdlib.h>
#include <string.h>

#define LEFT        "\r"
#define CLEAR_RIGHT "\033[K"
#define CLEAR_BELOW "\033[J"

static void put_picture(FILE *out, const char *text, size_t lines)
{
  fputs(LEFT, out);
  for (size_t l = 0; l < lines; l++) {
    size_t size = strcspn(text, "\n");
    fprintf(out, "%.*s" CLEAR_RIGHT "%s", (int) size, text, l + 1 < lines ? "\r\n" : "");
    text += size + (text[size] == '\n');
  }
  fputs(CLEAR_BELOW LEFT, out);
  if (lines > 1) fprintf(out, "\033[%zuA", lines - 1);
}

void painter_show(FILE *terminal, const char *text, size_t lines)
{
  char *picture = NULL;
  size_t size;
  FILE *out = open_memstream(&picture, &size);
  if (out == NULL) return;
  put_picture(out, text, lines);
  if (fclose(out) == 0) (void) fwrite(picture, 1, size, terminal);
  fflush(terminal);
  free(picture);
}

void painter_clear(FILE *terminal)
{
  fputs(LEFT CLEAR_BELOW, terminal);
  fflush(terminal);
}
