/* The reconnect policies that are in force at once: devices keep a number of this table. */
#ifndef FLEETSIM_FLEET_POLICIES_H
#define FLEETSIM_FLEET_POLICIES_H

#include "fleet/config.h"

struct fleet;

/* The policy's number, a new one if it has none; FLEET_POLICIES_MAX: as many others are in
   force. */
size_t policies_number(struct fleet *fleet, const struct backoff_policy *policy);

#endif
