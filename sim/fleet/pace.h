/* The device's own processor: what a step costs it, and effects that wait until it is done. */
#ifndef FLEETSIM_FLEET_PACE_H
#define FLEETSIM_FLEET_PACE_H

#include "fleetsim/device.h"

struct member;

/* Effects of a step whose modelled time has not passed yet. */
struct pace_held {
  struct device_effects effects;
  uint64_t until_us;
  /* the plan has ended the attempt or session meanwhile: the device is told when it is done */
  bool stop;
  bool fetched; /* the download is over, of which it hears then */
  enum device_ota_status fetch_cause;
  bool closed;
  /* closed: the transport is gone, of which too it hears when it is done */
  enum device_failure cause;
  uint8_t out[];
};

/* Around a step; what it has cost the device's processor so far, in modelled microseconds (0: no
   profile). */
void pace_begin(struct member *member);
uint64_t pace_us(const struct member *member);

/* Keeps effects back for so long. False: no memory for that, apply them now. */
bool pace_hold(struct member *member, const struct device_effects *effects, uint64_t busy_us);

/* When the device is free again; DEVICE_NEVER: it is. */
uint64_t pace_held_until_ms(const struct member *member);

/* True when the device computes and cannot take the event now: STOP, CLOSED and FETCH_ENDED are
 * told later, others are lost. */
bool pace_defers(struct member *member, const struct device_event *event);

/* The device is done: what it kept back, for the caller to apply and free. NULL: nothing. */
struct pace_held *pace_take(struct member *member);

/* The power is gone. */
void pace_drop(struct member *member);

#endif
