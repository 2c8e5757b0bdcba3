/* How a broker is looked at, where one look proves nothing. */
#ifndef FLEETSIM_STAGE_LOOKS_H
#define FLEETSIM_STAGE_LOOKS_H

#include "stage/stage.h"

#define STAGE_LOOK_FROM 16
#define STAGE_LOOKS_MAX 32u

/* How many looks in a row prove what a broker serves, or whom it takes, and the address that look
 * `look` (from 0) comes from, NULL: the system chooses. Several machines may stand behind one
 * address, and which one answers may go by where somebody comes from: they come from where the
 * devices do. */
unsigned stage_looks_needed(const struct stage *stage);
const char *stage_look_from(const struct stage *stage, unsigned look, char room[STAGE_LOOK_FROM]);

#endif
