/* Where a list names nobody whom the brokers could be looked at as. */
#ifndef FLEETSIM_STAGE_LIST_STRANGERS_H
#define FLEETSIM_STAGE_LIST_STRANGERS_H

#include "stage/stage.h"

/* Whoever is on no list is kept out by one that is over: one round at each address that is
 * reachable, with a certificate of nobody's, while the list that was published last is not over,
 * and was told. What becomes of it is in stage_node.shuts_out. A broker that may close without a
 * word for another reason is looked at twice more, 10 s apart. DONE, or ABORTED; without a key to
 * make a certificate with it is DONE. */
enum step_outcome stage_list_look_as_nobody(struct stage *stage);

/* Looks again where nodes have shuts_mutely by other looks, which may have been too many: it is taken
 * back, or shuts_out follows. DONE, or ABORTED. */
enum step_outcome stage_list_make_sure(struct stage *stage);

#endif
