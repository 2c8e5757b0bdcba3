/* What a terminal can do is read from the environment, by the conventions of TERM (terminfo's
   "dumb") and NO_COLOR (no-color.org); its size is asked of the kernel each time, as windows
   change. */
#define _DEFAULT_SOURCE
#include "base/terminal.h"

#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80
#define ROWS    24

/* "": it is not set. */
static const char *setting(const char *name)
{
  const char *value = getenv(name);
  return value != NULL ? value : "";
}

bool terminal_paints(int descriptor)
{
  const char *kind = setting("TERM");
  if (isatty(descriptor) == 0 || setting("NO_COLOR")[0] != '\0') return false;
  return kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

bool terminal_look(int descriptor, struct terminal *out)
{
  struct winsize window = {0};
  struct pollfd takes = {.fd = descriptor, .events = POLLOUT};
  if (!terminal_paints(descriptor)) return false;
  bool told = ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0;
  *out = (struct terminal){.columns = told ? window.ws_col : COLUMNS,
                           .rows = told ? window.ws_row : ROWS,
                           .ready = poll(&takes, 1, 0) == 1 && (takes.revents & POLLOUT) != 0};
  return true;
}
