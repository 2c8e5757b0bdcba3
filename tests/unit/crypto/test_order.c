/* Inverses modulo the order of P-256, against libcrypto's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>

#include "crypto/order.h"

static BIGNUM *n, *x, *wanted;
static BN_CTX *scratch;

static int start(void **state)
{
  (void) state;
  x = BN_new();
  wanted = BN_new();
  scratch = BN_CTX_new();
  return BN_hex2bn(&n, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") > 0 ? 0
                                                                                               : -1;
}

static int stop(void **state)
{
  (void) state;
  BN_free(n);
  BN_free(x);
  BN_free(wanted);
  BN_CTX_free(scratch);
  return 0;
}

/* Of x. */
static void assert_inverse(void)
{
  uint8_t number[ORDER_SIZE], inverse[ORDER_SIZE], expected[ORDER_SIZE];
  assert_non_null(BN_mod_inverse(wanted, x, n, scratch));
  assert_int_equal(BN_bn2binpad(x, number, ORDER_SIZE), ORDER_SIZE);
  assert_int_equal(BN_bn2binpad(wanted, expected, ORDER_SIZE), ORDER_SIZE);
  assert_true(order_invert(number, inverse));
  assert_memory_equal(inverse, expected, ORDER_SIZE);
  assert_true(order_invert(number, number));
  assert_memory_equal(number, expected, ORDER_SIZE);
}

static void inverts_ten_thousand_numbers_as_libcrypto_does(void **state)
{
  (void) state;
  for (int i = 0; i < 10000; i++) {
    assert_int_equal(BN_rand_range(x, n), 1);
    if (!BN_is_zero(x)) assert_inverse();
  }
}

/* The smallest and the largest numbers, single bits, runs of ones: their inverses have leading
 * zeros as often as not.
 */
static void inverts_the_numbers_at_the_edges(void **state)
{
  (void) state;
  for (unsigned i = 1; i <= 300; i++) {
    BN_set_word(x, i);
    assert_inverse();
    BN_copy(x, n);
    BN_sub_word(x, i);
    assert_inverse();
  }
  for (int bit = 1; bit < 256; bit++) {
    BN_zero(x);
    BN_set_bit(x, bit);
    assert_inverse();
    BN_sub_word(x, 1);
    assert_inverse();
    BN_sub(x, n, x);
    assert_inverse();
  }
}

static void zero_and_the_order_have_no_inverse(void **state)
{
  (void) state;
  uint8_t number[ORDER_SIZE] = {0};
  assert_false(order_invert(number, number));
  assert_int_equal(BN_bn2binpad(n, number, ORDER_SIZE), ORDER_SIZE);
  assert_false(order_invert(number, number));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inverts_ten_thousand_numbers_as_libcrypto_does),
      cmocka_unit_test(inverts_the_numbers_at_the_edges),
      cmocka_unit_test(zero_and_the_order_have_no_inverse),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
