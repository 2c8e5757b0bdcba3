/* Where devices find the brokers of a run. */
#ifndef FLEETSIM_STAGE_PLACES_H
#define FLEETSIM_STAGE_PLACES_H

#include "stage/stage.h"

/* 0, or -1 with stage->error. */
int stage_set_places(struct stage *stage, struct fleet_config *config);
int stage_lead(struct stage *stage, const struct scenario_name *lead, struct fleet_place *place);

#endif
