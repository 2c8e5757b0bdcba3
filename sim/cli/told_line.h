/* A command line as results tell it: what was asked for, without what may be secret. */
#ifndef FLEETSIM_CLI_TOLD_LINE_H
#define FLEETSIM_CLI_TOLD_LINE_H

#include "cli/args.h"
#include "cli/overrides.h"
#include "report/results.h"

struct told_line {
  struct results_asked asked;
  const char **words;
  struct results_set *sets;
};

/* All texts of it are its own. 0, or -1: no memory. */
int told_line_make(const struct args *args, const struct overrides *overrides,
                   struct told_line *out, struct error *error);
void told_line_free(struct told_line *line);

/* Puts "***" in place of what stands behind the first '=' where that may hold a secret: the text has
 * `password` (not -file or -column), `hooks` or `command` in it; and masks URLs. In place. */
void told_line_mask(char *text);

#endif
