/* What a run is asked for beside its scenario. */
#ifndef FLEETSIM_STAGE_OPTIONS_H
#define FLEETSIM_STAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "report/onlooker.h"

struct stage_options {
  const char *out; /* folder for results; made if missing */
  /* folder for the run's private keys and passwords, of this run alone; NULL: OUT.keys */
  const char *keys;
  /* an existing fleet folder (`fleetsim pki`), NULL: a new one in keys/fleet */
  const char *fleet;
  bool compressed;                    /* the list of events */
  bool overwrite;                     /* an earlier run's results in `out` may be lost */
  bool quiet;                         /* no progress, and of the summary the verdict alone */
  bool yes;                           /* answer every prompt with Enter */
  const char *const *allowed_targets; /* hosts beyond loopback that the command line names */
  size_t allowed_count;
  const char *version;               /* of fleetsim */
  const struct results_asked *asked; /* for the results; NULL: nobody says */
  const struct onlooker *onlooker;   /* who looks at the run while it goes on; NULL: nobody */
};

#endif
