/* Montgomery's representation: x stands as x * R mod n with R = 2^256, so that a product is reduced from its low end,
 * without a division. Nothing branches on a number or looks something up by it.
 */
#include "crypto/order.h"

#include <string.h>

#include <openssl/crypto.h>

#define LIMBS  4
#define WINDOW 4
#define ODD    (1u << (WINDOW - 1)) /* odd powers up to 2^WINDOW - 1 */

__extension__ typedef unsigned __int128 wide;

/* Least significant limb first. */
struct number {
  uint64_t limb[LIMBS];
};

#define N0 UINT64_C(0xf3b9cac2fc632551)
#define N1 UINT64_C(0xbce6faada7179e84)
#define N2 UINT64_C(0xffffffffffffffff)
#define N3 UINT64_C(0xffffffff00000000)

static const struct number fermat = {{N0 - 2, N1, N2, N3}}; /* n - 2 */
static const struct number r_squared = {{UINT64_C(0x83244c95be79eea2), UINT64_C(0x4699799c49bd6fa6),
                                         UINT64_C(0x2845b2392b6bec59), UINT64_C(0x66e12d94f3d95620)}};
static const struct number one = {{1, 0, 0, 0}};
static const uint64_t n_inverse = UINT64_C(0xccd1c8aaee00bc4f); /* -1 / n mod 2^64 */

/* `low` + a * b + *carry; *carry becomes its high half. */
static inline uint64_t multiply_add(uint64_t low, uint64_t a, uint64_t b, uint64_t *carry)
{
  wide sum = (wide) a * b + low + *carry;
  *carry = (uint64_t) (sum >> 64);
  return (uint64_t) sum;
}

static inline uint64_t subtract(uint64_t a, uint64_t b, uint64_t *borrow)
{
  wide difference = (wide) a - b - *borrow;
  *borrow = (uint64_t) (difference >> 64) & 1u;
  return (uint64_t) difference;
}

/* `sum` with `top` above it is below 2n: takes n off if it is not below n. */
static void reduce_once(const uint64_t sum[LIMBS], uint64_t top, struct number *out)
{
  uint64_t borrow = 0;
  const uint64_t less[LIMBS] = {subtract(sum[0], N0, &borrow), subtract(sum[1], N1, &borrow),
                                subtract(sum[2], N2, &borrow), subtract(sum[3], N3, &borrow)};
  uint64_t keep = (uint64_t) 0 - (uint64_t) (borrow > top); /* all ones: it was below n */
  for (int i = 0; i < LIMBS; i++) out->limb[i] = (sum[i] & keep) | (less[i] & ~keep);
}

/* sum = (sum + a * b) / 2^64 mod n, below 2n. The loops over limbs are written out: it is what the time goes into. */
static inline void turn(uint64_t sum[LIMBS + 1], const uint64_t a[LIMBS], uint64_t b)
{
  uint64_t carry = 0;
  uint64_t s0 = multiply_add(sum[0], a[0], b, &carry);
  uint64_t s1 = multiply_add(sum[1], a[1], b, &carry);
  uint64_t s2 = multiply_add(sum[2], a[2], b, &carry);
  uint64_t s3 = multiply_add(sum[3], a[3], b, &carry);
  wide high = (wide) sum[4] + carry;
  uint64_t factor = s0 * n_inverse;
  carry = 0;
  (void) multiply_add(s0, factor, N0, &carry); /* its low half is 0: that is what `factor` is for */
  sum[0] = multiply_add(s1, factor, N1, &carry);
  sum[1] = multiply_add(s2, factor, N2, &carry);
  sum[2] = multiply_add(s3, factor, N3, &carry);
  high += carry;
  sum[3] = (uint64_t) high;
  sum[4] = (uint64_t) (high >> 64);
}

/* a * b / R mod n. `out` may be either. */
static void multiply(const struct number *a, const struct number *b, struct number *out)
{
  uint64_t sum[LIMBS + 1] = {0};
  turn(sum, a->limb, b->limb[0]);
  turn(sum, a->limb, b->limb[1]);
  turn(sum, a->limb, b->limb[2]);
  turn(sum, a->limb, b->limb[3]);
  reduce_once(sum, sum[LIMBS], out);
}

static void square(struct number *number, int times)
{
  while (times-- > 0) multiply(number, number, number);
}

static unsigned exponent_bit(int at)
{
  return (unsigned) (fermat.limb[at / 64] >> (at % 64)) & 1u;
}

/* number^(n - 2), which is 1 / number (Fermat), by windows that slide over the exponent: it is no secret. */
static void raise(const struct number *number, struct number *power)
{
  struct number odd[ODD], squared = *number;
  square(&squared, 1);
  odd[0] = *number;
  for (unsigned i = 1; i < ODD; i++) multiply(&odd[i - 1], &squared, &odd[i]);
  multiply(&one, &r_squared, power);
  for (int top = 64 * LIMBS - 1; top >= 0;) {
    int width = exponent_bit(top) == 0 ? 1 : top + 1 < WINDOW ? top + 1 : WINDOW;
    while (width > 1 && exponent_bit(top - width + 1) == 0) width--;
    unsigned window = 0;
    for (int i = 0; i < width; i++) window = window << 1 | exponent_bit(top - i);
    square(power, width);
    if (window != 0) multiply(power, &odd[window / 2], power);
    top -= width;
  }
  OPENSSL_cleanse(odd, sizeof odd);
  OPENSSL_cleanse(&squared, sizeof squared);
}

static void read_number(const uint8_t bytes[ORDER_SIZE], struct number *out)
{
  memset(out, 0, sizeof *out);
  for (int i = 0; i < ORDER_SIZE; i++) out->limb[i / 8] |= (uint64_t) bytes[ORDER_SIZE - 1 - i] << (i % 8 * 8);
}

static void write_number(const struct number *number, uint8_t bytes[ORDER_SIZE])
{
  for (int i = 0; i < ORDER_SIZE; i++) bytes[ORDER_SIZE - 1 - i] = (uint8_t) (number->limb[i / 8] >> (i % 8 * 8));
}

void order_invert(const uint8_t number[ORDER_SIZE], uint8_t inverse[ORDER_SIZE])
{
  struct number x, power;
  read_number(number, &x);
  multiply(&x, &r_squared, &x);
  raise(&x, &power);
  multiply(&power, &one, &power);
  write_number(&power, inverse);
  OPENSSL_cleanse(&x, sizeof x);
  OPENSSL_cleanse(&power, sizeof power);
}
