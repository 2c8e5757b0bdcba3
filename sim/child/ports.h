/* TCP ports on 127.0.0.1, before anything listens on them. */
#ifndef FLEETSIM_PORTS_H
#define FLEETSIM_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

bool ports_in_use(uint16_t port);

/* Picks a free port that is none of `taken`, below the ephemeral range of Linux (32768): in that
 * range the local end of any outgoing connection may sit on the port just when a broker is
 * restarted. */
int ports_pick(const uint16_t *taken, size_t count, uint16_t *port, struct error *error);

#endif
