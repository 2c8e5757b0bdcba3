/* The driver behind PSA: which code runs, what is remembered, what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/meter.h"
#include "crypto/p256_host.h"

#include "p256-m_driver_entrypoints.h"

#include "rig.h"

static uint64_t seed; /* each test's own: what another one left in the memory is not found again */
static struct p256_host_memory before;

static int start(void **state)
{
  (void) state;
  p256_host_set_native(false);
  crypto_meter_use(NULL);
  rig_seed(++seed);
  before = p256_host_memory();
  return 0;
}

/* Of this test. */
static uint64_t hits(void)
{
  return p256_host_memory().hits - before.hits;
}

static uint64_t misses(void)
{
  return p256_host_memory().misses - before.misses;
}

/* A pair, a hash and a signature of it. */
struct signed_hash {
  uint8_t private_key[32], public_key[65], hash[32], signature[64];
};

static struct signed_hash sign_something(void)
{
  struct signed_hash it;
  rig_random(it.private_key, sizeof it.private_key);
  rig_random(it.hash, sizeof it.hash);
  assert_int_equal(rig_public(it.private_key, it.public_key), PSA_SUCCESS);
  assert_int_equal(rig_sign(it.private_key, it.hash, sizeof it.hash, it.signature), PSA_SUCCESS);
  return it;
}

static psa_status_t verify(const struct signed_hash *it)
{
  return rig_verify(it->public_key, it->hash, sizeof it->hash, it->signature, sizeof it->signature);
}

static psa_key_attributes_t pair_attributes(psa_algorithm_t alg)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
  psa_set_key_algorithm(&attributes, alg);
  return attributes;
}

/* All six entry points, called as Mbed TLS calls them. */
static void call_all(psa_status_t statuses[6])
{
  struct signed_hash it = sign_something();
  psa_key_attributes_t attributes = pair_attributes(PSA_ALG_ECDSA_ANY);
  uint8_t out[65];
  size_t size, bits = 256;
  statuses[0] =
      p256_transparent_import_key(&attributes, it.private_key, 32, out, sizeof out, &size, &bits);
  statuses[1] =
      p256_transparent_export_public_key(&attributes, it.private_key, 32, out, sizeof out, &size);
  statuses[2] = p256_transparent_generate_key(&attributes, out, 32, &size);
  statuses[3] = p256_transparent_key_agreement(&attributes, it.private_key, 32, PSA_ALG_ECDH,
                                               it.public_key, 65, out, sizeof out, &size);
  statuses[4] = p256_transparent_sign_hash(&attributes, it.private_key, 32, PSA_ALG_ECDSA_ANY,
                                           it.hash, 32, out, sizeof out, &size);
  statuses[5] = p256_transparent_verify_hash(&attributes, it.private_key, 32, PSA_ALG_ECDSA_ANY,
                                             it.hash, 32, it.signature, 64);
}

static void computes_all_six_itself(void **state)
{
  (void) state;
  psa_status_t statuses[6];
  call_all(statuses);
  for (int i = 0; i < 6; i++) assert_int_equal(statuses[i], PSA_SUCCESS);
}

static void native_leaves_all_six_to_the_library(void **state)
{
  (void) state;
  p256_host_set_native(true);
  psa_status_t statuses[6];
  call_all(statuses);
  for (int i = 0; i < 6; i++) assert_int_equal(statuses[i], PSA_ERROR_NOT_SUPPORTED);
}

static void other_curves_and_key_types_are_left_to_the_library(void **state)
{
  (void) state;
  psa_key_attributes_t attributes = pair_attributes(PSA_ALG_ECDH);
  uint8_t key[32] = {1}, out[65];
  size_t size, bits = 256;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_K1));
  assert_int_equal(p256_transparent_import_key(&attributes, key, 32, out, sizeof out, &size, &bits),
                   PSA_ERROR_NOT_SUPPORTED);
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  assert_int_equal(p256_transparent_import_key(&attributes, key, 32, out, sizeof out, &size, &bits),
                   PSA_ERROR_NOT_SUPPORTED);
  assert_int_equal(p256_transparent_export_public_key(&attributes, key, 32, out, sizeof out, &size),
                   PSA_ERROR_NOT_SUPPORTED);
}

