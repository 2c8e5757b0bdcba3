/* Events of one device. */
#ifndef FLEETSIM_FLEET_EMIT_H
#define FLEETSIM_FLEET_EMIT_H

#include "report/events.h"

struct member;

/* Tells of this device, now: the event's time and device are filled in. */
void emit_event(const struct member *member, struct event event);

/* Says that something of this device's facts is another now: config.changed. */
void emit_change(const struct member *member);

#endif
