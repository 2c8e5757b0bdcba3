/* Published answers, asked of the library's own code and of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/curve.h"
#include "crypto/p256_host.h"

#include "rig.h"

#define RFC6979_PRIVATE "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
#define RFC6979_PUBLIC                                                 \
  "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6" \
  "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"

/* RFC 6979, A.2.5: with the nonce that the RFC derives the signature is known. Hashes shorter and
   longer than n. */
static const struct {
  const char *what, *hash, *nonce, *signature;
} rfc6979[] = {
    {"SHA-1 of sample", "8151325DCDBAE9E0FF95F9F9658432DBEDFDB209",
     "882905F1227FD620FBF2ABF21244F0BA83D0DC3A9103DBBEE43A1FB858109DB4",
     "61340C88C3AAEBEB4F6D667F672CA9759A6CCAA9FA8811313039EE4A35471D326D7F147DAC089441BB2E2FE8F7A3F"
     "A264B9C475098FDCF6E00D7C996E1B8B7EB"},
    {"SHA-256 of sample", "AF2BDBE1AA9B6EC1E2ADE1D694F41FC71A831D0268E9891562113D8A62ADD1BF",
     "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60",
     "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29"
     "F65F3E900DBB9AFF4064DC4AB2F843ACDA8"},
    {"SHA-512 of sample",
     "39A5E04AAFF7455D9850C605364F514C11324CE64016960D23D5DC57D3FFD8F49A739468AB8049BF18EEF820CDB1A"
     "D6C9015F838556BC7FAD4138B23FDF986C7",
     "5FA81C63109BADB88C1F367B47DA606DA28CAD69AA22C4FE6AD7DF73A7173AA5",
     "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F002362AB1ADBE2B8ADF9CB9EDAB740E"
     "A6049C028114F2460F96554F61FAE3302FE"},
    {"SHA-256 of test, s has a leading zero byte",
     "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
     "D16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0",
     "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367019F4113742A2B14BD25926B49C64"
     "9155F267E60D3814B4C0CC84250E46F0083"},
};

static void signs_as_rfc_6979_says_with_its_nonce(void **state)
{
  (void) state;
  uint8_t key[32];
  rig_hex(RFC6979_PRIVATE, key, sizeof key);
  for (size_t i = 0; i < sizeof rfc6979 / sizeof *rfc6979; i++) {
    uint8_t hash[64], expected[64], signature[64];
    struct curve_nonce nonce;
    size_t hash_size = rig_hex(rfc6979[i].hash, hash, sizeof hash);
    rig_hex(rfc6979[i].nonce, nonce.k, sizeof nonce.k);
    memset(nonce.blind, (int) i + 1, sizeof nonce.blind);
    rig_hex(rfc6979[i].signature, expected, sizeof expected);
    assert_int_equal(curve_sign(key, &nonce, hash, hash_size, signature), CURVE_OK);
    assert_memory_equal(signature, expected, sizeof expected);
  }
}

static void verify_rfc_6979(bool native)
{
  p256_host_set_native(native);
  uint8_t key[65];
  rig_hex(RFC6979_PUBLIC, key, sizeof key);
  for (size_t i = 0; i < sizeof rfc6979 / sizeof *rfc6979; i++) {
    uint8_t hash[64], signature[64];
    size_t hash_size = rig_hex(rfc6979[i].hash, hash, sizeof hash);
    rig_hex(rfc6979[i].signature, signature, sizeof signature);
    psa_status_t status = rig_verify(key, hash, hash_size, signature, sizeof signature);
    if (status != PSA_SUCCESS) fail_msg("%s: status %d", rfc6979[i].what, (int) status);
    hash[0] ^= 1;
    status = rig_verify(key, hash, hash_size, signature, sizeof signature);
    if (status != PSA_ERROR_INVALID_SIGNATURE)
      fail_msg("%s, other hash: status %d", rfc6979[i].what, (int) status);
  }
}

static void verifies_rfc_6979_signatures(void **state)
{
  (void) state;
  verify_rfc_6979(false);
}

static void natively_verifies_rfc_6979_signatures(void **state)
{
  (void) state;
  verify_rfc_6979(true);
}

/* NIST CAVP, ECC CDH primitive, P-256, COUNT 0 */
static void agree_as_cavp(bool native)
{
  p256_host_set_native(native);
  uint8_t key[32], peer[65], ours[65], expected_ours[65], shared[32], expected[32];
  rig_hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534", key, sizeof key);
  rig_hex("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287db71e509e3fd9b060ddb20"
          "ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
          peer, sizeof peer);
  rig_hex("04ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b23028af61281fd35e2fa70025"
          "23acc85a429cb06ee6648325389f59edfce1405141",
          expected_ours, sizeof expected_ours);
  rig_hex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b", expected,
          sizeof expected);
  assert_int_equal(rig_public(key, ours), PSA_SUCCESS);
  assert_memory_equal(ours, expected_ours, sizeof ours);
  assert_int_equal(rig_shared(key, peer, sizeof peer, shared), PSA_SUCCESS);
  assert_memory_equal(shared, expected, sizeof shared);
}

