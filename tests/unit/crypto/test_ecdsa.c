/* Signatures judged with tables of multiples, against libcrypto's own ECDSA. None that it refuses is
   accepted, and none that it accepts is refused. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "crypto/curve.h"
#include "crypto/ecdsa.h"
#include "crypto/order.h"

#include "rig.h"

#define SEED UINT64_C(20261201)
#ifdef __SANITIZE_ADDRESS__
#define KEYS 15
#else
#define KEYS 50 /* with 200 good and 200 bad signatures each */
#endif
#define EACH 200

static EC_GROUP *group;
static const BIGNUM *n;
static BN_CTX *scratch;

static int start(void **state)
{
  (void) state;
  group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  scratch = BN_CTX_new();
  n = EC_GROUP_get0_order(group);
  return 0;
}

static int stop(void **state)
{
  (void) state;
  EC_GROUP_free(group);
  BN_CTX_free(scratch);
  return 0;
}

/* A key as each side has it. */
struct both {
  uint8_t private_key[32], public_key[65];
  EC_KEY *key;
  struct multiples *table;
};

static struct both both_of(const BIGNUM *scalar)
{
  struct both both;
  assert_int_equal(BN_bn2binpad(scalar, both.private_key, 32), 32);
  EC_POINT *point = EC_POINT_new(group);
  assert_int_equal(EC_POINT_mul(group, point, scalar, NULL, NULL, scratch), 1);
  assert_int_equal(
      EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, both.public_key, 65, scratch),
      65);
  both.key = EC_KEY_new();
  EC_KEY_set_group(both.key, group);
  assert_int_equal(EC_KEY_set_public_key(both.key, point), 1);
  EC_POINT_free(point);
  both.table = multiples_make(both.public_key);
  assert_non_null(both.table);
  return both;
}

static void both_free(struct both *both)
{
  EC_KEY_free(both->key);
  free(both->table);
}

struct claim {
  uint8_t hash[64], signature[64];
  size_t hash_size;
};

static bool judge(const struct both *both, const struct claim *claim)
{
  ECDSA_SIG *claimed = ECDSA_SIG_new();
  ECDSA_SIG_set0(claimed, BN_bin2bn(claim->signature, 32, NULL),
                 BN_bin2bn(claim->signature + 32, 32, NULL));
  int good = ECDSA_do_verify(claim->hash, (int) claim->hash_size, claimed, both->key);
  ECDSA_SIG_free(claimed);
  ERR_clear_error();
  return good == 1;
}

static bool ours(const struct both *both, const struct claim *claim)
{
  return ecdsa_is_signed(multiples_of_generator(), both->table, claim->hash, claim->hash_size,
                         claim->signature);
}

static const char *hex(const uint8_t *bytes, size_t size, char out[129])
{
  for (size_t i = 0; i < size; i++) snprintf(out + 2 * i, 3, "%02x", (unsigned) bytes[i]);
  return out;
}

/* Returns what both say. */
static bool compare(const char *what, const struct both *both, const struct claim *claim)
{
  bool wanted = judge(both, claim), found = ours(both, claim);
  char private_key[129], hash[129], signature[129];
  if (wanted != found)
    fail_msg("%s, seed %ju: libcrypto %s it, we %s: private key %s, hash %s, signature %s", what,
             (uintmax_t) SEED, wanted ? "accepts" : "refuses", found ? "accept" : "refuse",
             hex(both->private_key, 32, private_key), hex(claim->hash, claim->hash_size, hash),
             hex(claim->signature, 64, signature));
  return found;
}

static uint32_t below(uint32_t limit)
{
  uint32_t drawn;
  rig_random((uint8_t *) &drawn, sizeof drawn);
  return drawn % limit;
}

static void draw_scalar(uint8_t scalar[32])
{
  do rig_random(scalar, 32);
  while (!order_has(scalar));
}

static struct claim sign(const struct both *both)
{
  struct claim claim;
  struct curve_nonce nonce;
  draw_scalar(nonce.k);
  draw_scalar(nonce.blind);
  rig_random(claim.hash, sizeof claim.hash);
  claim.hash_size = below(2) == 0 ? 32 : below(65);
  assert_int_equal(
      curve_sign(both->private_key, &nonce, claim.hash, claim.hash_size, claim.signature),
      CURVE_OK);
  return claim;
}

/* Adds or takes `by` from one half of a signature. */
static void shift_half(uint8_t half[32], const BIGNUM *by, bool add)
{
  BIGNUM *number = BN_bin2bn(half, 32, NULL);
  if (add)
    BN_add(number, number, by);
  else
    BN_sub(number, by, number);
  if (!BN_is_negative(number) && BN_num_bits(number) <= 256)
    BN_bn2binpad(number, half, 32);
  else
    half[31] ^= 1;
  BN_free(number);
}

