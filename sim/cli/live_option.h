/* --live of `fleetsim run`: the live page of the run that follows. Internal to sim/cli. */
#ifndef FLEETSIM_CLI_LIVE_OPTION_H
#define FLEETSIM_CLI_LIVE_OPTION_H

#include "cli/args.h"
#include "live/live.h"

struct live_option {
  bool on;
  struct live_place place;
};

/* --live [ADDR:PORT]; for args_option.take and .is_value. */
int live_option_take(const struct args_option *option, char *value, void *to, struct error *error);
bool live_option_is_value(const char *word);

/* Opens it and prints where it is, once; *out is NULL where it is not asked for. An address beyond
 * loopback is served only if --allow-live (`allowed`, NULL: not given) names it too. */
int live_option_open(const struct live_option *option, const char *allowed, struct live **out,
                     struct error *error);

#endif
