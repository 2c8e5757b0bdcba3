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

/* Bytes of its NVM, with its power on or off. -1: outside. */
int power_read_page(const struct member *member, uint32_t offset, void *out, size_t size);

/* After a power cut it has met something else, which is why its update is not done: unless that was rolled
 * back by the cut. */
void power_met_otherwise(struct member *member);

/* Its update was rolled back: by a power cut, or else the cuts of this step are not why. */
void power_rolled_back(struct member *member);

/* A power cut of this step is why its update is not done: it has not come back since, has been rolled back
 * by it, or goes on. */
bool power_cut_lasts(const struct member *member);

/* How long a restart takes until the application runs. */
uint64_t power_boot_time_ms(struct member *member);

#endif
