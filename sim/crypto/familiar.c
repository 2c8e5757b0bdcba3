/* A few keys, each with a count of its verifications. A table is tried for once: what is no point,
 * and whom memory lacks for, goes on without. */
#include "crypto/familiar.h"

#include <stdlib.h>
#include <string.h>

struct familiar {
  uint8_t public_key[MULTIPLES_KEY];
  unsigned seen;
  uint64_t last; /* when, by a count of calls */
  struct multiples *table;
};

static struct familiar keys[FAMILIAR_KEYS];
static uint64_t calls;

static struct familiar *find(const uint8_t public_key[MULTIPLES_KEY])
{
  struct familiar *oldest = keys;
  for (size_t i = 0; i < FAMILIAR_KEYS; i++) {
    if (memcmp(keys[i].public_key, public_key, MULTIPLES_KEY) == 0) return &keys[i];
    if (keys[i].last < oldest->last) oldest = &keys[i];
  }
  free(oldest->table);
  *oldest = (struct familiar){.seen = 0};
  memcpy(oldest->public_key, public_key, MULTIPLES_KEY);
  return oldest;
}

const struct multiples *familiar_multiples(const uint8_t public_key[MULTIPLES_KEY])
{
  struct familiar *key = find(public_key);
  key->last = ++calls;
  if (key->seen == FAMILIAR_AFTER) return key->table;
  key->seen++;
  /* the generator's earlier: nobody waits for two tables */
  if (key->seen == FAMILIAR_AFTER / 2) (void) multiples_of_generator();
  if (key->seen == FAMILIAR_AFTER && multiples_of_generator() != NULL)
    key->table = multiples_make(public_key);
  return key->table;
}
