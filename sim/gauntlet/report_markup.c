/* Escapes, letter by letter; and files that are put together in memory. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/report_markup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/text.h"

static const char replacement[] = "\xef\xbf\xbd";

static bool is_control(const char *letter, unsigned size)
{
  unsigned char c = (unsigned char) *letter;
  if (size == 1) return c < 0x20 || c == 0x7f;
  return size == 2 && c == 0xc2 && (unsigned char) letter[1] < 0xa0;
}

static bool is_no_character(const char *letter, unsigned size)
{
  return size == 3 &&
         (memcmp(letter, "\xef\xbf\xbe", 3) == 0 || memcmp(letter, "\xef\xbf\xbf", 3) == 0);
}

static void put_plain_letter(FILE *out, const char *letter, unsigned size)
{
  if (size == 0 || is_no_character(letter, size))
    fputs(replacement, out);
  else if (is_control(letter, size))
    fputc(' ', out);
  else
    (void) fwrite(letter, 1, size, out);
}

void report_markup_put(FILE *out, const char *text)
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

void report_markup_begin(struct report_markup *page)
{
  *page = (struct report_markup){.text = NULL};
  page->out = open_memstream(&page->text, &page->size);
}

const char *report_markup_text(struct report_markup *page)
{
  bool whole = page->out != NULL && ferror(page->out) == 0;
  if (page->out != NULL && fclose(page->out) != 0) whole = false;
  page->out = NULL;
  return whole ? page->text : NULL;
}

void report_markup_release(struct report_markup *page)
{
  if (page->out != NULL) fclose(page->out);
  free(page->text);
  *page = (struct report_markup){.text = NULL};
}

int report_markup_end(struct report_markup *page, const char *folder, const char *name,
                      struct error *error)
{
  char path[FILES_PATH_MAX];
  const char *text = report_markup_text(page);
  int status = files_join(path, folder, name, error);
  if (status == 0)
    status = text != NULL
                 ? files_write(path, text, page->size, 0644, error)
                 : error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  report_markup_release(page);
  return status;
}
