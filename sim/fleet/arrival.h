/* When devices arrive: the planned start times of an open loop, before anything can be late. Pure.
 *
 *     arrival_begin(&arrival, 200.0, true, seed);
 *     for (each device) start_us = arrival_next_us(&arrival);
 */
#ifndef FLEETSIM_ARRIVAL_H
#define FLEETSIM_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

struct arrival {
  double interval_us; /* mean time between two arrivals, 0: all at once */
  double at_us;       /* Poisson: the arrival before */
  uint64_t count, random;
  bool poisson;
};

/* `rate` per second, 0: all at once. Linear: one every 1/rate s from 0 on. Poisson: independent
 * arrivals, exponential gaps of mean 1/rate s, the same for the same seed. */
void arrival_begin(struct arrival *arrival, double rate, bool poisson, uint64_t seed);

/* Microseconds from the beginning to the next arrival; never goes back. */
uint64_t arrival_next_us(struct arrival *arrival);

#endif
