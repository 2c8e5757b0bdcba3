/* The variables of proxies go out of our own environment before a library can read them; a copy of
 * what the caller gave is kept for hooks, which are the user's own programs. Without memory for
 * the copy the process ends. */
#define _POSIX_C_SOURCE 200809L
#include "base/environment.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

static char **callers;

/* The strings stay where they are: unsetenv takes pointers out of environ and frees nothing of
   it. */
void environment_begin(void)
{
  static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};
  size_t count = 0;
  while (environ[count] != NULL) count++;
  free(callers);
  callers = calloc(count + 1, sizeof *callers);
  if (callers == NULL) memory_gone("the environment");
  memcpy(callers, environ, count * sizeof *callers);
  for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) unsetenv(proxies[i]);
}

char *const *environment_of_caller(void)
{
  return callers != NULL ? callers : environ;
}
