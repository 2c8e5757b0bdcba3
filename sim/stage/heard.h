/* What the back office has heard, and for how long it could hear nothing. */
#ifndef FLEETSIM_STAGE_HEARD_H
#define FLEETSIM_STAGE_HEARD_H

#include "stage/stage.h"

void stage_collect(struct stage *stage);
void stage_office_gauges(struct stage *stage);

#endif
