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

/* How long one look has: as long as a device's attempt (scenario_look_ms); and of a step that ends at
 * `until_ms` (stage_elapsed_ms) no longer than that, but 5 s in any case. */
uint64_t stage_look_ms(const struct stage *stage);
uint64_t stage_look_until(const struct stage *stage, uint64_t until_ms);

/* Looks go on until what they see is as it should be, ever less often, as a broker may count who
 * comes: the pause (ms) before the next one, after the one before the last look was `pause_ms`; 0:
 * it was the first, and `first_ms` follow. The longest is 4 s. */
uint64_t stage_longer_pause(uint64_t pause_ms, uint64_t first_ms);

/* Waits as long as that, from 100 ms on, but no longer than until `until_ms`. `*pause_ms` is 0 at
 * first. False: the run was aborted. */
bool stage_pause_longer(struct stage *stage, uint64_t *pause_ms, uint64_t until_ms);

#endif
