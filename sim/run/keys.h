/* Where the secrets of a run lie: OUT.keys, beside the folder for results, which people keep and send
 * around. In it `fleet`, if the run makes its own, and a folder for each broker and the update server.
 * Internal to sim/run.
 */
#ifndef FLEETSIM_RUN_KEYS_H
#define FLEETSIM_RUN_KEYS_H

#include "stage/stage.h"

/* Says where (stage->keys), and locks it if it is there; the folder for results is. Nothing is written.
   -1: what lies there is no earlier run's, or one's that --keys names without --overwrite, or another run
   uses it. */
int run_keys_find(struct stage *stage);

/* Makes the folder (0700), without what an earlier run has left there; a fleet is left to a run with
   --fleet. */
int run_keys_begin(struct stage *stage);

#endif
