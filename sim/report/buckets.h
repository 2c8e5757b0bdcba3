/* Distributions in few numbers: BUCKETS of them from one microsecond to more than an hour, four to an
 * octave. They can be added up and subtracted, which percentiles cannot: so each second of a run
 * keeps its own, and seconds that are put together stay right.
 */
#ifndef FLEETSIM_BUCKETS_H
#define FLEETSIM_BUCKETS_H

#include <stdint.h>

#define BUCKETS 128u

/* The highest value of a bucket, microseconds, to four digits; the lowest one is above that of the
   bucket before. */
double buckets_le_us(unsigned bucket);

/* The value that this part (0..1) of what was counted is at most, between the ends of its bucket by
 * their ratio: at most 19 % off, as wide as a bucket is. NAN: nothing was counted. */
double buckets_part_us(const uint32_t counts[BUCKETS], double part);

#endif
