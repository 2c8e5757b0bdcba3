/* Division modulo n with GMP's numbers, made once and used by one thread; sums are a byte at a
 * time. Only 0 has no inverse, and is refused. */
#include "crypto/order.h"

#include <string.h>

#include <gmp.h>

#define ORDER_BITS       (8u * ORDER_SIZE)
#define BIG_ENDIAN_FIRST 1 /* mpz_import and mpz_export: the most significant byte comes first */

static const uint8_t n_bytes[ORDER_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* Made once: three allocations a call would cost as much as the division. */
static struct {
  bool ready;
  mpz_t n, number, other, product;
} order;

static void load(mpz_t out, const uint8_t bytes[ORDER_SIZE])
{
  mpz_import(out, ORDER_SIZE, BIG_ENDIAN_FIRST, 1, 0, 0, bytes);
}

/* A number that is less than n. */
static void store(uint8_t bytes[ORDER_SIZE], const mpz_t number)
{
  size_t size = (mpz_sizeinbase(number, 2) + 7) / 8;
  memset(bytes, 0, ORDER_SIZE); /* of 0 nothing is exported */
  mpz_export(bytes + ORDER_SIZE - size, NULL, BIG_ENDIAN_FIRST, 1, 0, 0, number);
}

static void make_ready(void)
{
  if (order.ready) return;
  mpz_init2(order.n, ORDER_BITS);
  mpz_init2(order.number, ORDER_BITS);
  mpz_init2(order.other, ORDER_BITS);
  mpz_init2(order.product, 2 * ORDER_BITS);
  load(order.n, n_bytes);
  order.ready = true;
}

bool order_has(const uint8_t number[ORDER_SIZE])
{
  static const uint8_t zero[ORDER_SIZE] = {0};
  return memcmp(number, zero, ORDER_SIZE) > 0 && memcmp(number, n_bytes, ORDER_SIZE) < 0;
}

bool order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE])
{
  make_ready();
  load(order.number, number);
  if (mpz_invert(order.other, order.number, order.n) == 0) return false;
  store(inverse, order.other);
  return true;
}

void order_multiply(const uint8_t a[ORDER_SIZE], const uint8_t b[ORDER_SIZE],
                    uint8_t product[ORDER_SIZE])
{
  make_ready();
  load(order.number, a);
  load(order.other, b);
  mpz_mul(order.product, order.number, order.other);
  mpz_tdiv_r(order.number, order.product, order.n);
  store(product, order.number);
}

bool order_add_n(const uint8_t number[ORDER_SIZE], uint8_t sum[ORDER_SIZE])
{
  unsigned carry = 0;
  for (size_t i = ORDER_SIZE; i-- > 0;) {
    carry += (unsigned) number[i] + n_bytes[i];
    sum[i] = (uint8_t) carry;
    carry >>= 8;
  }
  return carry == 0;
}

bool order_negate_large(const uint8_t number[ORDER_SIZE], uint8_t out[ORDER_SIZE])
{
  bool is_large = (number[0] & 0x80) != 0;
  int borrow = 0;
  for (size_t i = ORDER_SIZE; i-- > 0;) {
    int byte = is_large ? n_bytes[i] - number[i] - borrow : number[i];
    borrow = byte < 0;
    out[i] = (uint8_t) byte;
  }
  return is_large;
}
