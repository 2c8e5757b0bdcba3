/* Verifications that succeeded, remembered exactly: a fleet verifies the same broker chain again
 * and again.
 *
 * An entry is the whole public key, hash and signature; only equality of all of them is a hit.
 * Failures are never kept. The table is a fixed number of sets; in a full set the entry that was
 * not asked for the longest time gives way.
 */
#ifndef FLEETSIM_CRYPTO_REMEMBERED_H
#define FLEETSIM_CRYPTO_REMEMBERED_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/curve.h"

#define REMEMBERED_HASH_SIZE 32
#define REMEMBERED_SETS      256
#define REMEMBERED_WAYS      4

/* No padding, so that entries compare as bytes. */
struct remembered_entry {
  uint8_t public_key[CURVE_PUBLIC_SIZE]; /* 0x04 first; all zero: the entry is free */
  uint8_t hash[REMEMBERED_HASH_SIZE];
  uint8_t signature[CURVE_SIGNATURE_SIZE];
};

/* All zero is an empty table. */
struct remembered {
  /* in each set the most recently used first */
  struct remembered_entry set[REMEMBERED_SETS][REMEMBERED_WAYS];
  uint64_t hits;
  uint64_t misses;
};

/* True when exactly this verification succeeded before and is still kept. Counts a hit or a
   miss. */
bool remembered_find(struct remembered *table, const struct remembered_entry *entry);

/* Keeps a verification that succeeded and was not found. */
void remembered_keep(struct remembered *table, const struct remembered_entry *entry);

#endif
