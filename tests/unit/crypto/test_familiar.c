/* A key that has its table verifies as one that has none: libcrypto's own ECDSA is the judge of
   both. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>

#include "crypto/curve.h"
#include "crypto/familiar.h"
#include "rig.h"

struct signer {
  EC_KEY *key;
  uint8_t public_key[CURVE_PUBLIC_SIZE];
};

static struct signer signer_make(void)
{
  struct signer signer = {.key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1)};
  assert_int_equal(EC_KEY_generate_key(signer.key), 1);
  assert_int_equal(
      EC_POINT_point2oct(EC_KEY_get0_group(signer.key), EC_KEY_get0_public_key(signer.key),
                         POINT_CONVERSION_UNCOMPRESSED, signer.public_key, CURVE_PUBLIC_SIZE, NULL),
      CURVE_PUBLIC_SIZE);
  return signer;
}

static void sign(const struct signer *signer, const uint8_t *hash, size_t size,
                 uint8_t signature[64])
{
  ECDSA_SIG *made = ECDSA_do_sign(hash, (int) size, signer->key);
  assert_non_null(made);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, 32), 32);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + 32, 32), 32);
  ECDSA_SIG_free(made);
}

static enum curve_result judge(const struct signer *signer, const uint8_t *hash, size_t size,
                               const uint8_t signature[64])
{
  ECDSA_SIG *claimed = ECDSA_SIG_new();
  ECDSA_SIG_set0(claimed, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
  int good = ECDSA_do_verify(hash, (int) size, claimed, signer->key);
  ECDSA_SIG_free(claimed);
  return good == 1 ? CURVE_OK : CURVE_REFUSED;
}

static void expect_the_judges_word(const struct signer *signer, const uint8_t *hash, size_t size,
                                   const uint8_t signature[64])
{
  enum curve_result wanted = judge(signer, hash, size, signature);
  assert_int_equal(curve_verify(signer->public_key, hash, size, signature), wanted);
}

static void make_familiar(const struct signer *signer)
{
  for (int i = 0; i < FAMILIAR_AFTER; i++) (void) familiar_multiples(signer->public_key);
  assert_non_null(familiar_multiples(signer->public_key));
}

static void fill(uint8_t *out, size_t size, uint32_t seed)
{
  for (size_t i = 0; i < size; i++)
    out[i] = (uint8_t) ((seed = seed * 1664525u + 1013904223u) >> 24);
}

/* Two verifications a turn: the key becomes familiar on the way. */
static void accepts_what_is_signed_and_nothing_that_differs_by_a_bit(void **state)
{
  (void) state;
  static const size_t sizes[] = {20, 32, 48, 64};
  struct signer signer = signer_make();
  for (uint32_t i = 0; i < 200; i++) {
    uint8_t hash[64], signature[64];
    size_t size = sizes[i % 4];
    fill(hash, sizeof hash, i);
    sign(&signer, hash, size, signature);
    assert_int_equal(curve_verify(signer.public_key, hash, size, signature), CURVE_OK);
    uint8_t *damaged = i % 2 == 0 ? signature : hash;
    damaged[i % (i % 2 == 0 ? 64 : size)] ^= (uint8_t) (1u << i % 8);
    expect_the_judges_word(&signer, hash, size, signature);
  }
  assert_non_null(familiar_multiples(signer.public_key));
  EC_KEY_free(signer.key);
}

static void judges_signatures_at_the_edge_as_libcrypto_does(void **state)
{
  (void) state;
  struct signer signer = signer_make();
  make_familiar(&signer);
  const BIGNUM *order = EC_GROUP_get0_order(EC_KEY_get0_group(signer.key));
  uint8_t edge[6][32] = {{0}}, hash[32] = {0};
  edge[1][31] = 1;
  BN_bn2binpad(order, edge[2], 32);
  memcpy(edge[3], edge[2], 32);
  edge[3][31]--; /* n - 1 */
  memset(edge[4], 0xff, 32);
  fill(edge[5], 32, 7);
  for (size_t h = 0; h < 6; h++)
    for (size_t r = 0; r < 6; r++)
      for (size_t s = 0; s < 6; s++) {
        uint8_t signature[64];
        memcpy(hash, edge[h], 32);
        memcpy(signature, edge[r], 32);
        memcpy(signature + 32, edge[s], 32);
        expect_the_judges_word(&signer, hash, 32, signature);
      }
  uint8_t zero[32] = {0}, signature[64];
  sign(&signer, zero, 32, signature); /* e = 0: the half with G is the point at infinity */
  assert_int_equal(curve_verify(signer.public_key, zero, 32, signature), CURVE_OK);
  EC_KEY_free(signer.key);
}

