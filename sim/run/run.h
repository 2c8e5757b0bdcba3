/* Runs a checked scenario from set-up to verdict. */
#ifndef FLEETSIM_RUN_H
#define FLEETSIM_RUN_H

#include <stdbool.h>

#include "base/error.h"
#include "scenario/scenario.h"
#include "stage/options.h"
#include "world/world.h"

/* Returns the exit code. The world is new, and settled afterwards unless something does not end.
 * Writes results into options->out, and says so in `written`, unless the folder itself cannot be
 * used, or the run was refused and the folder holds an earlier one: that stays as it is. `error`
 * holds the reason for a code other than 0 and 1 unless the printed summary has told it: then its
 * text is empty. */
enum exit_code run_scenario(struct world *world, const struct scenario *scenario,
                            const struct stage_options *options, bool *written,
                            struct error *error);

/* What a run would refuse before it writes or sends anything: devices that its fleet does not have,
 * files of images and lists that are not there or would be refused, and, with a fleet folder
 * (`fleet`, NULL: the run makes one), what cannot be done with that. 0, or -1 with the sentence. */
int run_check(const struct scenario *scenario, const char *fleet, struct error *error);

#endif
