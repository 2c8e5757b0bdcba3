/* What a device says about itself becomes facts, metrics and events. */
#ifndef FLEETSIM_FLEET_OBSERVE_H
#define FLEETSIM_FLEET_OBSERVE_H

#include "fleetsim/device.h"

struct member;

/* The hook: `member` is a struct member. */
void observe_note(void *member, const struct device_note *note);

/* The attempt or session of a device that can say nothing any more: the plan has ended it. */
void observe_end(struct member *member);

void observe_failure(struct member *member, enum device_failure failure, const char *detail);

#endif
