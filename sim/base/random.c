/* SplitMix64: one addition and two multiplications a number; the seed is the whole state. */
#include "base/random.h"

uint64_t random_next(uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double random_unit(uint64_t *state)
{
  return ((double) (random_next(state) >> 11) + 1.0) * 0x1p-53;
}
