/* What the system says of a connection, as the failure that a device would report. */
#ifndef FLEETSIM_NET_FAILURE_H
#define FLEETSIM_NET_FAILURE_H

#include "fleetsim/failure.h"

/* The failure that an errno of connect, read or write is; TCP_OTHER for what has no name. */
enum device_failure net_failure(int error);

#endif
