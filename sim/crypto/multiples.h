/* Multiples of a point of P-256, in a table, so that any multiple of it is a sum of 32 of them.
 *
 * The table has 1 to 128 times each 256^i * Q: a scalar's bytes, as digits of -128 to 128, choose
 * one each. It takes 256 KiB, and 0.8 ms to make.
 * Public points and scalars only: which parts of a table are read, and how long a sum takes,
 * depends on them.
 */
#ifndef FLEETSIM_CRYPTO_MULTIPLES_H
#define FLEETSIM_CRYPTO_MULTIPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/field.h"
#include "crypto/order.h"

#define MULTIPLES_KEY    (1 + 2 * FIELD_SIZE) /* 0x04, x and y */
#define MULTIPLES_DIGITS 32
#define MULTIPLES_EACH   128

struct multiples;

/* NULL: `public_key` is no point of the curve, or there is no memory. To be freed with free(). */
struct multiples *multiples_make(const uint8_t public_key[MULTIPLES_KEY]);

/* Those of the generator, made at the first call and kept; NULL: there is no memory. */
const struct multiples *multiples_of_generator(void);

/* A point whose x is x / zz, and whose y is y / zzz, where zz^3 = zzz^2; all zero: the one at
   infinity. */
struct multiples_sum {
  struct field x, y, zz, zzz;
};

/* Adds scalar * Q; the scalar is big-endian and less than the order. */
void multiples_add(struct multiples_sum *sum, const struct multiples *table,
                   const uint8_t scalar[ORDER_SIZE]);

/* Whether the point has this x. The one at infinity has none. */
bool multiples_have_x(const struct multiples_sum *sum, const struct field *x);

#endif
