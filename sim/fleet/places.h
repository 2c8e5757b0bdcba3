/* Places: where a device goes, and from which address; the names that lead there. */
#ifndef FLEETSIM_FLEET_PLACES_H
#define FLEETSIM_FLEET_PLACES_H

#include "fleet/config.h"

struct member;

/* The member's own list, by the seed. */
void places_order(struct member *member);

/* The device's number of the place of this attempt, and the source address; NULL: the system
   chooses. */
uint8_t places_endpoint(const struct member *member);
const struct sockaddr_storage *places_source(const struct member *member);

/* Asks for the name of that place. True: the answer is there; false: it is at name_at_ms. */
bool places_ask(struct member *member);

/* One of the addresses of the answer, and its node becomes a fact; NULL: the name is not found. */
const struct sockaddr_storage *places_answer(struct member *member);

/* The attempt or session has ended: whose turn is it next? */
void places_turn(struct member *member, enum device_failure failure,
                 const struct device_note *note);

#endif
