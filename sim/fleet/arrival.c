/* Planned start times from a rate: even gaps, or exponential ones by inversion. Nothing fails; no
 * time goes back. */
#include "fleet/arrival.h"

#include <assert.h>
#include <math.h>

#include "base/random.h"

void arrival_begin(struct arrival *arrival, double rate, bool poisson, uint64_t seed)
{
  assert(rate >= 0);
  *arrival = (struct arrival){
      .interval_us = rate > 0 ? 1e6 / rate : 0, .random = seed, .poisson = poisson};
}

uint64_t arrival_next_us(struct arrival *arrival)
{
  /* a product, not a sum: the last of a million devices is on time too */
  if (!arrival->poisson) return (uint64_t) ((double) arrival->count++ * arrival->interval_us);
  arrival->at_us += -log(random_unit(&arrival->random)) * arrival->interval_us;
  return (uint64_t) arrival->at_us;
}