static void equal_entropy_gives_equal_keys_in_both_modes(void **state)
{
  (void) state;
  uint8_t key[2][32];
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    rig_seed(99);
    psa_key_attributes_t attributes = pair_attributes(PSA_ALG_ECDH);
    psa_key_id_t id;
    size_t size;
    assert_int_equal(psa_generate_key(&attributes, &id), PSA_SUCCESS);
    assert_int_equal(psa_export_key(id, key[native], 32, &size), PSA_SUCCESS);
    psa_destroy_key(id);
  }
  assert_memory_equal(key[0], key[1], 32);
}

static void equal_entropy_gives_equal_signatures(void **state)
{
  (void) state;
  struct signed_hash first = sign_something();
  rig_seed(seed);
  struct signed_hash second = sign_something();
  assert_memory_equal(&first, &second, sizeof first);
  struct signed_hash third = sign_something();
  assert_memory_not_equal(third.signature, second.signature, 32);
}

static void a_key_imported_in_one_mode_works_in_the_other(void **state)
{
  (void) state;
  struct signed_hash it = sign_something();
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    psa_key_id_t id;
    assert_int_equal(rig_import(true, it.private_key, 32, 256, PSA_ALG_ECDSA_ANY, &id),
                     PSA_SUCCESS);
    p256_host_set_native(!native);
    uint8_t public_key[65], signature[64];
    size_t size;
    assert_int_equal(psa_export_public_key(id, public_key, sizeof public_key, &size), PSA_SUCCESS);
    assert_memory_equal(public_key, it.public_key, sizeof public_key);
    assert_int_equal(psa_sign_hash(id, PSA_ALG_ECDSA_ANY, it.hash, 32, signature, 64, &size),
                     PSA_SUCCESS);
    p256_host_set_native(native);
    assert_int_equal(psa_verify_hash(id, PSA_ALG_ECDSA_ANY, it.hash, 32, signature, 64),
                     PSA_SUCCESS);
    signature[5] ^= 0x10;
    assert_int_equal(psa_verify_hash(id, PSA_ALG_ECDSA_ANY, it.hash, 32, signature, 64),
                     PSA_ERROR_INVALID_SIGNATURE);
    psa_destroy_key(id);
  }
}

static void remembers_a_verification_that_succeeded(void **state)
{
  (void) state;
  struct signed_hash it = sign_something();
  for (int i = 0; i < 3; i++) assert_int_equal(verify(&it), PSA_SUCCESS);
  assert_int_equal(misses(), 1);
  assert_int_equal(hits(), 2);
}

static void refuses_whatever_differs_by_a_bit_from_what_it_remembers(void **state)
{
  (void) state;
  struct signed_hash it = sign_something();
  assert_int_equal(verify(&it), PSA_SUCCESS);
  size_t first = offsetof(struct signed_hash, public_key),
         first_hash = offsetof(struct signed_hash, hash);
  for (size_t bit = 8 * first; bit < 8 * sizeof it; bit++) {
    struct signed_hash other = it;
    ((uint8_t *) &other)[bit / 8] ^= (uint8_t) (1u << bit % 8);
    psa_status_t status = verify(&other);
    psa_status_t expected =
        bit / 8 < first_hash ? PSA_ERROR_INVALID_ARGUMENT : PSA_ERROR_INVALID_SIGNATURE;
    if (status != expected)
      fail_msg("bit %zu: status %d instead of %d", bit, (int) status, (int) expected);
  }
  assert_int_equal(hits(), 0);
  assert_int_equal(misses(), 1 + 8 * (sizeof it.hash + sizeof it.signature));
  assert_int_equal(verify(&it), PSA_SUCCESS);
  assert_int_equal(hits(), 1);
}

