/* The file of --summary-markdown, from before a run to its end. */
#ifndef FLEETSIM_CLI_SUMMARY_FILE_H
#define FLEETSIM_CLI_SUMMARY_FILE_H

#include "cli/args.h"

/* A kind of option, for `take`: as args_text, but for the names of a run's own files, and for what is
   there and no regular file. */
int summary_file_take(const struct args_option *option, char *value, void *to, struct error *error);

/* Writes that `scenario` has no verdict yet, and makes the file's folder: what keeps it from being
 * written is known before the run, and a page shows no earlier one's. -1: a SETUP error; USAGE where it
 * is the scenario itself. */
int summary_file_begin(const char *path, const char *scenario, struct error *error);

/* The summary of the results in `out`, or where they are not `written` why `scenario` has none. What
 * goes wrong is said: the results are whole without it. */
void summary_file_end(const char *path, const char *scenario, const char *out, bool written,
                      const char *why);

#endif
