/* What is no key, no point or no signature is refused in both modes, and in the same words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypto/curve.h"
#include "crypto/p256_host.h"

#include "rig.h"

#define G_X      "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
#define G_Y      "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
#define ZERO     "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE      "0000000000000000000000000000000000000000000000000000000000000001"
#define FIELD    "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"
#define ORDER    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
#define ORDER_M1 "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550"
#define ORDER_P1 "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632552"
#define ONES     "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
/* x is 5 and 5 + p: both fit in 32 bytes, and only the first is a field element */
#define X5   "0000000000000000000000000000000000000000000000000000000000000005"
#define X5_P "FFFFFFFF00000001000000000000000000000001000000000000000000000004"
#define X5_Y "459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC"

struct sample {
  const char *why, *hex;
};

static const struct sample good_points[] = {
    {"the generator", "04" G_X G_Y},
    {"its negative", "04" G_X "B01CBD1C01E58065711814B583F061E9D431CCA994CEA1313449BF97C840AE0A"},
    {"a small x", "04" X5 X5_Y},
};

static const struct sample bad_points[] = {
    {"y is off by one bit",
     "04" G_X "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F4"},
    {"x is off by one bit",
     "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C297" G_Y},
    {"x and y swapped", "04" G_Y G_X},
    {"zeroes", "04" ZERO ZERO},
    {"x not reduced modulo p", "04" X5_P X5_Y},
    {"x is p", "04" FIELD G_Y},
    {"y is p", "04" G_X FIELD},
    {"all ones", "04" ONES ONES},
    {"marked as infinity", "00" G_X G_Y},
    {"marked as compressed, y even", "02" G_X G_Y},
    {"marked as compressed, y odd", "03" G_X G_Y},
    {"hybrid, y even", "06" G_X G_Y},
    {"hybrid, y odd", "07" G_X G_Y},
    {"marked as nothing known", "05" G_X G_Y},
    {"infinity in one byte", "00"},
    {"compressed", "03" G_X},
    {"without its mark", G_X G_Y},
    {"a byte too long", "04" G_X G_Y "00"},
    {"a byte too short", "04" G_X "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51"},
    {"a mark alone", "04"},
};

static const struct sample good_scalars[] = {{"1", ONE}, {"n - 1", ORDER_M1}};

