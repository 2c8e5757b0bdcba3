/* Multiplication with Montgomery's reduction, whose every step is cheap for this p: p is -1 modulo
 * 2^64, and two of its other words are a shift. In assembly where the processor has the
 * instructions for it, in C elsewhere, of which gcc makes code that takes twice as long. */
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "crypto/field.h"
#include "crypto/field_words.h"

/* One word of b times a, added to `t` at its lowest word; then as much of p as makes that word
   zero. */
static void multiply_word(uint64_t t[FIELD_WORDS + 2], const struct field *a, uint64_t b)
{
  field_wide sum = 0;
  for (size_t i = 0; i < FIELD_WORDS; i++) {
    sum += (field_wide) a->word[i] * b + t[i];
    t[i] = (uint64_t) sum;
    sum >>= 64;
  }
  sum += t[4];
  t[4] = (uint64_t) sum;
  t[5] = (uint64_t) (sum >> 64);

  /* t0 * p: t0 * (2^64 - 1) makes the lowest word zero and carries t0 to the next */
  uint64_t low = t[0];
  field_wide high = (field_wide) low * FIELD_P3;
  sum = (field_wide) t[1] + (low << 32);
  t[0] = (uint64_t) sum;
  sum = (sum >> 64) + t[2] + (low >> 32);
  t[1] = (uint64_t) sum;
  sum = (sum >> 64) + t[3] + (uint64_t) high;
  t[2] = (uint64_t) sum;
  sum = (sum >> 64) + t[4] + (uint64_t) (high >> 64);
  t[3] = (uint64_t) sum;
  t[4] = t[5] + (uint64_t) (sum >> 64);
}

void field_multiply_anywhere(struct field *out, const struct field *a, const struct field *b)
{
  uint64_t t[FIELD_WORDS + 2] = {0};
  for (size_t i = 0; i < FIELD_WORDS; i++) multiply_word(t, a, b->word[i]);
  memcpy(out->word, t, sizeof out->word);
  field_reduce_once(out, t[4]);
}

#ifdef __x86_64__

/* As the second half of multiply_word, of the words l0 to l5; l0 is free afterwards. */
#define REDUCE(l0, l1, l2, l3, l4, l5)              \
  "movabsq $0xffffffff00000001, %[q2]\n\t" /* P3 */ \
  "movq %[" l0 "], %%rdx\n\t"                       \
  "movq %[" l0 "], %[q1]\n\t"                       \
  "shlq $32, %[q1]\n\t"                             \
  "shrq $32, %[" l0 "]\n\t"                         \
  "addq %[q1], %[" l1 "]\n\t"                       \
  "adcq %[" l0 "], %[" l2 "]\n\t"                   \
  "mulxq %[q2], %[q1], %[q2]\n\t"                   \
  "adcq %[q1], %[" l3 "]\n\t"                       \
  "adcq %[q2], %[" l4 "]\n\t"                       \
  "adcq $0, %[" l5 "]\n\t"

/* The word of b at `at` times a, in l5, q1, q3, q4 and rdx. */
#define PRODUCT(at, l5)                \
  "movq " at "(%[b]), %%rdx\n\t"       \
  "mulxq (%[a]), %[" l5 "], %[q1]\n\t" \
  "mulxq 8(%[a]), %[q2], %[q3]\n\t"    \
  "addq %[q2], %[q1]\n\t"              \
  "mulxq 16(%[a]), %[q2], %[q4]\n\t"   \
  "adcq %[q2], %[q3]\n\t"              \
  "mulxq 24(%[a]), %[q2], %%rdx\n\t"   \
  "adcq %[q2], %[q4]\n\t"              \
  "adcq $0, %%rdx\n\t"

/* Nothing is carried beyond l4: a's highest word is P3 at most. l5 is zero afterwards. */
#define ROW(at, l0, l1, l2, l3, l4, l5) \
  PRODUCT(at, l5)                       \
  "addq %[" l5 "], %[" l0 "]\n\t"       \
  "adcq %[q1], %[" l1 "]\n\t"           \
  "adcq %[q3], %[" l2 "]\n\t"           \
  "adcq %[q4], %[" l3 "]\n\t"           \
  "adcq %%rdx, %[" l4 "]\n\t"           \
  "movl $0, %k[" l5 "]\n\t"

static void multiply_mulx(struct field *out, const struct field *a, const struct field *b)
{
  uint64_t t0, t1, t2, t3, t4, t5, q1, q2, q3, q4, rdx;
  /* clang-format off */
  __asm__(PRODUCT("0", "t0")
          "movq %[q1], %[t1]\n\t"
          "movq %[q3], %[t2]\n\t"
          "movq %[q4], %[t3]\n\t"
          "movq %%rdx, %[t4]\n\t"
          "movl $0, %k[t5]\n\t"
          REDUCE("t0", "t1", "t2", "t3", "t4", "t5")
          ROW("8", "t1", "t2", "t3", "t4", "t5", "t0")
          REDUCE("t1", "t2", "t3", "t4", "t5", "t0")
          ROW("16", "t2", "t3", "t4", "t5", "t0", "t1")
          REDUCE("t2", "t3", "t4", "t5", "t0", "t1")
          ROW("24", "t3", "t4", "t5", "t0", "t1", "t2")
          REDUCE("t3", "t4", "t5", "t0", "t1", "t2")
          /* t4, t5, t0, t1 and the carry t2; less p, where that is not below zero */
          "movq %[t4], %[q1]\n\t"
          "movq %[t5], %[q2]\n\t"
          "movq %[t0], %[q3]\n\t"
          "movq %[t1], %[q4]\n\t"
          "movl $0xffffffff, %%edx\n\t"
          "movabsq $0xffffffff00000001, %[t3]\n\t"
          "subq $-1, %[q1]\n\t"
          "sbbq %%rdx, %[q2]\n\t"
          "sbbq $0, %[q3]\n\t"
          "sbbq %[t3], %[q4]\n\t"
          "sbbq $0, %[t2]\n\t"
          "cmovcq %[t4], %[q1]\n\t"
          "cmovcq %[t5], %[q2]\n\t"
          "cmovcq %[t0], %[q3]\n\t"
          "cmovcq %[t1], %[q4]\n\t"
          : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
            [t5] "=&r"(t5), [q1] "=&r"(q1), [q2] "=&r"(q2), [q3] "=&r"(q3), [q4] "=&r"(q4),
            "=&d"(rdx)
          : [a] "r"(a), [b] "r"(b)
          : "cc", "memory");
  /* clang-format on */
  *out = (struct field){{q1, q2, q3, q4}};
}

/* mulx is of BMI2. */
static bool has_mulx(void)
{
  enum { structured_features = 7, bmi2 = 1 << 8 };
  static int known = -1;
  unsigned a, b, c, d;
  if (known < 0) known = __get_cpuid_count(structured_features, 0, &a, &b, &c, &d) && (b & bmi2);
  return known;
}

void field_multiply(struct field *out, const struct field *a, const struct field *b)
{
  if (has_mulx())
    multiply_mulx(out, a, b);
  else
    field_multiply_anywhere(out, a, b);
}

#else

void field_multiply(struct field *out, const struct field *a, const struct field *b)
{
  field_multiply_anywhere(out, a, b);
}

#endif
