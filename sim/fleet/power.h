/* What a device's flash and memory do, and when its power fails in the middle of that. */
#ifndef FLEETSIM_FLEET_POWER_H
#define FLEETSIM_FLEET_POWER_H

#include "fleet/config.h"

struct fleet;
struct member;

/* Rows for a fleet whose profile takes updates. -1: no memory. */
int power_create(struct fleet *fleet);
size_t power_row_bytes(void);

/* Its dice, by those of the member. */
void power_init(struct member *member);

/* As fleet_power_cut, for device number `turn` of `count`. */
void power_arm_cuts(struct member *member, const struct fleet_power_cuts *cuts, uint32_t turn,
                    uint32_t count);

/* The hooks for random, NVM and flash, with the power cuts that are armed. */
void power_lend(struct member *member, struct device_host *host);

/* How long a restart takes until the application runs. */
uint64_t power_boot_time_ms(struct member *member);

#endif
