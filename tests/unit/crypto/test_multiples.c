/* Every point of a table, and what no table is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "crypto/multiples.h"

#include "rig.h"

#define G_X "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
#define G_Y "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"

/* y / zzz and x / zz are those of the point. */
static void expect_point(const EC_GROUP *group, const EC_POINT *point,
                         const struct multiples_sum *sum, const char *what, size_t at)
{
  uint8_t bytes[65];
  struct field x, y;
  assert_int_equal(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, 65, NULL),
                   65);
  assert_true(field_read(bytes + 1, &x) && field_read(bytes + 33, &y));
  field_multiply(&y, &y, &sum->zzz);
  if (!multiples_have_x(sum, &x) || !field_is_equal(&y, &sum->y))
    fail_msg("%s, %zu: another point", what, at);
}

/* k * 256^digit * Q for all k a digit can be, of a Q of three points. */
static void every_point_of_a_table_is_libcryptos(void **state)
{
  (void) state;
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  EC_POINT *base = EC_POINT_new(group), *point = EC_POINT_new(group);
  BIGNUM *scalar = BN_new();
  BN_set_word(scalar, 0x123456789);
  assert_int_equal(EC_POINT_mul(group, base, scalar, NULL, NULL, NULL), 1);
  uint8_t key[65];
  EC_POINT_point2oct(group, base, POINT_CONVERSION_UNCOMPRESSED, key, 65, NULL);
  struct multiples *table = multiples_make(key);
  assert_non_null(table);
  for (size_t digit = 0; digit < MULTIPLES_DIGITS; digit++) {
    EC_POINT_copy(point, base);
    for (unsigned k = 1; k <= MULTIPLES_EACH - (digit == MULTIPLES_DIGITS - 1); k++) {
      uint8_t bytes[32] = {0};
      struct multiples_sum sum = {.zz = {{0}}};
      bytes[31 - digit] = (uint8_t) k;
      multiples_add(&sum, table, bytes);
      expect_point(group, point, &sum, "multiple of digit", digit * 1000 + k);
      EC_POINT_add(group, point, point, base, NULL);
    }
    for (int i = 0; i < 8; i++) EC_POINT_dbl(group, base, base, NULL);
  }
  free(table);
  BN_free(scalar);
  EC_POINT_free(base);
  EC_POINT_free(point);
  EC_GROUP_free(group);
}

/* Scalars of 2^255 or more are taken from n; their highest digit may be 128. */
static void the_largest_scalars_are_right(void **state)
{
  (void) state;
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  const BIGNUM *n = EC_GROUP_get0_order(group);
  EC_POINT *point = EC_POINT_new(group);
  BIGNUM *scalar = BN_new();
  for (int i = -300; i <= 300; i++) {
    uint8_t bytes[32];
    if (i < 0)
      BN_copy(scalar, n), BN_sub_word(scalar, (BN_ULONG) -i);
    else
      BN_zero(scalar), BN_set_bit(scalar, 255), BN_add_word(scalar, (BN_ULONG) i),
          BN_sub_word(scalar, 150);
    BN_bn2binpad(scalar, bytes, 32);
    struct multiples_sum sum = {.zz = {{0}}};
    multiples_add(&sum, multiples_of_generator(), bytes);
    assert_int_equal(EC_POINT_mul(group, point, scalar, NULL, NULL, NULL), 1);
    expect_point(group, point, &sum, "large scalar", (size_t) (i + 300));
  }
  BN_free(scalar);
  EC_POINT_free(point);
  EC_GROUP_free(group);
}

static void nothing_times_a_point_adds_nothing(void **state)
{
  (void) state;
  uint8_t zero[32] = {0};
  struct multiples_sum sum = {.zz = {{0}}};
  multiples_add(&sum, multiples_of_generator(), zero);
  assert_true(field_is_zero(&sum.zz));
  assert_false(multiples_have_x(&sum, &field_one));
  assert_false(multiples_have_x(&sum, &sum.x));
}

static void no_table_is_made_of_what_is_no_point(void **state)
{
  (void) state;
  static const char *const bad[] = {
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "00",
      "0400000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "00",
      "00" G_X G_Y,
      "02" G_X G_Y,
      "03" G_X G_Y,
      "05" G_X G_Y,
      "06" G_X G_Y,
      "07" G_X G_Y,
      "04" G_Y G_X,
      "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C297" G_Y,
      "04" G_X "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F4",
      /* x is 5 + p, and y that of 5; x is p; y is p; all ones */
      "04FFFFFFFF00000001000000000000000000000001000000000000000000000004"
      "459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC",
      "04FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF" G_Y,
      "04" G_X "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
      "04FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
      "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
  };
  uint8_t key[65];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(rig_hex(bad[i], key, sizeof key), sizeof key);
    struct multiples *table = multiples_make(key);
    if (table != NULL) fail_msg("a table was made of %s", bad[i]);
  }
  rig_hex("04" G_X G_Y, key, sizeof key);
  struct multiples *table = multiples_make(key);
  assert_non_null(table);
  free(table);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_point_of_a_table_is_libcryptos),
      cmocka_unit_test(the_largest_scalars_are_right),
      cmocka_unit_test(nothing_times_a_point_adds_nothing),
      cmocka_unit_test(no_table_is_made_of_what_is_no_point),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