static void spoil(struct claim *claim)
{
  uint8_t other[32];
  switch (below(10)) {
  case 0: claim->signature[below(64)] ^= (uint8_t) (1u << below(8)); break;
  case 1: claim->hash[below(64)] ^= (uint8_t) (1u << below(8)); break; /* it may be unused */
  case 2: memset(claim->signature + 32 * below(2), below(2) == 0 ? 0x00 : 0xff, 32); break;
  case 3: rig_random(claim->signature, sizeof claim->signature); break;
  case 4: claim->hash_size = below(65); break; /* from 32 bytes on only the first 32 count */
  case 5: shift_half(claim->signature + 32, n, false); break; /* n - s is as good as s */
  case 6: shift_half(claim->signature, n, false); break;
  case 7: shift_half(claim->signature + 32 * below(2), n, true); break;
  case 8: shift_half(claim->signature + 32 * below(2), BN_value_one(), true); break;
  case 9:
    memcpy(other, claim->signature, 32);
    memcpy(claim->signature, claim->signature + 32, 32);
    memcpy(claim->signature + 32, other, 32);
    break;
  }
}

static void judges_random_good_and_bad_signatures_as_libcrypto_does(void **state)
{
  (void) state;
  size_t accepted = 0, refused = 0;
  rig_seed(SEED);
  for (int k = 0; k < KEYS; k++) {
    uint8_t scalar[32];
    draw_scalar(scalar);
    BIGNUM *number = BN_bin2bn(scalar, 32, NULL);
    struct both both = both_of(number);
    for (int i = 0; i < EACH; i++) {
      struct claim claim = sign(&both);
      assert_true(compare("a good signature", &both, &claim));
      spoil(&claim);
      if (compare("a spoiled signature", &both, &claim))
        accepted++;
      else
        refused++;
    }
    both_free(&both);
    BN_free(number);
  }
  printf("%d good signatures; of as many that were spoiled, %zu were refused, and %zu not harmed\n",
         KEYS * EACH, refused, accepted);
  assert_true(refused > KEYS * EACH / 2 && accepted > KEYS * EACH / 10);
}

/* The scalars at which digits carry, a sum meets one of its own addends, or nothing is added. Those
   of n less so much are there too. */
static const char *const edges[] = {
    "0",
    "1",
    "2",
    "3",
    "7F",
    "80",
    "81",
    "FF",
    "100",
    "101",
    "7F80",
    "8080",
    "FFFF",
    "10000",
    "8000000000000000000000000000000000000000000000000000000000000000",
    "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "7F80808080808080808080808080808080808080808080808080808080808080",
    "8080808080808080808080808080808080808080808080808080808080808080",
    "7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8", /* n / 2 */
    "0100000000000000000000000000000000000000000000000000000000000000",
};
#define EDGES (2 * sizeof edges / sizeof edges[0])

static BIGNUM *edge(size_t i)
{
  BIGNUM *number = NULL;
  BN_hex2bn(&number, edges[i / 2]);
  if (i % 2 == 1) BN_mod_sub(number, n, number, n, scratch);
  return number;
}

/* A signature by d whose verification computes u * G + v * Q: r is that point's x, s is r / v, and
   the hash is u * s. False: the point is at infinity, and the claim has 1 for r. */
static bool construct(const BIGNUM *d, const BIGNUM *u, const BIGNUM *v, struct claim *out)
{
  BIGNUM *k = BN_new(), *r = BN_new(), *s = BN_new(), *e = BN_new();
  EC_POINT *point = EC_POINT_new(group);
  BN_mod_mul(k, v, d, n, scratch);
  BN_mod_add(k, k, u, n, scratch);
  bool finite = !BN_is_zero(k);
  if (finite) {
    assert_int_equal(EC_POINT_mul(group, point, k, NULL, NULL, scratch), 1);
    assert_int_equal(EC_POINT_get_affine_coordinates(group, point, r, NULL, scratch), 1);
    BN_nnmod(r, r, n, scratch);
  } else {
    BN_one(r);
  }
  assert_non_null(BN_mod_inverse(s, v, n, scratch));
  BN_mod_mul(s, s, r, n, scratch);
  BN_mod_mul(e, u, s, n, scratch);
  BN_bn2binpad(r, out->signature, 32);
  BN_bn2binpad(s, out->signature + 32, 32);
  BN_bn2binpad(e, out->hash, 32);
  out->hash_size = 32;
  EC_POINT_free(point);
  BN_free(k), BN_free(r), BN_free(s), BN_free(e);
  return finite;
}

static void compare_edge(const struct both *both, const BIGNUM *d, const BIGNUM *u, const BIGNUM *v)
{
  struct claim claim;
  bool finite = construct(d, u, v, &claim);
  if (compare("an edge", both, &claim) != finite)
    fail_msg("u %s, v %s, d %s: %s", BN_bn2hex(u), BN_bn2hex(v), BN_bn2hex(d),
             finite ? "refused" : "infinity has an x");
  claim.signature[31] ^= 1;
  assert_false(compare("another r", both, &claim));
}

