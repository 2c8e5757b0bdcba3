/* The tree of verbs, for what is made of all of it: completion and the manual page. */
#ifndef FLEETSIM_CLI_WALK_H
#define FLEETSIM_CLI_WALK_H

#include "cli/args.h"

#define WALK_PATH_MAX 80 /* "fleetsim pki make" */

/* Calls `each` for this verb or group and all that are listed below it, those of a group after it;
 * `path` is what is typed: "fleetsim pki make". */
void walk_verbs(const struct args_verb *verb,
                void (*each)(const struct args_verb *verb, const char *path, FILE *out), FILE *out);

/* How many of its verbs are listed. */
size_t walk_count(const struct args_verb *verb);

#endif
