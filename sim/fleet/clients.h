/* The device clients that a fleet can be made of, by name. A new one is a line of the table in
 * clients.c; unit/fleet/conformance.h holds it against include/fleetsim/device.h. */
#ifndef FLEETSIM_FLEET_CLIENTS_H
#define FLEETSIM_FLEET_CLIENTS_H

#include "fleetsim/device.h"

/* The client of that name; NULL: there is none. */
const struct device_ops *clients_find(const char *name);

/* Number `index` of the table, 0: the one that devices have where nobody chooses. NULL: there are
   no more. */
const struct device_ops *clients_at(size_t index);

#endif
