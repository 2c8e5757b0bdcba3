/* Devices that try the topics of others. */
#ifndef FLEETSIM_FLEET_TRESPASS_H
#define FLEETSIM_FLEET_TRESPASS_H

#include "fleetsim/device.h"

struct fleet;
struct member;

struct trespass_attempt {
  struct device_event event; /* its topic is below: not to be copied */
  char topic[DEVICE_TOPIC_MAX + 1];
  int kind; /* trespass.c's */
};

/* As fleet_trespass and fleet_is_trespassing; due now. */
int trespass_begin(struct member *member, uint32_t victim);
bool trespass_is_under_way(const struct member *member);

/* When the next attempt is due; DEVICE_NEVER: none is. */
uint64_t trespass_due_ms(const struct member *member);

/* Makes it, for the device to be fed with; and then: whether it took that. */
void trespass_make(struct member *member, struct trespass_attempt *out);
void trespass_made(struct member *member, const struct trespass_attempt *attempt);

/* The broker has answered it (MQTT 5's reason; 0x80 and more: denied); the session has ended, and
   an attempt that was open has no other answer. */
void trespass_answered(struct member *member, uint8_t reason, bool declined);
void trespass_ended(struct member *member, enum device_failure failure);

/* A message that the device itself did nothing with; the device refused what was no manifest; it
   has refused a bundle or a certificate of that CRC-32. */
void trespass_heard(struct member *member, const struct device_note *note);
void trespass_crossed(struct member *member);
void trespass_answered_word(struct member *member, uint32_t of);

/* As the functions of fleet.h. */
struct member *trespass_lure(struct member *member);
const char *trespass_lure_below(const struct fleet *fleet, size_t number);
void trespass_lure_heard(struct member *member, const char *below);
size_t trespass_undecided(const struct member *member, const char **below);
void trespass_end(struct fleet *fleet);

#endif
