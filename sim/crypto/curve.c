/* ECDSA_do_* is deprecated in favour of EVP, whose keys cost 35 us to build from bytes, a third of
   a verification. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/curve.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "crypto/ecdsa.h"
#include "crypto/familiar.h"
#include "crypto/order.h"

/* The entry points that lead here carry no context; making these anew each time would cost 200
 * allocations and 20 us of a connect. Whoever uses a part of it leaves no secret there. */
static struct {
  EC_GROUP *group;
  BN_CTX *scratch;
  EC_POINT *point, *product;
  EC_KEY *signer;
} curve;

static EC_KEY *new_key(void)
{
  EC_KEY *key = EC_KEY_new();
  if (key != NULL && EC_KEY_set_group(key, curve.group) == 1) return key;
  EC_KEY_free(key);
  return NULL;
}

static bool ready(void)
{
  if (curve.signer != NULL) return true;
  if (curve.group == NULL) curve.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (curve.scratch == NULL) curve.scratch = BN_CTX_new();
  if (curve.group == NULL || curve.scratch == NULL) return false;
  if (curve.point == NULL) curve.point = EC_POINT_new(curve.group);
  if (curve.product == NULL) curve.product = EC_POINT_new(curve.group);
  if (curve.point == NULL || curve.product == NULL) return false;
  curve.signer = new_key();
  return curve.signer != NULL;
}

/* Numbers of one computation: taken from the scratch between begin() and end(), which wipes
   them. */
struct numbers {
  BIGNUM *taken[9];
  int count;
};

static bool begin(struct numbers *numbers)
{
  numbers->count = 0;
  if (!ready()) return false;
  BN_CTX_start(curve.scratch);
  return true;
}

static BIGNUM *take(struct numbers *numbers)
{
  BIGNUM *number = BN_CTX_get(curve.scratch);
  if (number != NULL) numbers->taken[numbers->count++] = number;
  return number;
}

static void end(struct numbers *numbers)
{
  while (numbers->count > 0) BN_clear(numbers->taken[--numbers->count]);
  BN_CTX_end(curve.scratch);
}

/* A secret scalar that is in range. */
static enum curve_result take_secret(struct numbers *numbers,
                                     const uint8_t bytes[CURVE_PRIVATE_SIZE], BIGNUM **out)
{
  BIGNUM *scalar = *out = take(numbers);
  if (scalar == NULL || BN_bin2bn(bytes, CURVE_PRIVATE_SIZE, scalar) == NULL) return CURVE_MEMORY;
  BN_set_flags(scalar, BN_FLG_CONSTTIME);
  bool in_range = !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(curve.group)) < 0;
  return in_range ? CURVE_OK : CURVE_REFUSED;
}

/* A point on the curve, into curve.point. */
static enum curve_result read_point(const uint8_t bytes[CURVE_PUBLIC_SIZE])
{
  if (bytes[0] != POINT_CONVERSION_UNCOMPRESSED) return CURVE_REFUSED;
  if (!ready()) return CURVE_MEMORY;
  /* a stale error would make the operator's TLS, which shares the queue, see a failure of its
     own */
  ERR_set_mark();
  bool on_curve =
      EC_POINT_oct2point(curve.group, curve.point, bytes, CURVE_PUBLIC_SIZE, curve.scratch) == 1;
  ERR_pop_to_mark();
  return on_curve ? CURVE_OK : CURVE_REFUSED;
}

enum curve_result curve_check_private(const uint8_t private_key[CURVE_PRIVATE_SIZE])
{
  struct numbers numbers;
  if (!begin(&numbers)) return CURVE_MEMORY;
  BIGNUM *scalar;
  enum curve_result result = take_secret(&numbers, private_key, &scalar);
  end(&numbers);
  return result;
}

enum curve_result curve_check_public(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  return read_point(public_key);
}

enum curve_result curve_public(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                               uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  struct numbers numbers;
  if (!begin(&numbers)) return CURVE_MEMORY;
  BIGNUM *scalar;
  enum curve_result result = take_secret(&numbers, private_key, &scalar);
  if (result == CURVE_OK &&
      (EC_POINT_mul(curve.group, curve.product, scalar, NULL, NULL, curve.scratch) != 1 ||
       EC_POINT_point2oct(curve.group, curve.product, POINT_CONVERSION_UNCOMPRESSED, public_key,
                          CURVE_PUBLIC_SIZE, curve.scratch) != CURVE_PUBLIC_SIZE))
    result = CURVE_MEMORY;
  end(&numbers);
  return result;
}

