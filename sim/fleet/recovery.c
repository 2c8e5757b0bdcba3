/* Marks are set and taken back as the counts move; a surge is a counter per second with its peak.
 * Nothing here can fail. */
#include "fleet/recovery.h"

#define US_PER_S 1000000u

static const unsigned percent[RECOVERY_MARKS] = {50, 90, 99, 100};

void recovery_surge_add(struct surge *surge, uint64_t now_us)
{
  uint64_t second = now_us / US_PER_S;
  if (second != surge->second) surge->in_second = 0;
  surge->second = second;
  surge->total++;
  if (++surge->in_second > surge->peak) surge->peak = surge->in_second;
}

bool recovery_is_under_way(const struct recovery *recovery)
{
  return recovery->happened && !recovery->closed &&
         recovery->back_us[RECOVERY_ALL] == RECOVERY_NEVER;
}

void recovery_begin(struct recovery *recovery, uint64_t now_us)
{
  *recovery = (struct recovery){.happened = true, .began_us = now_us};
}

void recovery_update(struct recovery *recovery, uint64_t now_us, size_t online, size_t wanted)
{
  if (recovery->closed) return;
  size_t missing = wanted > online ? wanted - online : 0;
  recovery->online = online;
  if (missing > recovery->missing) recovery->missing = missing;
  for (int mark = 0; mark < RECOVERY_MARKS; mark++) {
    size_t needed = (wanted * percent[mark] + 99) / 100;
    if (online < needed)
      recovery->back_us[mark] = RECOVERY_NEVER;
    else if (recovery->back_us[mark] == RECOVERY_NEVER)
      recovery->back_us[mark] = now_us - recovery->began_us;
  }
}
