/* What takes back the steps of the phase under way, for on_fail: rollback. */
#ifndef FLEETSIM_STAGE_UNDO_H
#define FLEETSIM_STAGE_UNDO_H

#include "stage/stage.h"

/* A phase begins: a rollback leads back to how things are now. */
void stage_undo_begin(struct stage *stage);

/* Remembers the step that takes back what is about to be done. 0, or -1 with the run aborted, for
 * want of memory. */
int stage_undo_with(struct stage *stage, const struct scenario_step *inverse);

#endif
