/* Character references rather than backslashes: renderers agree on them in tables, in code elements
 * and before a letter that is no punctuation. */
#define _POSIX_C_SOURCE 200809L
#include "report/markdown.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/text.h"

void markdown_begin(struct markdown_page *page)
{
  *page = (struct markdown_page){.text = NULL};
  page->out = open_memstream(&page->text, &page->size);
}

int markdown_end(struct markdown_page *page, const char *path, struct error *error)
{
  bool whole = page->out != NULL && ferror(page->out) == 0;
  if (page->out != NULL && fclose(page->out) != 0) whole = false;
  int status = whole ? files_write(path, page->text, page->size, 0644, error)
                     : error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  free(page->text);
  return status;
}

static bool is_word(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Inside a word an underscore marks nothing (GFM 6.2); names are full of them. */
static bool is_markup(const char *text, const char *at)
{
  if (strchr("&<>|\\`*[]#!~$@{}\"", *at) != NULL) return true;
  return *at == '_' && (at == text || !is_word(at[-1]) || !is_word(at[1]));
}

static void put_character(FILE *out, const char *text, const char *at, unsigned size)
{
  unsigned char c = (unsigned char) *at;
  bool steers = (size == 1 && (c < 0x20 || c == 0x7f)) ||
                (size == 2 && c == 0xc2 && (unsigned char) at[1] < 0xa0);
  if (size == 0)
    fputs("\xef\xbf\xbd", out);
  else if (steers)
    fputc(' ', out);
  else if (size == 1 && is_markup(text, at))
    fprintf(out, "&#%u;", (unsigned) c);
  else
    (void) fwrite(at, 1, size, out);
}

void markdown_text(FILE *out, const char *text)
{
  for (const char *at = text; *at != '\0';) {
    unsigned size = text_letter(at);
    put_character(out, text, at, size);
    at += size > 0 ? size : 1;
  }
}

void markdown_code(FILE *out, const char *text)
{
  fputs("<code>", out);
  markdown_text(out, text);
  fputs("</code>", out);
}

void markdown_block(FILE *out, const char *text)
{
  size_t fence = 3;
  for (const char *at = text; *at != '\0'; at += *at == '`' ? 0 : 1) {
    size_t ticks = strspn(at, "`");
    if (ticks >= fence) fence = ticks + 1;
    at += ticks;
    if (*at == '\0') break;
  }
  size_t size = strlen(text);
  for (size_t t = 0; t < fence; t++) fputc('`', out);
  fprintf(out, "text\n%s%s", text, size > 0 && text[size - 1] == '\n' ? "" : "\n");
  for (size_t t = 0; t < fence; t++) fputc('`', out);
  fputc('\n', out);
}
