/* A small generator of numbers that a seed replays (SplitMix64: Steele, Lea, Flood 2014). Not for
   keys. */
#ifndef FLEETSIM_RANDOM_H
#define FLEETSIM_RANDOM_H

#include <stdint.h>

/* The next of 2^64 values; any state is a good seed. */
uint64_t random_next(uint64_t *state);

/* Uniform in (0, 1]: never 0, so that its logarithm is finite. */
double random_unit(uint64_t *state);

#endif
