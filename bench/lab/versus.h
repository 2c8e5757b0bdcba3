/* Two JSON files of one bench side by side: what moved from round to round, told by the same rank
 * test as runs are (report/shift.h). */
#ifndef FLEETSIM_BENCH_VERSUS_H
#define FLEETSIM_BENCH_VERSUS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

#define VERSUS_NAME 120

/* -1 and a USAGE error: one of them is no file of a bench or its figures do not count, it has no
 * rounds, or, unless `anyway`, they are of two benches, machines, fleets or rates. */
int versus_alike(const json_t *a, const json_t *b, bool anyway, struct error *error);

/* An array of {name, a, b, change, p, state, ours}, one for each list of rounds that both have, and
 * for the ratio of ours to each peer, round by round: what slows the machine slows down both. `ours`:
 * it is about fleetsim, and not about the peers or the floor, which tell how the machine was. NULL: no
 * memory. */
json_t *versus_rows(const json_t *a, const json_t *b, double threshold);

/* Whether one of ours is worse. */
bool versus_alarms(const json_t *rows);

#endif