static const struct sample bad_scalars[] = {
    {"0", ZERO},
    {"n", ORDER},
    {"n + 1", ORDER_P1},
    {"all ones", ONES},
    {"a byte too short", "01020304050607080910111213141516171819202122232425262728293031"},
    {"a byte too long", ONE "01"},
    {"one byte", "01"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static psa_status_t import_hex(bool native, bool is_private, const char *hex, size_t bits)
{
  p256_host_set_native(native);
  uint8_t bytes[66];
  size_t size = rig_hex(hex, bytes, sizeof bytes);
  psa_key_id_t id;
  psa_status_t status = rig_import(is_private, bytes, size, bits, PSA_ALG_ECDH, &id);
  if (status == PSA_SUCCESS) psa_destroy_key(id);
  return status;
}

static void import_all(const struct sample *samples, size_t count, bool is_private, bool good)
{
  static const size_t said_bits[] = {256, 0};
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < COUNT(said_bits); j++) {
      psa_status_t native = import_hex(true, is_private, samples[i].hex, said_bits[j]);
      psa_status_t ours = import_hex(false, is_private, samples[i].hex, said_bits[j]);
      if (ours != native || (ours == PSA_SUCCESS) != good)
        fail_msg("%s, %zu bits: native %d, ours %d", samples[i].why, said_bits[j], (int) native,
                 (int) ours);
    }
}

static void imports_points_on_the_curve(void **state)
{
  (void) state;
  import_all(good_points, COUNT(good_points), false, true);
}

static void refuses_to_import_what_is_no_point(void **state)
{
  (void) state;
  import_all(bad_points, COUNT(bad_points), false, false);
}

static void imports_scalars_up_to_n(void **state)
{
  (void) state;
  import_all(good_scalars, COUNT(good_scalars), true, true);
}

static void refuses_to_import_scalars_out_of_range(void **state)
{
  (void) state;
  import_all(bad_scalars, COUNT(bad_scalars), true, false);
}

static psa_status_t shared_with(bool native, const char *peer_hex)
{
  p256_host_set_native(native);
  uint8_t key[32], peer[66], shared[32];
  rig_hex(ORDER_M1, key, sizeof key);
  size_t size = rig_hex(peer_hex, peer, sizeof peer);
  return rig_shared(key, peer, size, shared);
}

static void refuses_a_secret_with_what_is_no_point(void **state)
{
  (void) state;
  for (size_t i = 0; i < COUNT(bad_points); i++) {
    psa_status_t native = shared_with(true, bad_points[i].hex),
                 ours = shared_with(false, bad_points[i].hex);
    if (native != ours || ours == PSA_SUCCESS)
      fail_msg("%s: native %d, ours %d", bad_points[i].why, (int) native, (int) ours);
  }
  for (size_t i = 0; i < COUNT(good_points); i++) {
    psa_status_t native = shared_with(true, good_points[i].hex),
                 ours = shared_with(false, good_points[i].hex);
    if (native != PSA_SUCCESS || ours != PSA_SUCCESS)
      fail_msg("%s: native %d, ours %d", good_points[i].why, (int) native, (int) ours);
  }
}

static void a_nonce_out_of_range_makes_no_signature(void **state)
{
  (void) state;
  static const char *const bad[] = {ZERO, ORDER, ORDER_P1, ONES};
  uint8_t key[32], hash[32] = {1}, signature[64];
  rig_hex(ONE, key, sizeof key);
  for (size_t i = 0; i < COUNT(bad); i++) {
    struct curve_nonce nonce;
    memset(&nonce, 7, sizeof nonce);
    rig_hex(bad[i], nonce.k, sizeof nonce.k);
    assert_int_equal(curve_sign(key, &nonce, hash, sizeof hash, signature), CURVE_REFUSED);
    memset(&nonce, 7, sizeof nonce);
    rig_hex(bad[i], nonce.blind, sizeof nonce.blind);
    assert_int_equal(curve_sign(key, &nonce, hash, sizeof hash, signature), CURVE_REFUSED);
    memset(&nonce, 7, sizeof nonce);
    assert_int_equal(curve_sign(key, &nonce, hash, sizeof hash, signature), CURVE_OK);
  }
}

static void small_buffers_are_refused_alike(void **state)
{
  (void) state;
  uint8_t key[32], out[65], hash[32] = {1};
  psa_key_id_t signer, agreer;
  rig_hex(ORDER_M1, key, sizeof key);
  assert_int_equal(rig_import(true, key, sizeof key, 256, PSA_ALG_ECDSA_ANY, &signer), PSA_SUCCESS);
  assert_int_equal(rig_import(true, key, sizeof key, 256, PSA_ALG_ECDH, &agreer), PSA_SUCCESS);
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    size_t size;
    assert_int_equal(psa_sign_hash(signer, PSA_ALG_ECDSA_ANY, hash, sizeof hash, out, 63, &size),
                     PSA_ERROR_BUFFER_TOO_SMALL);
    assert_int_equal(psa_export_public_key(signer, out, 64, &size), PSA_ERROR_BUFFER_TOO_SMALL);
    assert_int_equal(psa_export_public_key(signer, out, 65, &size), PSA_SUCCESS);
    assert_int_equal(psa_raw_key_agreement(PSA_ALG_ECDH, agreer, out, 65, out, 31, &size),
                     PSA_ERROR_BUFFER_TOO_SMALL);
  }
  psa_destroy_key(signer);
  psa_destroy_key(agreer);
}

static psa_status_t generate(psa_key_id_t *id)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
  return psa_generate_key(&attributes, id);
}

static void without_entropy_there_is_no_key_and_no_signature(void **state)
{
  (void) state;
  uint8_t key[32], hash[32] = {1}, signature[64];
  rig_hex(ORDER_M1, key, sizeof key);
  for (int native = 0; native < 2; native++) {
    p256_host_set_native(native);
    rig_starve(true);
    psa_key_id_t id;
    psa_status_t generated = generate(&id), signed_ = rig_sign(key, hash, sizeof hash, signature);
    rig_starve(false);
    assert_int_equal(generated, PSA_ERROR_INSUFFICIENT_ENTROPY);
    assert_int_equal(signed_, PSA_ERROR_INSUFFICIENT_ENTROPY);
  }
}

static void a_refusal_leaves_openssls_error_queue_as_it_was(void **state)
{
  (void) state;
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 42);
  uint8_t key[65], zeroes[64] = {0}, hash[32] = {1};
  rig_hex("04" G_X G_Y, key, sizeof key);
  assert_int_equal(import_hex(false, false, "04" ZERO ZERO, 256), PSA_ERROR_INVALID_ARGUMENT);
  assert_int_equal(shared_with(false, "04" ONES ONES), PSA_ERROR_INVALID_ARGUMENT);
  assert_int_equal(rig_verify(key, hash, sizeof hash, zeroes, sizeof zeroes),
                   PSA_ERROR_INVALID_SIGNATURE);
  assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
  assert_int_equal(ERR_get_error(), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(imports_points_on_the_curve),
      cmocka_unit_test(refuses_to_import_what_is_no_point),
      cmocka_unit_test(imports_scalars_up_to_n),
      cmocka_unit_test(refuses_to_import_scalars_out_of_range),
      cmocka_unit_test(refuses_a_secret_with_what_is_no_point),
      cmocka_unit_test(a_nonce_out_of_range_makes_no_signature),
      cmocka_unit_test(small_buffers_are_refused_alike),
      cmocka_unit_test(without_entropy_there_is_no_key_and_no_signature),
      cmocka_unit_test(a_refusal_leaves_openssls_error_queue_as_it_was),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
