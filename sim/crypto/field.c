/* Words, with their carries, and Montgomery's trick: the product of all is inverted, and from it
 * each number's own inverse is had by multiplications. */
#include "crypto/field.h"

#include <assert.h>
#include <string.h>

#include <gmp.h>

#include "crypto/field_words.h"

#define LOWEST_FIRST (-1) /* mpz_import, mpz_export */

const struct field field_one = {{1, 0xffffffff00000000, 0xffffffffffffffff, 0xfffffffe}};
/* 2^512 and 2^768 modulo p: a product with them is 2^256 and 2^512 times as large */
static const struct field montgomery_squared = {
    {3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}};
static const struct field montgomery_cubed = {
    {0xfffffffd0000000a, 0xffffffedfffffff7, 0x00000005fffffffc, 0x0000001800000001}};

void field_reduce_once(struct field *number, uint64_t over)
{
  static const uint64_t p[FIELD_WORDS] = {FIELD_P0, FIELD_P1, FIELD_P2, FIELD_P3};
  uint64_t less[FIELD_WORDS], borrow = 0;
  for (size_t i = 0; i < FIELD_WORDS; i++) {
    field_wide difference = (field_wide) number->word[i] - p[i] - borrow;
    less[i] = (uint64_t) difference;
    borrow = (uint64_t) (difference >> 64) & 1;
  }
  if (over >= borrow) memcpy(number->word, less, sizeof less);
}

bool field_read(const uint8_t bytes[FIELD_SIZE], struct field *out)
{
  for (size_t i = 0; i < FIELD_WORDS; i++) {
    uint64_t word = 0;
    for (size_t j = 0; j < 8; j++) word = word << 8 | bytes[8 * (FIELD_WORDS - 1 - i) + j];
    out->word[i] = word;
  }
  struct field reduced = *out;
  field_reduce_once(&reduced, 0);
  bool is_one = field_is_equal(&reduced, out);
  field_multiply(out, &reduced, &montgomery_squared);
  return is_one;
}

void field_add(struct field *out, const struct field *a, const struct field *b)
{
  field_wide sum = 0;
  for (size_t i = 0; i < FIELD_WORDS; i++) {
    sum += (field_wide) a->word[i] + b->word[i];
    out->word[i] = (uint64_t) sum;
    sum >>= 64;
  }
  field_reduce_once(out, (uint64_t) sum);
}

#ifdef __x86_64__

/* gcc makes twice as many instructions of the C below. */
void field_subtract(struct field *out, const struct field *a, const struct field *b)
{
  uint64_t w0 = a->word[0], w1 = a->word[1], w2 = a->word[2], w3 = a->word[3], p1, p3 = FIELD_P3;
  uint64_t borrow;
  __asm__("subq %[b0], %[w0]\n\t"
          "sbbq %[b1], %[w1]\n\t"
          "sbbq %[b2], %[w2]\n\t"
          "sbbq %[b3], %[w3]\n\t"
          "sbbq %[borrow], %[borrow]\n\t" /* all ones: p is added back */
          "movl %k[borrow], %k[p1]\n\t"
          "andq %[borrow], %[p3]\n\t"
          "addq %[borrow], %[w0]\n\t"
          "adcq %[p1], %[w1]\n\t"
          "adcq $0, %[w2]\n\t"
          "adcq %[p3], %[w3]\n\t"
          : [w0] "+&r"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "+&r"(w3), [p1] "=&r"(p1),
            [p3] "+&r"(p3), [borrow] "=&r"(borrow)
          : [b0] "m"(b->word[0]), [b1] "m"(b->word[1]), [b2] "m"(b->word[2]), [b3] "m"(b->word[3])
          : "cc");
  *out = (struct field){{w0, w1, w2, w3}};
}

#else

void field_subtract(struct field *out, const struct field *a, const struct field *b)
{
  uint64_t word[FIELD_WORDS], borrow = 0;
  for (size_t i = 0; i < FIELD_WORDS; i++) {
    field_wide difference = (field_wide) a->word[i] - b->word[i] - borrow;
    word[i] = (uint64_t) difference;
    borrow = (uint64_t) (difference >> 64) & 1;
  }
  uint64_t mask = 0 - borrow; /* p is added back */
  field_wide sum = (field_wide) word[0] + mask;
  out->word[0] = (uint64_t) sum;
  sum = (sum >> 64) + word[1] + (mask & FIELD_P1);
  out->word[1] = (uint64_t) sum;
  sum = (sum >> 64) + word[2];
  out->word[2] = (uint64_t) sum;
  out->word[3] = word[3] + (mask & FIELD_P3) + (uint64_t) (sum >> 64);
}

#endif

bool field_is_zero(const struct field *a)
{
  return (a->word[0] | a->word[1] | a->word[2] | a->word[3]) == 0;
}

bool field_is_equal(const struct field *a, const struct field *b)
{
  return memcmp(a->word, b->word, sizeof a->word) == 0;
}

/* Of one number, which is not zero. */
static void field_invert(struct field *number)
{
  static const uint64_t p[FIELD_WORDS] = {FIELD_P0, FIELD_P1, FIELD_P2, FIELD_P3};
  size_t count = 0;
  mpz_t modulus, value;
  mpz_inits(modulus, value, NULL);
  mpz_import(modulus, FIELD_WORDS, LOWEST_FIRST, sizeof p[0], 0, 0, p);
  mpz_import(value, FIELD_WORDS, LOWEST_FIRST, sizeof p[0], 0, 0, number->word);
  int has_inverse = mpz_invert(value, value, modulus);
  assert(has_inverse != 0), (void) has_inverse;
  struct field inverse = {{0}};
  mpz_export(inverse.word, &count, LOWEST_FIRST, sizeof p[0], 0, 0, value);
  mpz_clears(modulus, value, NULL);
  field_multiply(number, &inverse, &montgomery_cubed);
}

void field_invert_all(struct field *numbers, size_t count, struct field *scratch)
{
  struct field product = field_one;
  for (size_t i = 0; i < count; i++) {
    scratch[i] = product; /* of those before */
    field_multiply(&product, &product, &numbers[i]);
  }
  field_invert(&product);
  for (size_t i = count; i-- > 0;) {
    struct field inverse;
    field_multiply(&inverse, &product, &scratch[i]);
    field_multiply(&product, &product, &numbers[i]);
    numbers[i] = inverse;
  }
}
