/* Reconnect policies: how long a device waits before its next attempt. Pure: time and randomness
 * stay outside.
 *
 * With n failed attempts so far and e = min(cap, base * 2^n):
 *     immediate        0
 *     fixed            base
 *     exponential      e
 *     exponential 20   e +- 20 %, uniform (as gRPC does; the cap is of e)
 *     full jitter      uniform in [0, e]
 *     decorrelated     min(cap, uniform in [base, 3 * the delay before]), the first from [base, 3 *
 *                      base]
 * The last two: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
#ifndef FLEETSIM_BACKOFF_H
#define FLEETSIM_BACKOFF_H

#include <stdint.h>

enum backoff_kind {
  BACKOFF_IMMEDIATE,
  BACKOFF_FIXED,
  BACKOFF_EXPONENTIAL,
  BACKOFF_EXPONENTIAL_20,
  BACKOFF_FULL_JITTER,
  BACKOFF_DECORRELATED,
};

/* Base and cap are at most UINT32_MAX (49 days). */
struct backoff_policy {
  enum backoff_kind kind;
  uint64_t base_ms, cap_ms;
};

/* One per device; all zero before the first attempt. */
struct backoff_state {
  uint32_t attempts;
  uint32_t previous_ms;
};

/* The delay after one more failed attempt; `random` is 32 fresh random bits. */
uint64_t backoff_next_ms(const struct backoff_policy *policy, struct backoff_state *state,
                         uint32_t random);

/* The device is online: its next delay is the first one again. */
void backoff_reset(struct backoff_state *state);

#endif