/* The x coordinate of scalar * point, or of scalar * G where point is NULL. */
static bool multiply_x(const BIGNUM *scalar, const EC_POINT *point, BIGNUM *x)
{
  bool done =
      EC_POINT_mul(curve.group, curve.product, point == NULL ? scalar : NULL, point,
                   point == NULL ? NULL : scalar, curve.scratch) == 1 &&
      EC_POINT_get_affine_coordinates(curve.group, curve.product, x, NULL, curve.scratch) == 1;
  /* a shared secret or the point of a nonce: neither stays */
  return EC_POINT_copy(curve.product, EC_GROUP_get0_generator(curve.group)) == 1 && done;
}

enum curve_result curve_shared(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                               const uint8_t peer[CURVE_PUBLIC_SIZE],
                               uint8_t shared[CURVE_SHARED_SIZE])
{
  enum curve_result result = read_point(peer);
  struct numbers numbers;
  if (result != CURVE_OK) return result;
  if (!begin(&numbers)) return CURVE_MEMORY;
  BIGNUM *scalar;
  result = take_secret(&numbers, private_key, &scalar);
  BIGNUM *x = take(&numbers);
  if (result == CURVE_OK && (x == NULL || !multiply_x(scalar, curve.point, x) ||
                             BN_bn2binpad(x, shared, CURVE_SHARED_SIZE) != CURVE_SHARED_SIZE))
    result = CURVE_MEMORY;
  end(&numbers);
  return result;
}

/* 1 / number mod n, of a public number. */
static bool invert(const BIGNUM *number, BIGNUM *inverse)
{
  uint8_t bytes[ORDER_SIZE];
  bool done = BN_bn2binpad(number, bytes, ORDER_SIZE) == ORDER_SIZE && order_invert(bytes, bytes) &&
              BN_bin2bn(bytes, ORDER_SIZE, inverse) != NULL;
  OPENSSL_cleanse(bytes, sizeof bytes);
  return done;
}

/* The same of a secret number: what is inverted is its product with another one, and as good as
   random itself. */
static bool invert_secret(const BIGNUM *number, const BIGNUM *blind, BIGNUM *inverse)
{
  const BIGNUM *order = EC_GROUP_get0_order(curve.group);
  return BN_mod_mul(inverse, number, blind, order, curve.scratch) == 1 &&
         invert(inverse, inverse) && BN_mod_mul(inverse, inverse, blind, order, curve.scratch) == 1;
}

/* r = x(nonce * G) mod n: with 1 / nonce, what libcrypto would draw itself, from entropy that no
   seed replays. */
static bool commit(const BIGNUM *nonce, BIGNUM *r)
{
  return multiply_x(nonce, NULL, r) &&
         BN_nnmod(r, r, EC_GROUP_get0_order(curve.group), curve.scratch) == 1;
}

static enum curve_result sign(const BIGNUM *inverse, const BIGNUM *r, const uint8_t *hash,
                              size_t hash_size, uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  ERR_set_mark();
  ECDSA_SIG *made =
      BN_is_zero(r) ? NULL : ECDSA_do_sign_ex(hash, (int) hash_size, inverse, r, curve.signer);
  ERR_pop_to_mark();
  if (made == NULL) return CURVE_REFUSED;
  bool written = BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, 32) == 32 &&
                 BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + 32, 32) == 32;
  ECDSA_SIG_free(made);
  return written ? CURVE_OK : CURVE_MEMORY;
}

enum curve_result curve_sign(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                             const struct curve_nonce *nonce, const uint8_t *hash, size_t hash_size,
                             uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  struct numbers numbers;
  if (hash_size > INT_MAX) return CURVE_REFUSED;
  if (!begin(&numbers)) return CURVE_MEMORY;
  BIGNUM *scalar, *k = NULL, *blind = NULL;
  enum curve_result result = take_secret(&numbers, private_key, &scalar);
  if (result == CURVE_OK) result = take_secret(&numbers, nonce->k, &k);
  if (result == CURVE_OK) result = take_secret(&numbers, nonce->blind, &blind);
  BIGNUM *r = take(&numbers), *inverse = take(&numbers);
  if (result == CURVE_OK && (inverse == NULL || EC_KEY_set_private_key(curve.signer, scalar) != 1 ||
                             !commit(k, r) || !invert_secret(k, blind, inverse)))
    result = CURVE_MEMORY;
  if (result == CURVE_OK) result = sign(inverse, r, hash, hash_size, signature);
  (void) EC_KEY_set_private_key(curve.signer, NULL); /* wipes; answers 0 */
  end(&numbers);
  return result;
}

