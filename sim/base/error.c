/* Sentences for people, made safe on their way in: what is too long is cut between letters,
 * secrets of URLs become stars, control characters go. Nothing here fails; a caller without an
 * error to fill loses the sentence only. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#include "base/mask.h"

/* What is quoted of a file or a peer must not move the cursor of a terminal, nor begin a line of a
   log. */
static void make_printable(char *text)
{
  for (unsigned char *c = (unsigned char *) text; *c != '\0'; c++)
    if (*c == '\t' || *c == '\n' || *c == '\r')
      *c = ' ';
    else if (*c < ' ' || *c == 0x7f)
      *c = '?';
    else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) /* the other controls, in UTF-8 */
      c[0] = c[1] = '?';
}

int error_set(struct error *e, enum exit_code code, const char *format, ...)
{
  if (e == NULL) return -1;
  va_list args;
  va_start(args, format);
  e->code = code;
  if (vsnprintf(e->text, sizeof e->text, format, args) >= (int) sizeof e->text) text_trim(e->text);
  va_end(args);
  mask_urls(e->text);
  make_printable(e->text);
  return -1;
}

const char *error_remedy(int system_error)
{
  switch (system_error) {
  case EMFILE: return ": raise the limit of open files (ulimit -n)";
  case ENFILE: return ": this machine has no file descriptor left; end other programs";
  case EAGAIN: return ": raise the limit of processes and threads (ulimit -u)";
  case ENOMEM: return ": this machine has no memory left; end other programs";
  case ENOSPC: return ": make room on the disk";
  default: return "";
  }
}

int error_wrap(struct error *e, const char *format, ...)
{
  if (e == NULL) return -1;
  char context[256];
  va_list args;
  va_start(args, format);
  if (vsnprintf(context, sizeof context, format, args) >= (int) sizeof context) text_trim(context);
  va_end(args);

  char text[sizeof e->text];
  snprintf(text, sizeof text, "%.*s", (int) sizeof text - 1, e->text);
  if (snprintf(e->text, sizeof e->text, "%s: %.*s", context,
               (int) (sizeof text - sizeof context - 4), text) > 0)
    text_trim(e->text);
  mask_urls(e->text);
  make_printable(e->text);
  return -1;
}
