/* The brokers of a run: one or several mosquittos of its own, or those that stand elsewhere. */
#ifndef FLEETSIM_STAGE_NODES_H
#define FLEETSIM_STAGE_NODES_H

#include "stage/stage.h"

int stage_start_nodes(struct stage *stage); /* with their first chains */
void stage_end_nodes(struct stage *stage, void (*turn)(struct stage *stage, const bool *flag));

bool stage_is_reachable(const struct stage *stage, size_t node); /* neither down nor frozen */
bool stage_has_broker(const struct stage *stage);                /* one is reachable */
uint64_t stage_timed_out(const struct stage *stage);

/* Writes the file of roots by which brokers trust clients. 0, or -1 with stage->error. */
int stage_write_client_ca(struct stage *stage, const struct pki_roots *roots);

#endif