/* e = n - d, with r and s both 1: e/s * G + r/s * Q is the point at infinity, which has no x. */
static void refuses_the_point_at_infinity(void **state)
{
  (void) state;
  struct signer signer = signer_make();
  make_familiar(&signer);
  BIGNUM *e = BN_new();
  uint8_t hash[32], signature[64] = {0};
  BN_sub(e, EC_GROUP_get0_order(EC_KEY_get0_group(signer.key)),
         EC_KEY_get0_private_key(signer.key));
  assert_int_equal(BN_bn2binpad(e, hash, sizeof hash), sizeof hash);
  signature[31] = signature[63] = 1;
  assert_int_equal(curve_verify(signer.public_key, hash, sizeof hash, signature), CURVE_REFUSED);
  BN_clear_free(e);
  EC_KEY_free(signer.key);
}

/* A point whose x lies between n and p, once in 2^128 signatures: Wycheproof knows one. */
static void takes_the_x_of_a_point_modulo_n(void **state)
{
  (void) state;
  uint8_t key[CURVE_PUBLIC_SIZE], hash[32], good[64], bad[64];
  rig_hex(LARGE_X_KEY, key, sizeof key);
  rig_hex(LARGE_X_HASH, hash, sizeof hash);
  rig_hex(LARGE_X_R LARGE_X_S, good, sizeof good);
  rig_hex(LARGE_X LARGE_X_S, bad, sizeof bad);
  for (int i = 0; i <= FAMILIAR_AFTER; i++) {
    assert_int_equal(curve_verify(key, hash, sizeof hash, good), CURVE_OK);
    assert_int_equal(curve_verify(key, hash, sizeof hash, bad), CURVE_REFUSED);
  }
  assert_non_null(familiar_multiples(key));
}

static void a_key_becomes_familiar_and_is_forgotten_behind_newer_ones(void **state)
{
  (void) state;
  struct signer first = signer_make();
  for (int i = 1; i < FAMILIAR_AFTER; i++) assert_null(familiar_multiples(first.public_key));
  assert_non_null(familiar_multiples(first.public_key));
  for (int i = 0; i < FAMILIAR_KEYS; i++) {
    struct signer other = signer_make();
    assert_null(familiar_multiples(other.public_key));
    EC_KEY_free(other.key);
  }
  assert_null(familiar_multiples(first.public_key));
  EC_KEY_free(first.key);
}

static void what_is_no_point_never_becomes_familiar(void **state)
{
  (void) state;
  uint8_t bad[CURVE_PUBLIC_SIZE] = {4, 1, 2, 3}, hash[32] = {1}, signature[64] = {1};
  signature[63] = 1;
  for (int i = 0; i < 2 * FAMILIAR_AFTER; i++) assert_null(familiar_multiples(bad));
  for (int i = 0; i < 2 * FAMILIAR_AFTER; i++) assert_null(familiar_multiples(bad));
  assert_int_equal(curve_verify(bad, hash, sizeof hash, signature), CURVE_REFUSED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_what_is_signed_and_nothing_that_differs_by_a_bit),
      cmocka_unit_test(judges_signatures_at_the_edge_as_libcrypto_does),
      cmocka_unit_test(refuses_the_point_at_infinity),
      cmocka_unit_test(takes_the_x_of_a_point_modulo_n),
      cmocka_unit_test(a_key_becomes_familiar_and_is_forgotten_behind_newer_ones),
      cmocka_unit_test(what_is_no_point_never_becomes_familiar),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
