/* P-256 keys only: every other kind is refused by name where it is read. Scalars and points are
 * what devices work with, PEM files what people have; between the two stands libcrypto, whose want
 * of memory is told apart from a bad key. */
#include "pki/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "pki/secret.h"

#define KEY_FILE_MAX 65536

bool pki_crypto_starved(void)
{
  return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
         ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

int pki_crypto_error(struct error *error, const char *what)
{
  unsigned long code = ERR_peek_last_error();
  const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
  ERR_clear_error();
  return error_set(error, EXIT_CODE_INTERNAL, "libcrypto could not %s: %s", what,
                   reason == NULL ? "no reason" : reason);
}

EVP_PKEY *pki_key_generate(struct error *error)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  if (key == NULL) pki_crypto_error(error, "generate a P-256 key");
  return key;
}

EVP_PKEY_CTX *pki_key_generator(struct error *error)
{
  EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (generator != NULL && EVP_PKEY_keygen_init(generator) == 1 &&
      EVP_PKEY_CTX_set_group_name(generator, "P-256") == 1)
    return generator;
  EVP_PKEY_CTX_free(generator);
  pki_crypto_error(error, "prepare to generate P-256 keys");
  return NULL;
}

EVP_PKEY *pki_key_generate_next(EVP_PKEY_CTX *generator, struct error *error)
{
  EVP_PKEY *key = NULL;
  if (EVP_PKEY_generate(generator, &key) != 1) pki_crypto_error(error, "generate a P-256 key");
  return key;
}

bool pki_key_is_p256(const EVP_PKEY *key)
{
  char group[32];
  return key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
         strcmp(group, SN_X9_62_prime256v1) == 0;
}

void pki_key_title(const EVP_PKEY *key, char *out, size_t capacity)
{
  char group[40] = "";
  const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);
  ERR_clear_error();
  if (key == NULL)
    snprintf(out, capacity, "of a kind that cannot be read");
  else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1)
    snprintf(out, capacity, "on the curve %s", group);
  else
    snprintf(out, capacity, "%s", type == NULL ? "unknown" : type);
  ERR_clear_error();
}

/* A number as libcrypto gives it, in the processor's order of bytes, to 32 big-endian ones. */
static bool native_number(const OSSL_PARAM *param, uint8_t out[32])
{
  BIGNUM *value = NULL;
  bool done = OSSL_PARAM_modified(param) == 1 && OSSL_PARAM_get_BN(param, &value) == 1 &&
              BN_bn2binpad(value, out, 32) == 32;
  BN_clear_free(value);
  return done;
}

/* Two numbers at once where there are two: libcrypto takes the whole key apart for each question.
 * NULL: there is no second one. */
static int take_apart(const EVP_PKEY *key, const char *const name[2], uint8_t *out,
                      struct error *error)
{
  uint8_t number[2][32];
  OSSL_PARAM params[3] = {OSSL_PARAM_construct_BN(name[0], number[0], 32),
                          OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
  if (name[1] != NULL) params[1] = OSSL_PARAM_construct_BN(name[1], number[1], 32);
  bool done = key != NULL && EVP_PKEY_get_params(key, params) == 1 &&
              native_number(&params[0], out) &&
              (name[1] == NULL || native_number(&params[1], out + 32));
  OPENSSL_cleanse(number, sizeof number);
  return done ? 0 : pki_crypto_error(error, "take a P-256 key apart");
}

int pki_key_scalar(const EVP_PKEY *key, uint8_t out[PKI_KEY_SCALAR], struct error *error)
{
  static const char *const name[2] = {OSSL_PKEY_PARAM_PRIV_KEY, NULL};
  return take_apart(key, name, out, error);
}

int pki_key_point(const EVP_PKEY *key, uint8_t out[PKI_KEY_POINT], struct error *error)
{
  static const char *const name[2] = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};
  out[0] = POINT_CONVERSION_UNCOMPRESSED;
  return take_apart(key, name, out + 1, error);
}

static int public_of(const BIGNUM *scalar, uint8_t point[PKI_KEY_POINT])
{
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  EC_POINT *public = group == NULL ? NULL : EC_POINT_new(group);
  int done = public != NULL && EC_POINT_mul(group, public, scalar, NULL, NULL, NULL) == 1 &&
             EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, point, PKI_KEY_POINT,
                                NULL) == PKI_KEY_POINT;
  EC_POINT_free(public);
  EC_GROUP_free(group);
  return done;
}

static EVP_PKEY *assemble(const BIGNUM *scalar, const uint8_t point[PKI_KEY_POINT])
{
  EVP_PKEY *key = NULL;
  OSSL_PARAM *params = NULL;
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (build != NULL && ctx != NULL &&
      OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, PKI_KEY_POINT) == 1 &&
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
      (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  EVP_PKEY_CTX_free(ctx);
  return key;
}

EVP_PKEY *pki_key_from_scalar(const uint8_t scalar[PKI_KEY_SCALAR], struct error *error)
{
  uint8_t point[PKI_KEY_POINT];
  EVP_PKEY *key = NULL;
  BIGNUM *number_of = BN_secure_new();
  if (number_of != NULL && BN_bin2bn(scalar, PKI_KEY_SCALAR, number_of) != NULL &&
      public_of(number_of, point))
    key = assemble(number_of, point);
  BN_clear_free(number_of);
  if (key == NULL) pki_crypto_error(error, "put a P-256 key together");
  return key;
}

static int raw_signature(const uint8_t *der, size_t size, uint8_t out[64])
{
  const uint8_t *at = der;
  ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long) size);
  int done = signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32;
  ECDSA_SIG_free(signature);
  return done;
}

