/* Each record under the server's first keys is opened, the one with Finished is changed and sealed
 * again under the same nonce. Where a key is missing or a record does not open, nothing is changed:
 * the trial then shows a sound server, and its verdict says so. */
#include "gauntlet/tamper.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
  TAG = 16,
  NONCE = 12,
  HEAD = 5,
  DATA = 23,
  HANDSHAKE = 22,
  FINISHED = 20,
  EXPLICIT = 8,
  BODY_MOST = 16384 + 256
};

struct tamper {
  uint8_t tls;
  bool known, done, changed;
  uint8_t secret[64];
  size_t secret_size;
  uint8_t key[32], iv[NONCE];
  const EVP_CIPHER *cipher;
  const EVP_MD *hash;
  bool derived, ciphered; /* TLS 1.2: ChangeCipherSpec has gone */
  uint64_t sequence;
};

struct tamper *tamper_new(uint8_t tls)
{
  struct tamper *tamper = calloc(1, sizeof *tamper);
  if (tamper != NULL) tamper->tls = tls;
  return tamper;
}

void tamper_free(struct tamper *tamper)
{
  if (tamper == NULL) return;
  secret_wipe(tamper, sizeof *tamper);
  free(tamper);
}

void tamper_learn(struct tamper *tamper, const char *line)
{
  if (tamper == NULL) return;
  const char *label = tamper->tls == 13 ? "SERVER_HANDSHAKE_TRAFFIC_SECRET " : "CLIENT_RANDOM ";
  if (strncmp(line, label, strlen(label)) != 0) return;
  const char *hex = strrchr(line, ' ');
  size_t size = hex != NULL ? strlen(hex + 1) / 2 : 0;
  if (size == 0 || size > sizeof tamper->secret) return;
  for (size_t i = 0; i < size; i++) {
    char pair[3] = {hex[1 + 2 * i], hex[2 + 2 * i], '\0'};
    tamper->secret[i] = (uint8_t) strtoul(pair, NULL, 16);
  }
  tamper->secret_size = size;
  tamper->known = true;
}

static bool choose_cipher(struct tamper *tamper, SSL *ssl)
{
  const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
  if (suite == NULL) return false;
  tamper->hash = SSL_CIPHER_get_handshake_digest(suite);
  switch (SSL_CIPHER_get_cipher_nid(suite)) {
  case NID_aes_128_gcm: tamper->cipher = EVP_aes_128_gcm(); break;
  case NID_aes_256_gcm: tamper->cipher = EVP_aes_256_gcm(); break;
  case NID_chacha20_poly1305:
    tamper->cipher = tamper->tls == 13 ? EVP_chacha20_poly1305() : NULL;
    break;
  default: tamper->cipher = NULL;
  }
  return tamper->cipher != NULL && tamper->hash != NULL;
}

/* RFC 8446 7.1, HKDF-Expand-Label with an empty context. */
static bool expand_label(const struct tamper *tamper, const char *label, uint8_t *out, size_t size)
{
  uint8_t info[32];
  size_t label_size = strlen(label);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  info[0] = (uint8_t) (size >> 8);
  info[1] = (uint8_t) size;
  info[2] = (uint8_t) (6 + label_size);
  memcpy(info + 3, "tls13 ", 6);
  memcpy(info + 9, label, label_size);
  info[9 + label_size] = 0;
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                       (char *) EVP_MD_get0_name(tamper->hash), 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) tamper->secret,
                                        tamper->secret_size),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, 10 + label_size),
      OSSL_PARAM_construct_end(),
  };
  bool done = context != NULL && EVP_KDF_derive(context, out, size, parameters) == 1;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return done;
}

/* RFC 5246 6.3, of an AEAD: client's key, server's key, client's salt, server's salt. */
static bool expand_block(struct tamper *tamper, SSL *ssl)
{
  uint8_t seed[13 + 64], block[2 * 32 + 8];
  size_t key = (size_t) EVP_CIPHER_get_key_length(tamper->cipher);
  memcpy(seed, "key expansion", 13);
  SSL_get_server_random(ssl, seed + 13, 32);
  SSL_get_client_random(ssl, seed + 45, 32);
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                       (char *) EVP_MD_get0_name(tamper->hash), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, tamper->secret, tamper->secret_size),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
      OSSL_PARAM_construct_end(),
  };
  bool done = context != NULL && EVP_KDF_derive(context, block, 2 * key + 8, parameters) == 1;
  memcpy(tamper->key, block + key, key);
  memcpy(tamper->iv, block + 2 * key + 4, 4);
  secret_wipe(block, sizeof block);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return done;
}

