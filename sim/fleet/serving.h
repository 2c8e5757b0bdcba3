/* Whether a broker serves, as far as the fleet can see. */
#ifndef FLEETSIM_FLEET_SERVING_H
#define FLEETSIM_FLEET_SERVING_H

#include <stdbool.h>

#include "fleetsim/failure.h"

struct member;

/* The member's session at the main endpoint may have begun or ended, or its line has changed. */
void serving_witness(struct member *member);

/* It got CONNACK; its session has ended, after serving_witness. */
void serving_let_in(const struct member *member);
void serving_ended(const struct member *member, enum device_failure failure);

/* Whether its broker served others when this attempt's transport opened, and has done so since. */
bool serving_did(const struct member *member);

#endif
