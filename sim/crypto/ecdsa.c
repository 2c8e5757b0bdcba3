/* The point's x is a fraction, which is not divided: r is multiplied instead and compared, and so
 * is r + n where that is less than p, for x counts modulo n. */
#include "crypto/ecdsa.h"

#include <string.h>

#include "crypto/field.h"
#include "crypto/order.h"

/* The leftmost 256 bits of a longer hash; a shorter one is a smaller number. */
static void take_hash(const uint8_t *hash, size_t size, uint8_t e[ORDER_SIZE])
{
  size_t used = size < ORDER_SIZE ? size : ORDER_SIZE;
  memset(e, 0, ORDER_SIZE);
  if (used > 0) memcpy(e + ORDER_SIZE - used, hash, used);
}

static bool has_x_modulo_n(const struct multiples_sum *point, const uint8_t r[ORDER_SIZE])
{
  uint8_t larger[ORDER_SIZE];
  struct field x;
  if (field_read(r, &x) && multiples_have_x(point, &x)) return true;
  return order_add_n(r, larger) && field_read(larger, &x) && multiples_have_x(point, &x);
}

bool ecdsa_is_signed(const struct multiples *of_generator, const struct multiples *of_key,
                     const uint8_t *hash, size_t hash_size,
                     const uint8_t signature[ECDSA_SIGNATURE])
{
  const uint8_t *r = signature, *s = signature + ORDER_SIZE;
  uint8_t u[ORDER_SIZE], v[ORDER_SIZE], inverse[ORDER_SIZE];
  if (!order_has(r) || !order_has(s) || !order_invert(s, inverse)) return false;
  take_hash(hash, hash_size, u);
  order_multiply(u, inverse, u);
  order_multiply(r, inverse, v);
  struct multiples_sum point = {.zz = {{0}}};
  multiples_add(&point, of_generator, u);
  multiples_add(&point, of_key, v);
  return has_x_modulo_n(&point, r);
}