static bool derive(struct tamper *tamper, SSL *ssl)
{
  if (tamper->derived) return true;
  if (!tamper->known || !choose_cipher(tamper, ssl)) return false;
  size_t key = (size_t) EVP_CIPHER_get_key_length(tamper->cipher);
  tamper->derived = tamper->tls == 13 ? expand_label(tamper, "key", tamper->key, key) &&
                                            expand_label(tamper, "iv", tamper->iv, NONCE)
                                      : expand_block(tamper, ssl);
  return tamper->derived;
}

/* One pass of the cipher over `size` bytes in place; opening checks the tag behind them, sealing
 * writes it. */
static bool pass(const struct tamper *tamper, const uint8_t nonce[NONCE], const uint8_t *aad,
                 int aad_size, uint8_t *data, size_t size, bool seal)
{
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  int n = 0, rest = 0;
  bool done = context != NULL &&
              EVP_CipherInit_ex(context, tamper->cipher, NULL, tamper->key, nonce, seal) == 1 &&
              EVP_CipherUpdate(context, NULL, &n, aad, aad_size) == 1 &&
              EVP_CipherUpdate(context, data, &n, data, (int) size) == 1;
  if (done && !seal)
    done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, data + size) == 1;
  done = done && EVP_CipherFinal_ex(context, data + n, &rest) == 1;
  if (done && seal)
    done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, data + size) == 1;
  EVP_CIPHER_CTX_free(context);
  return done;
}

static void nonce_of(const struct tamper *tamper, const uint8_t *record, uint8_t nonce[NONCE])
{
  memcpy(nonce, tamper->iv, NONCE);
  if (tamper->tls < 13) {
    memcpy(nonce + 4, record + HEAD, EXPLICIT);
    return;
  }
  for (size_t i = 0; i < 8; i++) nonce[4 + i] ^= (uint8_t) (tamper->sequence >> (8 * (7 - i)));
}

static int aad_of(const struct tamper *tamper, const uint8_t *record, size_t plain, uint8_t aad[13])
{
  if (tamper->tls == 13) {
    memcpy(aad, record, HEAD);
    return HEAD;
  }
  for (size_t i = 0; i < 8; i++) aad[i] = (uint8_t) (tamper->sequence >> (8 * (7 - i)));
  memcpy(aad + 8, record, 3);
  aad[11] = (uint8_t) (plain >> 8);
  aad[12] = (uint8_t) plain;
  return 13;
}

static void change(struct tamper *tamper, uint8_t *record, size_t size)
{
  uint8_t nonce[NONCE], aad[13], body[BODY_MOST];
  size_t skipped = HEAD + (tamper->tls == 13 ? 0 : EXPLICIT);
  if (size < skipped + TAG + 5 || size - skipped > sizeof body) return;
  size_t plain = size - skipped - TAG;
  memcpy(body, record + skipped, size - skipped);
  nonce_of(tamper, record, nonce);
  int aad_size = aad_of(tamper, record, plain, aad);
  if (!pass(tamper, nonce, aad, aad_size, body, plain, false)) {
    tamper->done = true; /* what follows cannot be opened either */
    return;
  }
  tamper->sequence++;
  if (body[0] != FINISHED) return;
  body[4] ^= 1;
  tamper->done = true;
  if (!pass(tamper, nonce, aad, aad_size, body, plain, true)) return;
  memcpy(record + skipped, body, size - skipped);
  tamper->changed = true;
}

bool tamper_has_changed(const struct tamper *tamper)
{
  return tamper->changed;
}

void tamper_record(struct tamper *tamper, SSL *ssl, uint8_t *record, size_t size)
{
  if (tamper->done || size < HEAD) return;
  bool sealed = tamper->tls == 13 ? record[0] == DATA : record[0] == HANDSHAKE && tamper->ciphered;
  if (tamper->tls < 13 && record[0] == 20) tamper->ciphered = true;
  if (sealed && derive(tamper, ssl)) change(tamper, record, size);
}
