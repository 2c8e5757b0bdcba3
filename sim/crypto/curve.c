/* ECDSA_do_* is deprecated in favour of EVP, whose keys cost 35 us to build from bytes, a third of a verification. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/curve.h"

#include <limits.h>
#include <stdbool.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

/* The entry points that lead here carry no context, and building the group anew would cost more than using it. */
static struct {
  EC_GROUP *group;
  BN_CTX *scratch;
} curve;

static bool ready(void)
{
  if (curve.group == NULL) curve.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (curve.scratch == NULL) curve.scratch = BN_CTX_new();
  return curve.group != NULL && curve.scratch != NULL;
}

/* NULL when memory is short. Freed with BN_clear_free. */
static BIGNUM *scalar_read(const uint8_t bytes[CURVE_PRIVATE_SIZE])
{
  BIGNUM *scalar = BN_bin2bn(bytes, CURVE_PRIVATE_SIZE, NULL);
  if (scalar != NULL) BN_set_flags(scalar, BN_FLG_CONSTTIME);
  return scalar;
}

static bool scalar_in_range(const BIGNUM *scalar)
{
  return !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(curve.group)) < 0;
}

/* A secret scalar that is in range; *out is NULL otherwise. */
static enum curve_result secret_read(const uint8_t bytes[CURVE_PRIVATE_SIZE], BIGNUM **out)
{
  *out = ready() ? scalar_read(bytes) : NULL;
  if (*out == NULL) return CURVE_MEMORY;
  if (scalar_in_range(*out)) return CURVE_OK;
  BN_clear_free(*out);
  *out = NULL;
  return CURVE_REFUSED;
}

/* A point on the curve; *out is NULL otherwise. */
static enum curve_result point_read(const uint8_t bytes[CURVE_PUBLIC_SIZE], EC_POINT **out)
{
  *out = NULL;
  if (bytes[0] != POINT_CONVERSION_UNCOMPRESSED) return CURVE_REFUSED;
  if (!ready() || (*out = EC_POINT_new(curve.group)) == NULL) return CURVE_MEMORY;
  ERR_set_mark(); /* a stale error would make the operator's TLS, which shares the queue, see a failure of its own */
  bool on_curve = EC_POINT_oct2point(curve.group, *out, bytes, CURVE_PUBLIC_SIZE, curve.scratch) == 1;
  ERR_pop_to_mark();
  if (on_curve) return CURVE_OK;
  EC_POINT_free(*out);
  *out = NULL;
  return CURVE_REFUSED;
}

enum curve_result curve_check_private(const uint8_t private_key[CURVE_PRIVATE_SIZE])
{
  BIGNUM *scalar;
  enum curve_result result = secret_read(private_key, &scalar);
  BN_clear_free(scalar);
  return result;
}

enum curve_result curve_check_public(const uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  EC_POINT *point;
  enum curve_result result = point_read(public_key, &point);
  EC_POINT_free(point);
  return result;
}

enum curve_result curve_public(const uint8_t private_key[CURVE_PRIVATE_SIZE], uint8_t public_key[CURVE_PUBLIC_SIZE])
{
  BIGNUM *scalar;
  enum curve_result result = secret_read(private_key, &scalar);
  if (result != CURVE_OK) return result;
  EC_POINT *point = EC_POINT_new(curve.group);
  bool done = point != NULL && EC_POINT_mul(curve.group, point, scalar, NULL, NULL, curve.scratch) == 1 &&
              EC_POINT_point2oct(curve.group, point, POINT_CONVERSION_UNCOMPRESSED, public_key, CURVE_PUBLIC_SIZE,
                                 curve.scratch) == CURVE_PUBLIC_SIZE;
  EC_POINT_free(point);
  BN_clear_free(scalar);
  return done ? CURVE_OK : CURVE_MEMORY;
}

/* The x coordinate of scalar * point, or of scalar * G where point is NULL. */
static bool multiply_x(const BIGNUM *scalar, const EC_POINT *point, BIGNUM *x)
{
  EC_POINT *product = EC_POINT_new(curve.group);
  bool done = product != NULL &&
              EC_POINT_mul(curve.group, product, point == NULL ? scalar : NULL, point, point == NULL ? NULL : scalar,
                           curve.scratch) == 1 &&
              EC_POINT_get_affine_coordinates(curve.group, product, x, NULL, curve.scratch) == 1;
  EC_POINT_clear_free(product);
  return done;
}

