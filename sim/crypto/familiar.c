/* EC_GROUP_precompute_mult is deprecated without a successor; without it there is no table. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/familiar.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/obj_mac.h>

struct familiar {
  uint8_t public_key[CURVE_PUBLIC_SIZE];
  unsigned seen;
  uint64_t last; /* when, by a count of calls */
  bool asked;    /* for a table, which is made once or not at all */
  EC_GROUP *group;
};

static struct familiar keys[FAMILIAR_KEYS];
static uint64_t calls;

/* ---- the one table that is being made ---- */

static struct {
  bool under_way; /* the thread is to be joined */
  atomic_bool done;
  pthread_t thread;
  uint8_t public_key[CURVE_PUBLIC_SIZE]; /* this and the group are the thread's until it is done */
  EC_GROUP *group;                       /* NULL: no memory, or no point of the curve */
} table;

static bool set_generator(EC_GROUP *group, const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  EC_POINT *point = EC_POINT_new(group);
  bool set =
      point != NULL && EC_POINT_oct2point(group, point, public_key, CURVE_PUBLIC_SIZE, NULL) == 1 &&
      EC_GROUP_set_generator(group, point, EC_GROUP_get0_order(group), BN_value_one()) == 1 &&
      EC_GROUP_precompute_mult(group, NULL) == 1;
  EC_POINT_free(point);
  return set;
}

static void *make_table(void *nothing)
{
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (group != NULL && !set_generator(group, table.public_key)) {
    EC_GROUP_free(group);
    group = NULL;
  }
  ERR_clear_error(); /* this thread's own */
  table.group = group;
  atomic_store(&table.done, true);
  return nothing;
}

/* At exit libcrypto takes itself down, and the thread is in the midst of it: this handler,
 * registered later, goes first. */
static bool waits_at_exit(void)
{
  static bool registered;
  if (!registered) registered = atexit(familiar_wait) == 0;
  return registered;
}

/* False: there is no thread to be had, now. */
static bool begin_table(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  if (!waits_at_exit()) return false;
  memcpy(table.public_key, public_key, CURVE_PUBLIC_SIZE);
  table.group = NULL;
  atomic_store(&table.done, false);
  table.under_way = pthread_create(&table.thread, NULL, make_table, NULL) == 0;
  return table.under_way;
}

/* Hands the table to its key, which may have given way meanwhile. */
static void take_table(void)
{
  pthread_join(table.thread, NULL);
  table.under_way = false;
  for (size_t i = 0; i < FAMILIAR_KEYS; i++)
    if (memcmp(keys[i].public_key, table.public_key, CURVE_PUBLIC_SIZE) == 0) {
      keys[i].asked = true;
      keys[i].group = table.group;
      return;
    }
  EC_GROUP_free(table.group);
}

void familiar_wait(void)
{
  if (table.under_way) take_table();
}

/* ---- keys ---- */

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
  if (table.under_way && atomic_load(&table.done)) take_table();
  struct familiar *key = find(public_key);
  key->last = ++calls;
  key->seen++;
  if (key->seen >= FAMILIAR_AFTER && !key->asked && !table.under_way)
    key->asked = begin_table(public_key);
  return key->group;
}
