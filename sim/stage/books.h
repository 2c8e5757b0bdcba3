/* The books of messages: what the devices say of their telemetry beside what arrived of it. */
#ifndef FLEETSIM_STAGE_BOOKS_H
#define FLEETSIM_STAGE_BOOKS_H

#include "stage/stage.h"

/* Telemetry of the devices in use of which it is still open whether it arrives: neither
 * acknowledged to them and delivered to the operator, nor refused. */
uint64_t stage_unsettled(struct stage *stage);

/* Telemetry that was sent and has not reached the operator, and how much of it some broker has
 * acknowledged to the devices; and how much of it, of the devices in use, a broker has refused. */
uint64_t stage_missing(struct stage *stage, uint64_t *acknowledged);
uint64_t stage_refused(struct stage *stage);

/* The plan has taken a broker away: what that one acknowledged and the operator does not have may
 * be lost with it. */
void stage_book_risk(struct stage *stage, bool killed);

/* What to ask where acknowledged messages are missing after a restart elsewhere. */
#define STAGE_KEEPS_NOTHING \
  "does the broker keep sessions and messages over a restart ('persistence true' of mosquitto)?"

/* Puts what the operator counted into the metrics; at the end of the run what was lost, and whether
 * all adds up. */
void stage_count_tally(struct stage *stage);
void stage_close_books(struct stage *stage);

#endif
