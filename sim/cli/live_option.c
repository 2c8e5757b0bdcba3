/* Where the live page is served, and who is told. The token, without which nothing can be asked of
 * the run, goes to a terminal alone: what stderr is sent to else is kept, and read by others. */
#define _POSIX_C_SOURCE 200809L
#include "cli/live_option.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct live_place usual = {.host = "127.0.0.1", .loopback = true};

int live_option_take(const struct args_option *option, char *value, void *to, struct error *error)
{
  (void) option;
  struct live_option *live = to;
  live->on = true;
  live->place = usual;
  return value == NULL ? 0 : live_place_read(value, &live->place, error);
}

bool live_option_is_value(const char *word)
{
  return live_is_place(word);
}

static int check_allowed(const struct live_place *place, const char *allowed, struct error *error)
{
  if (place->loopback || (allowed != NULL && strcmp(allowed, place->host) == 0)) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the live page at %s could be seen from other machines, unencrypted: if that is "
                   "wanted, say so twice, with --allow-live %s as well",
                   place->host, place->host);
}

static void tell(const struct live *live)
{
  if (isatty(STDERR_FILENO))
    fprintf(stderr, "live page: %s#%s\n", live_url(live), live_token(live));
  else
    fprintf(stderr, "live page: %s (without controls: only a terminal is told the token)\n",
            live_url(live));
}

int live_option_open(const struct live_option *option, const char *allowed, struct live **out,
                     struct error *error)
{
  *out = NULL;
  if (!option->on) return 0;
  if (check_allowed(&option->place, allowed, error) != 0 ||
      live_open(&option->place, out, error) != 0)
    return -1;
  tell(*out);
  return 0;
}