static void agrees_on_the_secret_of_cavp(void **state)
{
  (void) state;
  agree_as_cavp(false);
}

static void natively_agrees_on_the_secret_of_cavp(void **state)
{
  (void) state;
  agree_as_cavp(true);
}

#define RFC_HASH "AF2BDBE1AA9B6EC1E2ADE1D694F41FC71A831D0268E9891562113D8A62ADD1BF"
#define RFC_R    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
#define RFC_S    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
#define ZERO     "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE      "0000000000000000000000000000000000000000000000000000000000000001"
#define ORDER    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
#define ONES     "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

/* The corners that Wycheproof looks into. */
static const struct {
  const char *why, *key, *hash, *signature;
  psa_status_t status;
} corners[] = {
    {"x of the nonce's point lies between n and p, r is x - n", LARGE_X_KEY, LARGE_X_HASH,
     LARGE_X_R LARGE_X_S, PSA_SUCCESS},
    {"r is that x itself, not reduced", LARGE_X_KEY, LARGE_X_HASH, LARGE_X LARGE_X_S,
     PSA_ERROR_INVALID_SIGNATURE},
    {"n - s verifies as s does", RFC6979_PUBLIC, RFC_HASH,
     RFC_R "0834E36AD29A83BF2BC9385E491D6099C8FDF9D1ED67AA7EA5F51F93782857A9", PSA_SUCCESS},
    {"r and s swapped", RFC6979_PUBLIC, RFC_HASH, RFC_S RFC_R, PSA_ERROR_INVALID_SIGNATURE},
    {"r is 0", RFC6979_PUBLIC, RFC_HASH, ZERO RFC_S, PSA_ERROR_INVALID_SIGNATURE},
    {"s is 0", RFC6979_PUBLIC, RFC_HASH, RFC_R ZERO, PSA_ERROR_INVALID_SIGNATURE},
    {"both are 0", RFC6979_PUBLIC, RFC_HASH, ZERO ZERO, PSA_ERROR_INVALID_SIGNATURE},
    {"both are 0, and so is the hash", RFC6979_PUBLIC, ZERO, ZERO ZERO,
     PSA_ERROR_INVALID_SIGNATURE},
    {"r is 0 and s is 1", RFC6979_PUBLIC, RFC_HASH, ZERO ONE, PSA_ERROR_INVALID_SIGNATURE},
    {"r is 1 and s is 0", RFC6979_PUBLIC, RFC_HASH, ONE ZERO, PSA_ERROR_INVALID_SIGNATURE},
    {"both are 1", RFC6979_PUBLIC, RFC_HASH, ONE ONE, PSA_ERROR_INVALID_SIGNATURE},
    {"r is n", RFC6979_PUBLIC, RFC_HASH, ORDER RFC_S, PSA_ERROR_INVALID_SIGNATURE},
    {"s is n", RFC6979_PUBLIC, RFC_HASH, RFC_R ORDER, PSA_ERROR_INVALID_SIGNATURE},
    {"r is all ones", RFC6979_PUBLIC, RFC_HASH, ONES RFC_S, PSA_ERROR_INVALID_SIGNATURE},
    {"s is all ones", RFC6979_PUBLIC, RFC_HASH, RFC_R ONES, PSA_ERROR_INVALID_SIGNATURE},
    {"one byte is missing", RFC6979_PUBLIC, RFC_HASH,
     RFC_R "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACD",
     PSA_ERROR_INVALID_SIGNATURE},
    {"one byte too many", RFC6979_PUBLIC, RFC_HASH, RFC_R RFC_S "00", PSA_ERROR_INVALID_SIGNATURE},
};

static void verify_corners(bool native)
{
  p256_host_set_native(native);
  for (size_t i = 0; i < sizeof corners / sizeof *corners; i++) {
    uint8_t key[65], hash[32], signature[65];
    rig_hex(corners[i].key, key, sizeof key);
    rig_hex(corners[i].hash, hash, sizeof hash);
    size_t size = rig_hex(corners[i].signature, signature, sizeof signature);
    psa_status_t status = rig_verify(key, hash, sizeof hash, signature, size);
    if (status != corners[i].status)
      fail_msg("%s: status %d instead of %d", corners[i].why, (int) status,
               (int) corners[i].status);
  }
}

static void verifies_the_corners(void **state)
{
  (void) state;
  verify_corners(false);
}

static void natively_verifies_the_corners(void **state)
{
  (void) state;
  verify_corners(true);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signs_as_rfc_6979_says_with_its_nonce),
      cmocka_unit_test(verifies_rfc_6979_signatures),
      cmocka_unit_test(natively_verifies_rfc_6979_signatures),
      cmocka_unit_test(agrees_on_the_secret_of_cavp),
      cmocka_unit_test(natively_agrees_on_the_secret_of_cavp),
      cmocka_unit_test(verifies_the_corners),
      cmocka_unit_test(natively_verifies_the_corners),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
