/* Our own device before a hostile server: the firmware's client, in a body on this loop. */
#ifndef FLEETSIM_GAUNTLET_OWN_DEVICE_H
#define FLEETSIM_GAUNTLET_OWN_DEVICE_H

#include "gauntlet/trial.h"
#include "net/backend.h"

/* trial_setting.client_setting: a `struct backend *` of that loop. */
extern const struct trial_client own_device;

#endif
