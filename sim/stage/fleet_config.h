/* How the fleet is made; a fleet of clones differs in who is in it, and in its telemetry's mark. */
#ifndef FLEETSIM_STAGE_FLEET_CONFIG_H
#define FLEETSIM_STAGE_FLEET_CONFIG_H

#include "stage/stage.h"

/* 0, or -1 with stage->error. */
int stage_fleet_config(struct stage *stage, struct fleet_config *out);
uint32_t stage_clones_mark(const struct stage *stage);

/* Telemetry, as the fleet takes it; of a payload that outlives the fleet. */
struct fleet_telemetry stage_telemetry(const struct scenario_telemetry *telemetry);

#endif
