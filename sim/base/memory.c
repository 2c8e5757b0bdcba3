/* The end for want of memory: nothing here allocates, and stdio, which may, is left out. */
#define _POSIX_C_SOURCE 200809L
#include "base/memory.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

static void say(const char *text)
{
  (void) !write(STDERR_FILENO, text, strlen(text));
}

_Noreturn void memory_gone(const char *what)
{
  say("fleetsim: out of memory for ");
  say(what);
  say(": there are no results; free some memory, or use a smaller fleet\n");
  _exit(EXIT_CODE_INTERNAL);
}
