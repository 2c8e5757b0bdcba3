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
#define REDUCE(l0, l1, l2, l3, l4, l5) \
  "movq %[" l0 "], %%rdx\n\t"          \
  "movq %[" l0 "], %[lo]\n\t"          \
  "shlq $32, %[lo]\n\t"                \
  "shrq $32, %[" l0 "]\n\t"            \
  "addq %[lo], %[" l1 "]\n\t"          \
  "adcq %[" l0 "], %[" l2 "]\n\t"      \
  "mulxq %[p3], %[lo], %[hi]\n\t"      \
  "adcq %[lo], %[" l3 "]\n\t"          \
  "adcq %[hi], %[" l4 "]\n\t"          \
  "adcq $0, %[" l5 "]\n\t"

/* Two chains of carries: one of the low halves, one of the high ones. */
#define PRODUCT(at, low, high)           \
  "mulxq " at "(%[a]), %[lo], %[hi]\n\t" \
  "adcxq %[lo], %[" low "]\n\t"          \
  "adoxq %[hi], %[" high "]\n\t"

/* Nothing is carried beyond l4: a's highest word is P3 at most. */
#define ROW(at, l0, l1, l2, l3, l4, l5)                                       \
  "movq " at "(%[b]), %%rdx\n\t"                                              \
  "xorl %k[" l5 "], %k[" l5 "]\n\t" PRODUCT("0", l0, l1) PRODUCT("8", l1, l2) \
      PRODUCT("16", l2, l3) PRODUCT("24", l3, l4) "adcxq %[" l5 "], %[" l4 "]\n\t"

static void multiply_adx(struct field *out, const struct field *a, const struct field *b)
{
  uint64_t t0, t1, t2, t3, t4, t5, lo, hi, rdx;
  const struct field *left = a; /* its register ends as FIELD_P1 */
  __asm__("movq (%[b]), %%rdx\n\t"
          "mulxq (%[a]), %[t0], %[t1]\n\t"
          "mulxq 8(%[a]), %[lo], %[t2]\n\t"
          "addq %[lo], %[t1]\n\t"
          "mulxq 16(%[a]), %[lo], %[t3]\n\t"
          "adcq %[lo], %[t2]\n\t"
          "mulxq 24(%[a]), %[lo], %[t4]\n\t"
          "adcq %[lo], %[t3]\n\t"
          "adcq $0, %[t4]\n\t"
          "movl $0, %k[t5]\n\t" REDUCE("t0", "t1", "t2", "t3", "t4", "t5")
              ROW("8", "t1", "t2", "t3", "t4", "t5", "t0")
                  REDUCE("t1", "t2", "t3", "t4", "t5", "t0")
                      ROW("16", "t2", "t3", "t4", "t5", "t0", "t1")
                          REDUCE("t2", "t3", "t4", "t5", "t0", "t1")
                              ROW("24", "t3", "t4", "t5", "t0", "t1", "t2")
                                  REDUCE("t3", "t4", "t5", "t0", "t1", "t2")
          /* t4, t5, t0, t1 and the carry t2; less p, where that is not below zero */
          "movq %[t4], %[lo]\n\t"
          "movq %[t5], %[hi]\n\t"
          "movq %[t0], %%rdx\n\t"
          "movq %[t1], %[t3]\n\t"
          "movl $0xffffffff, %k[a]\n\t"
          "subq $-1, %[lo]\n\t"
          "sbbq %[a], %[hi]\n\t"
          "sbbq $0, %%rdx\n\t"
          "sbbq %[p3], %[t3]\n\t"
          "sbbq $0, %[t2]\n\t"
          "cmovcq %[t4], %[lo]\n\t"
          "cmovcq %[t5], %[hi]\n\t"
          "cmovcq %[t0], %%rdx\n\t"
          "cmovcq %[t1], %[t3]\n\t"
          : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
            [t5] "=&r"(t5), [lo] "=&r"(lo), [hi] "=&r"(hi), "=&d"(rdx), [a] "+&r"(left)
          : [b] "r"(b), [p3] "r"(FIELD_P3), "m"(*a), "m"(*b)
          : "cc");
  *out = (struct field){{lo, hi, rdx, t3}};
}

/* mulx is of BMI2, adcx and adox of ADX. */
static bool has_adx(void)
{
  enum { structured_features = 7, bmi2 = 1 << 8, adx = 1 << 19 };
  static int known = -1;
  unsigned a, b, c, d;
  if (known < 0)
    known = __get_cpuid_count(structured_features, 0, &a, &b, &c, &d) && (b & bmi2) && (b & adx);
  return known;
}

void field_multiply(struct field *out, const struct field *a, const struct field *b)
{
  if (has_adx())
    multiply_adx(out, a, b);
  else
    field_multiply_anywhere(out, a, b);
}

#else

void field_multiply(struct field *out, const struct field *a, const struct field *b)
{
  field_multiply_anywhere(out, a, b);
}

#endif
