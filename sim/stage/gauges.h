/* The gauges of a run: what stands as it is now, beside what is counted. */
#ifndef FLEETSIM_STAGE_GAUGES_H
#define FLEETSIM_STAGE_GAUGES_H

#include "stage/stage.h"

void stage_gauges(struct stage *stage);

/* devices.lost counts it. */
bool stage_is_lost(const struct fleet_facts *facts);

#endif
