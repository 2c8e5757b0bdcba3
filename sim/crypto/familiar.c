/* EC_GROUP_precompute_mult is deprecated without a successor; without it there is no table. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/familiar.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/obj_mac.h>

struct familiar {
  uint8_t public_key[CURVE_PUBLIC_SIZE];
  unsigned seen;
  uint64_t last; /* when, by a count of calls */
  EC_GROUP *group;
};

static struct familiar keys[FAMILIAR_KEYS];
static uint64_t calls;

static bool set_generator(EC_GROUP *group, const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  EC_POINT *point = EC_POINT_new(group);
  bool set = point != NULL && EC_POINT_oct2point(group, point, public_key, CURVE_PUBLIC_SIZE, NULL) == 1 &&
             EC_GROUP_set_generator(group, point, EC_GROUP_get0_order(group), BN_value_one()) == 1 &&
             EC_GROUP_precompute_mult(group, NULL) == 1;
  EC_POINT_free(point);
  return set;
}

/* NULL: no memory, or no point of the curve. */
static EC_GROUP *make_group(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  ERR_set_mark(); /* see curve.c */
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (group != NULL && !set_generator(group, public_key)) {
    EC_GROUP_free(group);
    group = NULL;
  }
  ERR_pop_to_mark();
  return group;
}

static struct familiar *find(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  struct familiar *oldest = keys;
  for (size_t i = 0; i < FAMILIAR_KEYS; i++) {
    if (memcmp(keys[i].public_key, public_key, CURVE_PUBLIC_SIZE) == 0) return &keys[i];
    if (keys[i].last < oldest->last) oldest = &keys[i];
  }
  EC_GROUP_free(oldest->group);
  *oldest = (struct familiar){.seen = 0};
  memcpy(oldest->public_key, public_key, CURVE_PUBLIC_SIZE);
  return oldest;
}

const EC_GROUP *familiar_group(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  struct familiar *key = find(public_key);
  key->last = ++calls;
  key->seen++;
  if (key->seen == FAMILIAR_AFTER) key->group = make_group(public_key);
  return key->group;
}