/* Half of a signature: a public number in 1..n-1. */
static bool read_half(const uint8_t bytes[32], BIGNUM *half)
{
  return BN_bin2bn(bytes, 32, half) != NULL && !BN_is_zero(half) &&
         BN_cmp(half, EC_GROUP_get0_order(curve.group)) < 0;
}

/* Whether x mod n = r for the x of curve.product. As the point lies there x is a fraction, X / Z^2
 * mod p; r is compared with it, and so is r + n where that is less than p, for a division would
 * cost more than all else here. */
static bool has_x(const BIGNUM *r, struct numbers *numbers)
{
  const BIGNUM *order = EC_GROUP_get0_order(curve.group), *p = EC_GROUP_get0_field(curve.group);
  BIGNUM *x = take(numbers), *z = take(numbers), *candidate = take(numbers),
         *product = take(numbers);
  if (product == NULL || EC_POINT_is_at_infinity(curve.group, curve.product) == 1 ||
      BN_copy(candidate, r) == NULL ||
      EC_POINT_get_Jprojective_coordinates_GFp(curve.group, curve.product, x, NULL, z,
                                               curve.scratch) != 1 ||
      BN_mod_sqr(z, z, p, curve.scratch) != 1)
    return false;
  bool same = false;
  while (!same && BN_cmp(candidate, p) < 0) {
    if (BN_mod_mul(product, candidate, z, p, curve.scratch) != 1) return false;
    same = BN_cmp(product, x) == 0;
    if (BN_add(candidate, candidate, order) != 1) return false;
  }
  return same;
}

/* FIPS 186-5, 6.4.2, with the key in curve.point. */
static bool is_signed(const BIGNUM *e, const uint8_t signature[CURVE_SIGNATURE_SIZE],
                      struct numbers *numbers)
{
  const BIGNUM *order = EC_GROUP_get0_order(curve.group);
  BIGNUM *r = take(numbers), *s = take(numbers), *u = take(numbers), *v = take(numbers);
  return v != NULL && read_half(signature, r) && read_half(signature + 32, s) && invert(s, s) &&
         BN_mod_mul(u, e, s, order, curve.scratch) == 1 &&
         BN_mod_mul(v, r, s, order, curve.scratch) == 1 &&
         EC_POINT_mul(curve.group, curve.product, u, curve.point, v, curve.scratch) == 1 &&
         has_x(r, numbers);
}

static enum curve_result verify_unfamiliar(const uint8_t public_key[CURVE_PUBLIC_SIZE],
                                           const uint8_t *hash, size_t hash_size,
                                           const uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  enum curve_result result = read_point(public_key);
  struct numbers numbers;
  if (result != CURVE_OK) return result;
  if (!begin(&numbers)) return CURVE_MEMORY;
  BIGNUM *e = take(&numbers);
  int used = hash_size < 32 ? (int) hash_size : 32; /* the leftmost bits of a longer hash */
  ERR_set_mark();
  bool good = e != NULL && BN_bin2bn(hash, used, e) != NULL && is_signed(e, signature, &numbers);
  ERR_pop_to_mark();
  end(&numbers);
  return good ? CURVE_OK : CURVE_REFUSED;
}

enum curve_result curve_verify(const uint8_t public_key[CURVE_PUBLIC_SIZE], const uint8_t *hash,
                               size_t hash_size, const uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  static_assert(CURVE_PUBLIC_SIZE == MULTIPLES_KEY && CURVE_SIGNATURE_SIZE == ECDSA_SIGNATURE,
                "both are of bytes alone");
  const struct multiples *of_key = familiar_multiples(public_key);
  if (of_key == NULL) return verify_unfamiliar(public_key, hash, hash_size, signature);
  bool good = ecdsa_is_signed(multiples_of_generator(), of_key, hash, hash_size, signature);
  return good ? CURVE_OK : CURVE_REFUSED;
}
