/* Whether brokers elsewhere still let in who comes anew: sessions that were open before hide that they
 * do not. */
#ifndef FLEETSIM_STAGE_NEWCOMERS_H
#define FLEETSIM_STAGE_NEWCOMERS_H

#include "stage/stage.h"

/* What was changed, or NOW: nothing. */
enum stage_change { STAGE_CHANGED_LISTS, STAGE_CHANGED_CLIENTS, STAGE_CHANGED_NOTHING };

/* A hook is about to change something: one look with a certificate of nobody's under each CA that the
 * broker is to know, the back office's among them, where none was taken so far. DONE, or ABORTED. */
enum step_outcome stage_newcomers_note(struct stage *stage);

/* Whoever TLS took so before is taken still, at every look of a round: for 10 s, and where the broker
 * closes without a word, which may be for want of room, then at looks one by one, twice. After a change
 * of `STAGE_CHANGED_CLIENTS` only the back office's are looked at: callers.h has the others. Nobody, where
 * a list keeps everybody out. FAILED with stage->error, or ABORTED. */
enum step_outcome stage_newcomers_try(struct stage *stage, enum stage_change change);

#endif