enum curve_result curve_shared(const uint8_t private_key[CURVE_PRIVATE_SIZE], const uint8_t peer[CURVE_PUBLIC_SIZE],
                               uint8_t shared[CURVE_SHARED_SIZE])
{
  EC_POINT *point;
  enum curve_result result = point_read(peer, &point);
  if (result != CURVE_OK) return result;
  BIGNUM *scalar;
  result = secret_read(private_key, &scalar);
  BIGNUM *x = BN_new();
  if (result == CURVE_OK &&
      (x == NULL || !multiply_x(scalar, point, x) || BN_bn2binpad(x, shared, CURVE_SHARED_SIZE) != CURVE_SHARED_SIZE))
    result = CURVE_MEMORY;
  BN_clear_free(x);
  BN_clear_free(scalar);
  EC_POINT_free(point);
  return result;
}

/* libcrypto's key around one half of a pair; NULL when memory is short. */
static EC_KEY *key_around(const BIGNUM *scalar, const EC_POINT *point)
{
  EC_KEY *key = EC_KEY_new();
  if (key != NULL && EC_KEY_set_group(key, curve.group) == 1 &&
      (scalar == NULL || EC_KEY_set_private_key(key, scalar) == 1) &&
      (point == NULL || EC_KEY_set_public_key(key, point) == 1))
    return key;
  EC_KEY_free(key);
  return NULL;
}

/* r = x(nonce * G) mod n and 1 / nonce mod n: what libcrypto would draw itself, from entropy that no seed replays. */
static bool commit(BIGNUM *nonce, BIGNUM *r, BIGNUM *inverse)
{
  const BIGNUM *order = EC_GROUP_get0_order(curve.group);
  return multiply_x(nonce, NULL, r) && BN_nnmod(r, r, order, curve.scratch) == 1 &&
         BN_mod_inverse(inverse, nonce, order, curve.scratch) != NULL;
}

static enum curve_result sign(const BIGNUM *scalar, BIGNUM *nonce, const uint8_t *hash, size_t hash_size,
                              uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  EC_KEY *key = key_around(scalar, NULL);
  BIGNUM *r = BN_new(), *inverse = BN_new();
  enum curve_result result = CURVE_MEMORY;
  if (key != NULL && r != NULL && inverse != NULL && commit(nonce, r, inverse)) {
    ERR_set_mark();
    ECDSA_SIG *made = BN_is_zero(r) ? NULL : ECDSA_do_sign_ex(hash, (int) hash_size, inverse, r, key);
    ERR_pop_to_mark();
    result = made == NULL ? CURVE_REFUSED : CURVE_OK;
    if (made != NULL && (BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, 32) != 32 ||
                         BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + 32, 32) != 32))
      result = CURVE_MEMORY;
    ECDSA_SIG_free(made);
  }
  BN_clear_free(inverse);
  BN_clear_free(r);
  EC_KEY_free(key);
  return result;
}

enum curve_result curve_sign(const uint8_t private_key[CURVE_PRIVATE_SIZE], const uint8_t nonce[CURVE_PRIVATE_SIZE],
                             const uint8_t *hash, size_t hash_size, uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  if (hash_size > INT_MAX) return CURVE_REFUSED;
  BIGNUM *scalar, *k = NULL;
  enum curve_result result = secret_read(private_key, &scalar);
  if (result == CURVE_OK) result = secret_read(nonce, &k);
  if (result == CURVE_OK) result = sign(scalar, k, hash, hash_size, signature);
  BN_clear_free(k);
  BN_clear_free(scalar);
  return result;
}

/* NULL when memory is short. */
static ECDSA_SIG *signature_read(const uint8_t bytes[CURVE_SIGNATURE_SIZE])
{
  ECDSA_SIG *signature = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(bytes, 32, NULL), *s = BN_bin2bn(bytes + 32, 32, NULL);
  if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) return signature;
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(signature);
  return NULL;
}

enum curve_result curve_verify(const uint8_t public_key[CURVE_PUBLIC_SIZE], const uint8_t *hash, size_t hash_size,
                               const uint8_t signature[CURVE_SIGNATURE_SIZE])
{
  if (hash_size > INT_MAX) return CURVE_REFUSED;
  EC_POINT *point;
  enum curve_result result = point_read(public_key, &point);
  if (result != CURVE_OK) return result;
  EC_KEY *key = key_around(NULL, point);
  ECDSA_SIG *claimed = signature_read(signature);
  result = CURVE_MEMORY;
  if (key != NULL && claimed != NULL) {
    ERR_set_mark();
    result = ECDSA_do_verify(hash, (int) hash_size, claimed, key) == 1 ? CURVE_OK : CURVE_REFUSED;
    ERR_pop_to_mark();
  }
  ECDSA_SIG_free(claimed);
  EC_KEY_free(key);
  EC_POINT_free(point);
  return result;
}
