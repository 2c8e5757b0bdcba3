/* What devices say of their firmware updates becomes facts, metrics and events; and how new images
 * behave. */
#ifndef FLEETSIM_FLEET_FIRMWARE_H
#define FLEETSIM_FLEET_FIRMWARE_H

#include "fleet/facts.h"

struct fleet;
struct member;

/* Rows for a fleet whose profile takes updates. -1: no memory. */
int firmware_create(struct fleet *fleet);
size_t firmware_row_bytes(void);

/* NULL: these devices take no updates. */
struct fleet_ota_facts *firmware_facts(const struct member *member);

/* BOOTED, OTA and OTA_BYTES; that the device could not boot. */
void firmware_note(struct member *member, const struct device_note *note);
void firmware_bricked(struct member *member);

/* Its operations on flash took so long, modelled. */
void firmware_add_flash_us(struct member *member, uint64_t us);

/* Bytes of a file have come for the device; those that came are of a file that it has left; and its
   power has gone, and with it what it had not stored. */
void firmware_came(struct member *member, size_t bytes);
void firmware_forget_came(struct member *member);
void firmware_lost(struct member *member);

/* The hook; and whether the image in its trial hangs. */
int firmware_self_test(void *member);
bool firmware_hangs(const struct member *member);

#endif
