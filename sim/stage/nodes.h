/* The brokers of a run: one or several of its own, or those that stand elsewhere. */
#ifndef FLEETSIM_STAGE_NODES_H
#define FLEETSIM_STAGE_NODES_H

#include "stage/stage.h"

void stage_end_nodes(struct stage *stage, void (*turn)(struct stage *stage, const bool *flag));

bool stage_is_reachable(const struct stage *stage, size_t node); /* neither down nor frozen */
bool stage_has_broker(const struct stage *stage);                /* one is reachable */
uint64_t stage_timed_out(const struct stage *stage);

#endif
