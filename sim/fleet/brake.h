/* The safety brake. */
#ifndef FLEETSIM_FLEET_BRAKE_H
#define FLEETSIM_FLEET_BRAKE_H

#include <stdbool.h>

struct member;

/* An attempt is due. True: the brake has put it off, to a new start_at_ms. */
bool brake_holds(struct member *member);

#endif
