/* Who alone gives devices events and applies the effects: the backend's callbacks, what is due, and
 * the plan's wishes that cannot wait. */
#ifndef FLEETSIM_FLEET_FEED_H
#define FLEETSIM_FLEET_FEED_H

#include "fleet/telemetry.h"
#include "net/backend.h"

/* Of every member's connection. */
extern const struct backend_handler feed_handler;

void feed_event(struct member *member, struct device_event *event);

/* Ends the attempt or session in an orderly way. */
void feed_stop(struct member *member);

/* Breaks it off without a word to either side. */
void feed_cut(struct member *member);

/* One message of that planned moment. */
enum telemetry_outcome feed_telemetry(struct member *member, uint64_t planned_ms,
                                      const struct fleet_telemetry *of);

#endif
