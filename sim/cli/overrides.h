/* What the command line changes in a scenario: --set PATH=VALUE, and options that are short for
 * one. */
#ifndef FLEETSIM_CLI_OVERRIDES_H
#define FLEETSIM_CLI_OVERRIDES_H

#include "cli/args.h"
#include "scenario/scenario.h"

#define OVERRIDES_MAX 64

/* In the order of the command line: of two for one path the later holds. */
struct overrides {
  struct scenario_override at[OVERRIDES_MAX];
  size_t count;
};

/* Both texts must outlive the overrides; a USAGE sentence beyond OVERRIDES_MAX. */
int overrides_add(struct overrides *overrides, const char *path, const char *value,
                  struct error *error);

/* `take` of --set. */
int overrides_take_set(const struct args_option *option, char *value, void *to,
                       struct error *error);

/* `take` of an option whose value is that of the path in option->what. */
int overrides_take_value(const struct args_option *option, char *value, void *to,
                         struct error *error);

#endif
