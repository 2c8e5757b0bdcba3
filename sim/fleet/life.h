/* The life of a member between its steps: power, restarts, and when it tries next. */
#ifndef FLEETSIM_FLEET_LIFE_H
#define FLEETSIM_FLEET_LIFE_H

#include "fleet/config.h"

struct member;

/* Boots the device from its page and its slots; on failure it is counted and stays dead. */
void life_power_on(struct member *member);
void life_power_off(struct member *member);

/* A boot or step is over. True: the power failed in it, and the device is off until it boots
   again. */
bool life_lost_power(struct member *member);

/* The device restarts, and connects when it has booted if the plan wants it online. */
void life_restart(struct member *member);
void life_boot(struct member *member);     /* it is due */
void life_stay_off(struct member *member); /* a restart under way ends there */

/* Next attempt at `at_us`; a live session is ended first. A device that is off is left alone, one
   that restarts keeps it in mind. */
void life_plan(struct member *member, enum fleet_endpoint endpoint, bool full_handshake,
               uint64_t at_us);
void life_set_wanted(struct member *member, bool wanted);

/* What comes after an attempt or session has ended: power off, nothing, or another try. */
void life_after_end(struct member *member);

#endif
