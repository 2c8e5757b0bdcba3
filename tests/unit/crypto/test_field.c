/* Numbers modulo p against libcrypto's, by both ways of multiplying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>

#include "crypto/field.h"

#include "rig.h"

#define SEED   UINT64_C(20261201)
#define RANDOM 10000

static BIGNUM *p, *x, *y, *wanted;
static BN_CTX *scratch;

static int start(void **state)
{
  (void) state;
  x = BN_new();
  y = BN_new();
  wanted = BN_new();
  scratch = BN_CTX_new();
  rig_seed(SEED);
  return BN_hex2bn(&p, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff") > 0 ? 0
                                                                                               : -1;
}

static int stop(void **state)
{
  (void) state;
  BN_free(p);
  BN_free(x);
  BN_free(y);
  BN_free(wanted);
  BN_CTX_free(scratch);
  return 0;
}

static struct field field_of(const BIGNUM *number)
{
  uint8_t bytes[FIELD_SIZE];
  struct field field;
  assert_int_equal(BN_bn2binpad(number, bytes, FIELD_SIZE), FIELD_SIZE);
  assert_true(field_read(bytes, &field));
  return field;
}

static void expect(const char *what, const struct field *found)
{
  struct field should = field_of(wanted);
  if (field_is_equal(found, &should)) return;
  char *a = BN_bn2hex(x), *b = BN_bn2hex(y);
  fail_msg("%s of %s and %s: %016jx... instead of %016jx...", what, a, b,
           (uintmax_t) found->word[3], (uintmax_t) should.word[3]);
}

/* Of x and y: also where the output is an input. */
static void compare(void)
{
  struct field a = field_of(x), b = field_of(y), out;
  BN_mod_mul(wanted, x, y, p, scratch);
  field_multiply(&out, &a, &b);
  expect("product", &out);
  field_multiply_anywhere(&out, &a, &b);
  expect("product in C", &out);
  out = b;
  field_multiply(&out, &a, &out);
  expect("product in its second factor", &out);
  out = b;
  field_multiply_anywhere(&out, &a, &out);
  expect("product in C, in its second factor", &out);
  BN_mod_add(wanted, x, y, p, scratch);
  field_add(&out, &a, &b);
  expect("sum", &out);
  BN_mod_sub(wanted, x, y, p, scratch);
  field_subtract(&out, &a, &b);
  expect("difference", &out);
  field_subtract(&a, &a, &b);
  expect("difference in its first", &a);
}

static void ten_thousand_numbers_as_libcrypto_does(void **state)
{
  (void) state;
  for (int i = 0; i < RANDOM; i++) {
    uint8_t bytes[2][FIELD_SIZE];
    rig_random(bytes[0], sizeof bytes);
    BN_bin2bn(bytes[0], FIELD_SIZE, x);
    BN_bin2bn(bytes[1], FIELD_SIZE, y);
    BN_nnmod(x, x, p, scratch);
    BN_nnmod(y, y, p, scratch);
    compare();
  }
}

/* A number whose 32-bit halves of words are 0, 1, all ones, or all ones but the last, in its own
   form: where carries run through. */
static void make_pattern(unsigned code, BIGNUM *number)
{
  static const uint32_t half[] = {0, 1, 0xffffffff, 0xfffffffe};
  struct field pattern;
  uint8_t bytes[FIELD_SIZE];
  for (size_t i = 0; i < FIELD_WORDS; i++, code /= 16)
    pattern.word[i] = (uint64_t) half[code / 4 % 4] << 32 | half[code % 4];
  for (size_t i = 0; i < FIELD_SIZE; i++)
    bytes[FIELD_SIZE - 1 - i] = (uint8_t) (pattern.word[i / 8] >> 8 * (i % 8));
  BN_bin2bn(bytes, FIELD_SIZE, number);
  /* as it is kept, a number is 2^256 times itself */
  BN_set_word(wanted, 0);
  BN_set_bit(wanted, 256);
  BN_mod_inverse(wanted, wanted, p, scratch);
  BN_mod_mul(number, number, wanted, p, scratch);
}

static void numbers_at_the_edges_of_words(void **state)
{
  (void) state;
  for (int i = 0; i < RANDOM; i++) {
    uint16_t code[2];
    rig_random((uint8_t *) code, sizeof code);
    make_pattern(code[0], x);
    make_pattern(code[1], y);
    compare();
  }
}

static void numbers_at_the_edges_of_p(void **state)
{
  (void) state;
  for (unsigned i = 0; i < 8; i++)
    for (unsigned j = 0; j < 8; j++) {
      BN_set_word(x, i / 2);
      BN_set_word(y, j / 2);
      if (i % 2 == 1) BN_sub(x, p, x), BN_sub_word(x, 1);
      if (j % 2 == 1) BN_sub(y, p, y), BN_sub_word(y, 1);
      compare();
    }
}

static void what_is_p_or_more_is_not_read(void **state)
{
  (void) state;
  uint8_t bytes[FIELD_SIZE];
  struct field out;
  BN_copy(x, p);
  for (int i = 0; i < 3; i++, BN_add_word(x, 1)) {
    BN_bn2binpad(x, bytes, FIELD_SIZE);
    assert_false(field_read(bytes, &out));
  }
  memset(bytes, 0xff, sizeof bytes);
  assert_false(field_read(bytes, &out));
  BN_sub(x, p, BN_value_one());
  BN_bn2binpad(x, bytes, FIELD_SIZE);
  assert_true(field_read(bytes, &out));
}

static void many_are_inverted_at_once(void **state)
{
  (void) state;
  enum { most = 300 };
  struct field number[most], inverse[most], room[most];
  for (size_t count = 1; count <= most; count += 23) {
    for (size_t i = 0; i < count; i++) {
      uint8_t bytes[FIELD_SIZE] = {0};
      rig_random(bytes + i % FIELD_SIZE, FIELD_SIZE - i % FIELD_SIZE);
      bytes[0] &= 0x7f;
      bytes[FIELD_SIZE - 1] |= 1;
      assert_true(field_read(bytes, &number[i]));
    }
    memcpy(inverse, number, sizeof inverse);
    field_invert_all(inverse, count, room);
    for (size_t i = 0; i < count; i++) {
      struct field product;
      field_multiply(&product, &number[i], &inverse[i]);
      if (!field_is_equal(&product, &field_one)) fail_msg("inverse %zu of %zu", i, count);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_numbers_as_libcrypto_does),
      cmocka_unit_test(numbers_at_the_edges_of_words),
      cmocka_unit_test(numbers_at_the_edges_of_p),
      cmocka_unit_test(what_is_p_or_more_is_not_read),
      cmocka_unit_test(many_are_inverted_at_once),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
