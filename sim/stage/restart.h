/* The proof that a broker which stands elsewhere was restarted. */
#ifndef FLEETSIM_STAGE_RESTART_H
#define FLEETSIM_STAGE_RESTART_H

#include "stage/stage.h"

/* Calls the hook 'restart' and waits until every session that was open at every address of the
 * broker has ended (10 s) and each address lets clients in again, and devices that it did before
 * (20 s each). FAILED says which did not. */
enum step_outcome stage_restart_elsewhere(struct stage *stage);

#endif