static void never_remembers_a_failure(void **state)
{
  (void) state;
  struct signed_hash it = sign_something();
  it.hash[0] ^= 1;
  for (int i = 0; i < 3; i++) assert_int_equal(verify(&it), PSA_ERROR_INVALID_SIGNATURE);
  assert_int_equal(hits(), 0);
  assert_int_equal(misses(), 3);
}

static void a_signature_of_another_key_of_the_fleet_is_refused(void **state)
{
  (void) state;
  struct signed_hash one = sign_something(), two = sign_something();
  assert_int_equal(verify(&one), PSA_SUCCESS);
  assert_int_equal(verify(&two), PSA_SUCCESS);
  memcpy(two.public_key, one.public_key, sizeof two.public_key);
  assert_int_equal(verify(&two), PSA_ERROR_INVALID_SIGNATURE);
}

static void native_neither_asks_nor_fills_the_memory(void **state)
{
  (void) state;
  struct signed_hash it = sign_something();
  assert_int_equal(verify(&it), PSA_SUCCESS);
  p256_host_set_native(true);
  for (int i = 0; i < 2; i++) assert_int_equal(verify(&it), PSA_SUCCESS);
  assert_int_equal(hits(), 0);
  assert_int_equal(misses(), 1);
}

static void counts_for_the_device_that_is_being_stepped(void **state)
{
  (void) state;
  struct crypto_meter one = {0}, two = {0};
  crypto_meter_use(&one);
  struct signed_hash it = sign_something();
  uint8_t shared[32];
  assert_int_equal(rig_shared(it.private_key, it.public_key, 65, shared), PSA_SUCCESS);
  assert_int_equal(verify(&it), PSA_SUCCESS);
  crypto_meter_use(&two);
  assert_int_equal(verify(&it), PSA_SUCCESS);
  crypto_meter_use(NULL);
  assert_int_equal(verify(&it), PSA_SUCCESS);
  struct crypto_meter expected_one = {.public_key = 1, .ecdh = 1, .sign = 1, .verify = 1};
  struct crypto_meter expected_two = {.verify = 1, .verify_remembered = 1};
  assert_memory_equal(&one, &expected_one, sizeof one);
  assert_memory_equal(&two, &expected_two, sizeof two);
}

static void counts_the_same_in_both_modes(void **state)
{
  (void) state;
  struct crypto_meter meter[2] = {{0}, {0}};
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    crypto_meter_use(&meter[native]);
    struct signed_hash it = sign_something();
    assert_int_equal(verify(&it), PSA_SUCCESS);
    psa_key_attributes_t attributes = pair_attributes(PSA_ALG_ECDH);
    psa_key_id_t id;
    assert_int_equal(psa_generate_key(&attributes, &id), PSA_SUCCESS);
    psa_destroy_key(id);
  }
  crypto_meter_use(NULL);
  assert_memory_equal(&meter[0], &meter[1], sizeof meter[0]);
  struct crypto_meter expected = {.keygen = 1, .public_key = 1, .sign = 1, .verify = 1};
  assert_memory_equal(&meter[0], &expected, sizeof expected);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(computes_all_six_itself, start),
      cmocka_unit_test_setup(native_leaves_all_six_to_the_library, start),
      cmocka_unit_test_setup(other_curves_and_key_types_are_left_to_the_library, start),
      cmocka_unit_test_setup(equal_entropy_gives_equal_keys_in_both_modes, start),
      cmocka_unit_test_setup(equal_entropy_gives_equal_signatures, start),
      cmocka_unit_test_setup(a_key_imported_in_one_mode_works_in_the_other, start),
      cmocka_unit_test_setup(remembers_a_verification_that_succeeded, start),
      cmocka_unit_test_setup(refuses_whatever_differs_by_a_bit_from_what_it_remembers, start),
      cmocka_unit_test_setup(never_remembers_a_failure, start),
      cmocka_unit_test_setup(a_signature_of_another_key_of_the_fleet_is_refused, start),
      cmocka_unit_test_setup(native_neither_asks_nor_fills_the_memory, start),
      cmocka_unit_test_setup(counts_for_the_device_that_is_being_stepped, start),
      cmocka_unit_test_setup(counts_the_same_in_both_modes, start),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
