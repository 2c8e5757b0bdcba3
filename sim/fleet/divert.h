/* Members whose connections somebody leads elsewhere: to an address that is none of the plan's
 * places, while they ask for the name that they always ask for. The device itself knows nothing. */
#ifndef FLEETSIM_FLEET_DIVERT_H
#define FLEETSIM_FLEET_DIVERT_H

#include "fleet/config.h"

struct fleet;
struct member;

/* From the next attempt on. -1: no memory. */
int divert_begin(struct member *member, const struct fleet_diversion *diversion);
void divert_end(struct member *member);

/* Where this attempt goes, and from which address; NULL: as the plan says. */
const struct sockaddr_storage *divert_to(struct member *member);
const struct sockaddr_storage *divert_from(const struct member *member);

/* This attempt has gone there, or the one before if none is open: no broker has seen it. */
bool divert_has_led(const struct member *member);

/* It may end so: of an attempt that went there, and of a session that was cut for it. */
bool divert_foretells(const struct member *member, enum device_failure failure);

void divert_free(struct fleet *fleet);

#endif
