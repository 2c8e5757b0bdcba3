/* How the brokers of a run begin. */
#ifndef FLEETSIM_STAGE_START_NODES_H
#define FLEETSIM_STAGE_START_NODES_H

#include "stage/nodes.h"

/* Opens and starts them, with their first chains. 0, or -1 with stage->error. */
int stage_start_nodes(struct stage *stage);

/* Writes the file of roots by which brokers trust clients. 0, or -1 with stage->error. */
int stage_write_client_ca(struct stage *stage, const struct pki_roots *roots);

#endif
