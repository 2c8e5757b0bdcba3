/* Numbers modulo p, the prime of P-256's coordinates, in Montgomery's form: a is kept as
 * a * 2^256 mod p, always less than p, so that equal numbers are equal words.
 *
 * For public numbers alone: an inversion takes a time that depends on what is inverted, and copies
 * stay behind. libcrypto has the like of this and exports none of it; its BIGNUMs take three times
 * as long.
 */
#ifndef FLEETSIM_CRYPTO_FIELD_H
#define FLEETSIM_CRYPTO_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELD_SIZE  32
#define FIELD_WORDS 4

struct field {
  uint64_t word[FIELD_WORDS]; /* the lowest first */
};

extern const struct field field_one;

/* From 32 bytes, big-endian; false where they are p or more. */
bool field_read(const uint8_t bytes[FIELD_SIZE], struct field *out);

/* `out` may be one of the others. */
void field_multiply(struct field *out, const struct field *a, const struct field *b);
void field_add(struct field *out, const struct field *a, const struct field *b);
void field_subtract(struct field *out, const struct field *a, const struct field *b);

/* What field_multiply is where the processor has no quicker way. */
void field_multiply_anywhere(struct field *out, const struct field *a, const struct field *b);

bool field_is_zero(const struct field *a);
bool field_is_equal(const struct field *a, const struct field *b);

/* Puts 1 / number in the place of each of `count` numbers, none of which is zero: one inversion in
 * all, and three multiplications each. `scratch` has room for as many. */
void field_invert_all(struct field *numbers, size_t count, struct field *scratch);

#endif
