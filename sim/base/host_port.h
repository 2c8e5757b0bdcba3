/* A host and its port as they are written: an IPv6 address has brackets. */
#ifndef FLEETSIM_HOST_PORT_H
#define FLEETSIM_HOST_PORT_H

#include <stdint.h>

#define HOST_PORT_MAX 272

/* Returns `out`. */
const char *host_port(const char *host, uint16_t port, char out[HOST_PORT_MAX]);

#endif