int pki_key_sign(EVP_PKEY *key, const uint8_t *data, size_t size, uint8_t signature[64],
                 struct error *error)
{
  uint8_t der[80];
  size_t der_size = sizeof der;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  int done = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(ctx, der, &der_size, data, size) == 1 &&
             raw_signature(der, der_size, signature);
  EVP_MD_CTX_free(ctx);
  return done ? 0 : pki_crypto_error(error, "sign");
}

int pki_key_sign_hash(EVP_PKEY *key, const uint8_t hash[32], uint8_t der[72], size_t *size,
                      struct error *error)
{
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
  *size = 72;
  bool done =
      ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, size, hash, 32) == 1;
  EVP_PKEY_CTX_free(ctx);
  return done ? 0 : pki_crypto_error(error, "sign a hash");
}

int pki_key_id(EVP_PKEY *key, uint8_t id[32], struct error *error)
{
  uint8_t *der = NULL;
  int size = i2d_PUBKEY(key, &der);
  bool done = size > 0 && EVP_Digest(der, (size_t) size, id, NULL, EVP_sha256(), NULL) == 1;
  OPENSSL_free(der);
  return done ? 0 : pki_crypto_error(error, "hash a public key");
}

static int no_passphrase(char *out, int size, int writing, void *ctx)
{
  (void) out, (void) size, (void) writing, (void) ctx;
  return -1;
}

static EVP_PKEY *read_private(BIO *bio)
{
  return PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
}

static EVP_PKEY *read_any(BIO *bio)
{
  EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
  if (key != NULL || BIO_reset(bio) != 1) return key;
  return read_private(bio);
}

static int refuse_key_text(const char *path, const uint8_t *text, size_t size, const char *what,
                           struct error *error)
{
  if (pki_crypto_starved())
    return error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path);
  if (strstr((const char *) text, "ENCRYPTED") != NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds a key under a passphrase, and there is nobody to ask for it; take "
                     "it off: openssl pkey -in %s -out plain.key",
                     path, path);
  if (size > 0 && text[0] == 0x30)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds DER, not a %s in PEM; write it so: openssl pkey -inform DER -in %s",
                     path, what, path);
  return error_set(error, EXIT_CODE_USAGE, "%s holds no %s in PEM without a passphrase", path,
                   what);
}

static EVP_PKEY *read_pem(const char *path, EVP_PKEY *(*parse)(BIO *bio), const char *what,
                          struct error *error)
{
  uint8_t *pem = NULL;
  size_t size = 0;
  if (files_read(path, KEY_FILE_MAX, &pem, &size, error) != 0) return NULL;
  BIO *bio = BIO_new_mem_buf(pem, (int) size);
  EVP_PKEY *key = bio == NULL ? NULL : parse(bio);
  BIO_free(bio);
  if (key == NULL) refuse_key_text(path, pem, size, what, error);
  OPENSSL_cleanse(pem, size);
  free(pem);
  ERR_clear_error();
  if (key == NULL || pki_key_is_p256(key)) return key;
  error_set(error, EXIT_CODE_USAGE,
            "the key in %s is not on curve P-256, the only one that devices know", path);
  EVP_PKEY_free(key);
  return NULL;
}

EVP_PKEY *pki_key_read(const char *path, struct error *error)
{
  return read_pem(path, read_private, "private key", error);
}

EVP_PKEY *pki_key_read_public(const char *path, struct error *error)
{
  return read_pem(path, read_any, "public or private key", error);
}

static int write_private(const char *path, EVP_PKEY *key,
                         int (*write)(const char *, const void *, size_t, struct error *),
                         struct error *error)
{
  BIO *bio = BIO_new(BIO_s_secmem());
  char *pem = NULL;
  int result;
  if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
    result = pki_crypto_error(error, "write a key as PEM");
  } else {
    long size = BIO_get_mem_data(bio, &pem);
    result = write(path, pem, (size_t) size, error);
    OPENSSL_cleanse(pem, (size_t) size);
  }
  BIO_free(bio);
  return result;
}

int pki_key_write_new(const char *path, EVP_PKEY *key, struct error *error)
{
  return write_private(path, key, pki_secret_write_new, error);
}

int pki_key_replace(const char *path, EVP_PKEY *key, struct error *error)
{
  return write_private(path, key, pki_secret_replace, error);
}

int pki_key_write_public(const char *path, EVP_PKEY *key, struct error *error)
{
  BIO *bio = BIO_new(BIO_s_mem());
  char *pem = NULL;
  int result;
  if (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1)
    result = pki_crypto_error(error, "write a public key as PEM");
  else {
    long size = BIO_get_mem_data(bio, &pem);
    result = files_write(path, pem, (size_t) size, 0644, error);
  }
  BIO_free(bio);
  return result;
}
