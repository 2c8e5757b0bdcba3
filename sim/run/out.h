/* The folder for results, and whose it is. Internal to sim/run.
 *
 * run_out_open takes it: nobody else's run is under way there, and it holds no earlier run's
 * results, or --overwrite is given. It changes nothing in it. run_out_begin comes after everything
 * that can be refused without writing: it clears an earlier run away and opens events.ndjson with
 * the id of this one.
 */
#ifndef FLEETSIM_RUN_OUT_H
#define FLEETSIM_RUN_OUT_H

#include "stage/stage.h"

int run_out_open(struct stage *stage);
int run_out_begin(struct stage *stage);

/* After a refusal: results are written where that hurts no earlier ones. */
void run_out_begin_refused(struct stage *stage);

void run_out_close(struct stage *stage); /* gives the folder to the next run */

#endif
