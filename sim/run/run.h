/* Runs a checked scenario from set-up to verdict. */
#ifndef FLEETSIM_RUN_H
#define FLEETSIM_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "scenario/scenario.h"

struct run_options {
  const char *out; /* folder for results; made if missing */
  /* an existing fleet folder (`fleetsim pki`), NULL: a new one in out/fleet */
  const char *fleet;
  bool overwrite;                     /* an earlier run's results in `out` may be lost */
  bool quiet;                         /* no progress and no summary */
  bool yes;                           /* answer every prompt with Enter */
  const char *const *allowed_targets; /* hosts beyond loopback that the command line names */
  size_t allowed_count;
  const char *version; /* of fleetsim */
};

/* Returns the exit code. Writes results into options->out, and says so in `written`, unless the
 * folder itself cannot be used, or the run was refused and the folder holds an earlier one: that
 * stays as it is. `error` holds the reason for a code other than 0 and 1 unless the printed summary
 * has told it: then its text is empty. */
enum exit_code run_scenario(const struct scenario *scenario, const struct run_options *options,
                            bool *written, struct error *error);

#endif
