/* A set of failures: it holds every code there is, however many are added to the list. */
#ifndef FLEETSIM_FAILURE_SET_H
#define FLEETSIM_FAILURE_SET_H

#include <assert.h>
#include <stddef.h>

#include "fleetsim/failure.h"

/* All zeros: none. */
struct failure_set {
  uint64_t words[(DEVICE_FAIL_COUNT + 63) / 64];
};
_Static_assert(sizeof(struct failure_set) * 8 >= DEVICE_FAIL_COUNT, "a bit for every failure");

static inline void failure_set_add(struct failure_set *set, enum device_failure failure)
{
  assert((unsigned) failure < DEVICE_FAIL_COUNT);
  set->words[failure / 64] |= UINT64_C(1) << failure % 64;
}

static inline bool failure_set_has(const struct failure_set *set, enum device_failure failure)
{
  assert((unsigned) failure < DEVICE_FAIL_COUNT);
  return (set->words[failure / 64] >> failure % 64 & 1u) != 0;
}

static inline void failure_set_add_all(struct failure_set *set, const struct failure_set *others)
{
  for (size_t w = 0; w < sizeof set->words / sizeof *set->words; w++)
    set->words[w] |= others->words[w];
}

#endif
