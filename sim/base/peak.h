/* The most of something that came in one second. Time is handed in; seconds are those of its
   clock. */
#ifndef FLEETSIM_PEAK_H
#define FLEETSIM_PEAK_H

#include <stdint.h>

/* All zero: nothing came. */
struct peak {
  uint64_t second, in_second, most;
};

static inline void peak_add(struct peak *peak, uint64_t now_ms, uint64_t n)
{
  if (now_ms / 1000 != peak->second) {
    peak->second = now_ms / 1000;
    peak->in_second = 0;
  }
  peak->in_second += n;
  if (peak->in_second > peak->most) peak->most = peak->in_second;
}

#endif
