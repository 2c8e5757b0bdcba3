/* What revocation does to a fleet: who is still let in, whose session lives on, and who is hit that
 * should not be. */
#ifndef FLEETSIM_FLEET_REVOKED_H
#define FLEETSIM_FLEET_REVOKED_H

#include "base/error.h"
#include "fleetsim/failure.h"

struct fleet;
struct member;

/* As fleet_publish_crl, fleet_crl_taken and fleet_measure_revoked. */
int revoked_publish(struct fleet *fleet, const bool *names, struct error *error);
void revoked_taken(struct fleet *fleet);
/* Of a look with its certificate: as fleet_look_opens, _closes and _ended; and fleet_refused_at. */
void revoked_look_opens(struct member *m);
void revoked_look_closes(struct member *m, bool let_in);
void revoked_look(struct member *m, bool let_in);
uint8_t revoked_refused_at(const struct member *m, bool told);

void revoked_measure(struct fleet *fleet, bool last);

/* After a CONNACK, after an attempt that ended without one, before a session is booked as ended. */
void revoked_online(struct member *member);
void revoked_failed(struct member *member, enum device_failure failure);
void revoked_ended(struct member *member, enum device_failure failure);

/* It has another certificate now. */
void revoked_renewed(struct member *member);

#endif
