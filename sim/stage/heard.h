/* What the back office has heard, and for how long it could hear nothing. */
#ifndef FLEETSIM_STAGE_HEARD_H
#define FLEETSIM_STAGE_HEARD_H

#include "stage/stage.h"

void stage_collect(struct stage *stage);
void stage_office_gauges(struct stage *stage);

/* A step that may take its broker away from the back office begins; it has ended. From the first to
 * when the office is back after the second its absence is foretold, and no longer: who throws it
 * off later does so unforetold. Where it has not noticed by the end of the step it may within 10 s,
 * or as long as the broker where it is at home is down or frozen; a step that does not `surely` take
 * the broker away, as a hook that may restart it or not, gives it no such time. */
void stage_office_step_begins(struct stage *stage);
void stage_office_step_ends(struct stage *stage, bool surely);

#endif
