/* What takes back the steps of the phase under way, for on_fail: rollback. */
#ifndef FLEETSIM_STAGE_UNDO_H
#define FLEETSIM_STAGE_UNDO_H

#include "stage/stage.h"

/* Remembers the step that takes back what is being done. */
void stage_undo_with(struct stage *stage, const struct scenario_step *inverse);

#endif
