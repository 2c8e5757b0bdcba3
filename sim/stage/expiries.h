/* Until when the certificates and lists of the run are good: noted in its results as brokers are given them. */
#ifndef FLEETSIM_STAGE_EXPIRIES_H
#define FLEETSIM_STAGE_EXPIRIES_H

#include "stage/stage.h"

/* What that PEM file holds; each is noted once, however many brokers have it. */
void stage_note_expiries(struct stage *stage, const char *path);

/* The fleet's roots, and the CAs under them. */
void stage_note_own_expiries(struct stage *stage);

/* Says of the chain there, its owner's, that its leaf ends within 30 days, if it does and is not over. */
void stage_tell_short_chain(struct stage *stage, const char *path);

/* "2026-12-30", in UTC. Returns `out`. */
#define STAGE_DATE 16
const char *stage_date(int64_t unix_s, char out[STAGE_DATE]);

#endif
