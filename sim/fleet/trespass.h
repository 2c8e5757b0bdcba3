/* Devices that try the topics of others. */
#ifndef FLEETSIM_FLEET_TRESPASS_H
#define FLEETSIM_FLEET_TRESPASS_H

#include "fleetsim/device.h"

struct fleet;
struct member;

struct trespass_attempt {
  struct device_event event; /* its topic is below: not to be copied */
  char topic[64];
};

/* As fleet_trespass and fleet_is_trespassing; due now. */
int trespass_begin(struct member *member, uint32_t victim);
bool trespass_is_under_way(const struct member *member);

/* When the next attempt is due; DEVICE_NEVER: none is. */
uint64_t trespass_due_ms(const struct member *member);

/* Makes it, for the device to be fed with; and then: whether it took that. */
void trespass_make(struct member *member, struct trespass_attempt *out);
void trespass_made(struct member *member);

/* The broker has answered it (MQTT 5's reason; 0x80 and more: denied); the session has ended, and
   an attempt that was open has no other answer. */
void trespass_answered(struct member *member, uint8_t reason);
void trespass_ended(struct member *member, enum device_failure failure);

/* The device refused what was no manifest. */
void trespass_crossed(struct member *member);

#endif
