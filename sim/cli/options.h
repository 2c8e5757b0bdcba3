/* What getopt_long could not take, by its name: the same sentence in every verb. */
#ifndef FLEETSIM_CLI_OPTIONS_H
#define FLEETSIM_CLI_OPTIONS_H

#include <getopt.h>

#include "base/error.h"

/* After getopt_long, with an option string that begins with ":", gave ':' or '?' for `argv`. Sets a
 * USAGE sentence; always returns -1. What stands behind the name's '=' is not repeated: it may be a
 * secret. */
int verb_bad_option(int given, char **argv, const struct option *options, struct error *error);

/* Of a verb without options but --help: the first argument that looks like one, or NULL. */
const char *verb_stray_option(int argc, char **argv);

#endif