/* Keys that are small multiples of G, G itself and its negative among them: here u * G and v * Q
   meet. */
static void judges_the_edges_of_scalars_and_keys(void **state)
{
  (void) state;
  static const char *const keys[] = {"1", "2", "3", "80", "10000"};
  for (size_t k = 0; k < 2 * sizeof keys / sizeof keys[0]; k++) {
    BIGNUM *d = NULL;
    BN_hex2bn(&d, keys[k / 2]);
    if (k % 2 == 1) BN_sub(d, n, d);
    struct both both = both_of(d);
    for (size_t i = 0; i < EDGES; i++)
      for (size_t j = 2; j < EDGES; j++) { /* v is never 0: r is not */
        BIGNUM *u = edge(i), *v = edge(j);
        compare_edge(&both, d, u, v);
        BN_free(u);
        BN_free(v);
      }
    both_free(&both);
    BN_free(d);
  }
}

/* Each half and the hash: 0, 1, n - 1, n, n + 1, p - n and p, half of n, all ones, one bit. */
static void refuses_halves_out_of_range(void **state)
{
  (void) state;
  static const char *const values[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000001",
      "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550",
      "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
      "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632552",
      "000000000000000000000000000000004319055358E8617B0C46353D039CDAAE",
      "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
      "7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8",
      "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
      "8000000000000000000000000000000000000000000000000000000000000000",
  };
  enum { count = sizeof values / sizeof values[0] };
  struct both both = both_of(BN_value_one());
  struct claim claim = {.hash_size = 32};
  for (size_t h = 0; h < count; h++)
    for (size_t r = 0; r < count; r++)
      for (size_t s = 0; s < count; s++) {
        rig_hex(values[h], claim.hash, 32);
        rig_hex(values[r], claim.signature, 32);
        rig_hex(values[s], claim.signature + 32, 32);
        (void) compare("halves at the edge", &both, &claim);
        uint8_t zero[32] = {0};
        if (!order_has(claim.signature) || memcmp(claim.signature + 32, zero, 32) == 0)
          assert_false(ours(&both, &claim));
      }
  both_free(&both);
}

/* A signature that is right modulo n, with a small s, and the same with s + n. */
static void refuses_an_s_that_is_right_but_for_n(void **state)
{
  (void) state;
  BIGNUM *k = BN_new(), *r = BN_new(), *s = BN_new(), *v = BN_new(), *u = BN_new();
  struct both both = both_of(BN_value_one());
  for (unsigned i = 1; i < 50; i++) {
    struct claim claim;
    uint8_t point[65], scalar[32] = {0};
    scalar[31] = (uint8_t) i;
    assert_int_equal(curve_public(scalar, point), CURVE_OK);
    BN_bin2bn(point + 1, 32, r);
    BN_nnmod(r, r, n, scratch);
    BN_set_word(s, i + 1);
    BN_mod_inverse(v, s, n, scratch);
    BN_mod_mul(v, v, r, n, scratch);
    BN_set_word(k, i);
    BN_mod_sub(u, k, v, n, scratch);
    assert_true(construct(BN_value_one(), u, v, &claim));
    assert_int_equal(claim.signature[63], i + 1);
    assert_true(compare("a small s", &both, &claim));
    shift_half(claim.signature + 32, n, true);
    assert_false(compare("s + n", &both, &claim));
  }
  both_free(&both);
  BN_free(k), BN_free(r), BN_free(s), BN_free(v), BN_free(u);
}

/* x between n and p, as Wycheproof knows one: r is x - n, and x itself is no r. */
static void takes_x_modulo_n(void **state)
{
  (void) state;
  struct claim claim = {.hash_size = 32};
  uint8_t key[65];
  rig_hex(LARGE_X_KEY, key, sizeof key);
  struct multiples *table = multiples_make(key);
  assert_non_null(table);
  rig_hex(LARGE_X_HASH, claim.hash, sizeof claim.hash);
  rig_hex(LARGE_X_R LARGE_X_S, claim.signature, sizeof claim.signature);
  assert_true(ecdsa_is_signed(multiples_of_generator(), table, claim.hash, 32, claim.signature));
  rig_hex(LARGE_X LARGE_X_S, claim.signature, sizeof claim.signature);
  assert_false(ecdsa_is_signed(multiples_of_generator(), table, claim.hash, 32, claim.signature));
  free(table);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(judges_random_good_and_bad_signatures_as_libcrypto_does),
      cmocka_unit_test(judges_the_edges_of_scalars_and_keys),
      cmocka_unit_test(refuses_halves_out_of_range),
      cmocka_unit_test(refuses_an_s_that_is_right_but_for_n),
      cmocka_unit_test(takes_x_modulo_n),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
