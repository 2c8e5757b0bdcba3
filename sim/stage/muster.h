/* How many devices trust which root, are known by which, and run which image, as columns of the run's
 * series (report/series.h): counted as they change, by the predicates of the quantities that gates
 * name, so that nobody goes through the fleet every second.
 */
#ifndef FLEETSIM_STAGE_MUSTER_H
#define FLEETSIM_STAGE_MUSTER_H

#include "stage/stage.h"

/* Counts all devices, once the fleet is made. -1: no memory. */
int stage_muster_begin(struct stage *stage);

/* Something that a quantity reads of this device is another now; `stage` as the fleet's
   config.changed has it. Nothing before stage_muster_begin. */
void stage_muster_changed(void *stage, size_t index);

/* What a beat finds: who is online goes into the series, and what has come to pass since. */
void stage_muster_look(struct stage *stage);

/* Whether the counts are those that going through the fleet would give: for assertions. */
bool stage_muster_is_right(const struct stage *stage);

/* The columns stay as they are from here on. */
void stage_muster_free(struct stage *stage);

#endif
