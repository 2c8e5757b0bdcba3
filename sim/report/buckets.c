/* The ends of the buckets are powers of the fourth root of two, rounded so that people can read
   them. */
#include "report/buckets.h"

#include <assert.h>
#include <math.h>

double buckets_le_us(unsigned bucket)
{
  assert(bucket < BUCKETS);
  double exact = exp2((bucket + 1) / 4.0), digit = pow(10, floor(log10(exact)) - 3);
  return round(exact / digit) * digit;
}

double buckets_part_us(const uint32_t counts[BUCKETS], double part)
{
  double total = 0, below = 0;
  for (unsigned b = 0; b < BUCKETS; b++) total += counts[b];
  for (unsigned b = 0; b < BUCKETS; b++) {
    if (counts[b] == 0 || below + counts[b] < part * total) {
      below += counts[b];
      continue;
    }
    double high = buckets_le_us(b), low = b > 0 ? buckets_le_us(b - 1) : 1;
    return low * pow(high / low, (part * total - below) / counts[b]);
  }
  return NAN;
}
