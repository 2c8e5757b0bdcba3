/* The gauges of a run: what stands as it is now, beside what is counted. */
#ifndef FLEETSIM_STAGE_GAUGES_H
#define FLEETSIM_STAGE_GAUGES_H

#include "stage/stage.h"

void stage_gauges(struct stage *stage);

/* Of these, what this process takes up. */
void stage_measure_process(struct stage *stage);

/* fleet_measure_revoked; revoke.unrefused has no value while nobody is known to be let in and a list is
   in force by nobody's proof. */
void stage_measure_revoked(struct stage *stage, bool last);

#endif
