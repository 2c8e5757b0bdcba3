/* What is presented at the second listener must not come to the first: that one is production. */
#ifndef FLEETSIM_STAGE_APART_H
#define FLEETSIM_STAGE_APART_H

#include "stage/stage.h"

/* Leaves that main listeners serve, by their prints; of 0: none was seen, or it was not looked at. */
struct stage_leaves {
  struct chain_prints of[SCENARIO_NODES_MAX];
};

/* Looks once at the main listener of each broker elsewhere whose hook is to change another one. DONE,
 * or ABORTED. */
enum step_outcome stage_apart_look(struct stage *stage, struct stage_leaves *out);

/* Looks again when the hook has run. FAILED with stage->error where one serves now what was written for
 * the second listener, and did not before. */
enum step_outcome stage_apart_check(struct stage *stage, const struct stage_leaves *before);

#endif
