/* Division modulo n with GMP's numbers, made once and used by one thread. Only 0 has no inverse,
 * and is refused. */
#include "crypto/order.h"

#include <string.h>

#include <gmp.h>

#define ORDER            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_BITS       (8u * ORDER_SIZE)
#define BIG_ENDIAN_FIRST 1 /* mpz_import and mpz_export: the most significant byte comes first */

/* Made once: three allocations a call would cost as much as the division. */
static struct {
  bool ready;
  mpz_t n, number, inverse;
} order;

static void make_ready(void)
{
  mpz_init_set_str(order.n, ORDER, 16);
  mpz_init2(order.number, ORDER_BITS);
  mpz_init2(order.inverse, ORDER_BITS);
  order.ready = true;
}

bool order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE])
{
  if (!order.ready) make_ready();
  mpz_import(order.number, ORDER_SIZE, BIG_ENDIAN_FIRST, 1, 0, 0, number);
  if (mpz_invert(order.inverse, order.number, order.n) == 0) return false;
  size_t size = (mpz_sizeinbase(order.inverse, 2) + 7) / 8;
  memset(inverse, 0, ORDER_SIZE - size);
  mpz_export(inverse + ORDER_SIZE - size, NULL, BIG_ENDIAN_FIRST, 1, 0, 0, order.inverse);
  return true;
}
