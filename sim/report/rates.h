/* How fast a run goes, and which failures came last: the counters of a view beside those of a view
 * before. Nothing is measured here.
 */
#ifndef FLEETSIM_RATES_H
#define FLEETSIM_RATES_H

#include "report/onlooker.h"

enum rate { RATE_HANDSHAKES, RATE_CONNECTS, RATE_FAILURES, RATE_SENT, RATE_CPU, RATE_COUNT };

struct rates {
  double per_s[RATE_COUNT]; /* of the latest window of a second or more; CPU: seconds a second */
  double count[RATE_COUNT]; /* when that window ended */
  double window_s;
  uint64_t failed[DEVICE_FAIL_COUNT];
  double failed_s[DEVICE_FAIL_COUNT]; /* when it was first seen to have grown to that */
};

/* All of it is 0 at first. `view` has metrics, and is not older than the one before. */
void rates_see(struct rates *rates, const struct onlooker_view *view);

/* The failures that there are, the latest first, and of those the most frequent. Returns how
   many. */
size_t rates_failures(const struct rates *rates, enum device_failure out[DEVICE_FAIL_COUNT]);

#endif
