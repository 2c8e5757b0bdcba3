/* The six entry points that Mbed TLS's PSA driver interface calls for P-256. Each counts, and then
 * either says that it is not supported, so that the library's own code runs, or answers with the
 * status that this code would have given. */
#include "crypto/p256_host.h"

#include <string.h>

#include <openssl/crypto.h>
#include <psa/crypto.h>

#include "crypto/curve.h"
#include "crypto/meter.h"
#include "crypto/remembered.h"

#include "p256-m_driver_entrypoints.h"

#define CURVE_BITS 256

/* PSA's driver interface carries no context: these are the context. */
static struct remembered table;
static bool use_native;

void p256_host_set_native(bool native)
{
  use_native = native;
}

struct p256_host_memory p256_host_memory(void)
{
  return (struct p256_host_memory){.hits = table.hits, .misses = table.misses};
}

static psa_status_t status_of(enum curve_result result)
{
  switch (result) {
  case CURVE_OK: return PSA_SUCCESS;
  case CURVE_REFUSED: return PSA_ERROR_INVALID_ARGUMENT;
  case CURVE_MEMORY: break;
  }
  return PSA_ERROR_INSUFFICIENT_MEMORY;
}

psa_status_t p256_transparent_import_key(const psa_key_attributes_t *attributes,
                                         const uint8_t *data, size_t data_length,
                                         uint8_t *key_buffer, size_t key_buffer_size,
                                         size_t *key_buffer_length, size_t *bits)
{
  psa_key_type_t type = psa_get_key_type(attributes);
  bool is_private = type == PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1);
  bool is_public = type == PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1);
  size_t expected = is_private ? CURVE_PRIVATE_SIZE : CURVE_PUBLIC_SIZE;
  /* A key of another size may be one of another curve: the library knows how to refuse it. */
  if (use_native || (!is_private && !is_public) || data_length != expected ||
      (*bits != 0 && *bits != CURVE_BITS))
    return PSA_ERROR_NOT_SUPPORTED;
  psa_status_t status =
      status_of(is_private ? curve_check_private(data) : curve_check_public(data));
  if (status != PSA_SUCCESS) return status;
  if (key_buffer_size < data_length) return PSA_ERROR_BUFFER_TOO_SMALL;
  memcpy(key_buffer, data, data_length);
  *key_buffer_length = data_length;
  *bits = CURVE_BITS;
  return PSA_SUCCESS;
}

psa_status_t p256_transparent_export_public_key(const psa_key_attributes_t *attributes,
                                                const uint8_t *key_buffer, size_t key_buffer_size,
                                                uint8_t *data, size_t data_size,
                                                size_t *data_length)
{
  if (psa_get_key_type(attributes) != PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1) ||
      psa_get_key_bits(attributes) != CURVE_BITS)
    return PSA_ERROR_NOT_SUPPORTED;
  crypto_meter_current()->public_key++;
  if (use_native) return PSA_ERROR_NOT_SUPPORTED;
  if (key_buffer_size != CURVE_PRIVATE_SIZE) return PSA_ERROR_INVALID_ARGUMENT;
  if (data_size < CURVE_PUBLIC_SIZE) return PSA_ERROR_BUFFER_TOO_SMALL;
  psa_status_t status = status_of(curve_public(key_buffer, data));
  if (status == PSA_SUCCESS) *data_length = CURVE_PUBLIC_SIZE;
  return status;
}

/* A uniform scalar in 1..n-1, by rejection as the library itself draws it: from equal entropy come
   equal keys. */
static psa_status_t draw_scalar(uint8_t scalar[CURVE_PRIVATE_SIZE])
{
  /* one in 2^32 draws is out of range: a host that needs more has no entropy */
  enum { attempts = 30 };
  for (int i = 0; i < attempts; i++) {
    psa_status_t status = psa_generate_random(scalar, CURVE_PRIVATE_SIZE);
    if (status == PSA_SUCCESS) status = status_of(curve_check_private(scalar));
    if (status != PSA_ERROR_INVALID_ARGUMENT) return status;
  }
  return PSA_ERROR_INSUFFICIENT_ENTROPY;
}

psa_status_t p256_transparent_generate_key(const psa_key_attributes_t *attributes,
                                           uint8_t *key_buffer, size_t key_buffer_size,
                                           size_t *key_buffer_length)
{
  (void) attributes;
  crypto_meter_current()->keygen++;
  if (use_native) return PSA_ERROR_NOT_SUPPORTED;
  if (key_buffer_size < CURVE_PRIVATE_SIZE) return PSA_ERROR_BUFFER_TOO_SMALL;
  psa_status_t status = draw_scalar(key_buffer);
  if (status == PSA_SUCCESS)
    *key_buffer_length = CURVE_PRIVATE_SIZE;
  else
    OPENSSL_cleanse(key_buffer, key_buffer_size);
  return status;
}

psa_status_t p256_transparent_key_agreement(const psa_key_attributes_t *attributes,
                                            const uint8_t *key_buffer, size_t key_buffer_size,
                                            psa_algorithm_t alg, const uint8_t *peer_key,
                                            size_t peer_key_length, uint8_t *shared_secret,
                                            size_t shared_secret_size, size_t *shared_secret_length)
{
  (void) attributes;
  (void) alg;
  crypto_meter_current()->ecdh++;
  if (use_native) return PSA_ERROR_NOT_SUPPORTED;
  if (key_buffer_size != CURVE_PRIVATE_SIZE || peer_key_length != CURVE_PUBLIC_SIZE)
    return PSA_ERROR_INVALID_ARGUMENT;
  if (shared_secret_size < CURVE_SHARED_SIZE) return PSA_ERROR_BUFFER_TOO_SMALL;
  psa_status_t status = status_of(curve_shared(key_buffer, peer_key, shared_secret));
  if (status == PSA_SUCCESS)
    *shared_secret_length = CURVE_SHARED_SIZE;
  else
    OPENSSL_cleanse(shared_secret, shared_secret_size);
  return status;
}

psa_status_t p256_transparent_sign_hash(const psa_key_attributes_t *attributes,
                                        const uint8_t *key_buffer, size_t key_buffer_size,
                                        psa_algorithm_t alg, const uint8_t *hash,
                                        size_t hash_length, uint8_t *signature,
                                        size_t signature_size, size_t *signature_length)
{
  (void) attributes;
  (void) alg;
  crypto_meter_current()->sign++;
  if (use_native) return PSA_ERROR_NOT_SUPPORTED;
  if (key_buffer_size != CURVE_PRIVATE_SIZE) return PSA_ERROR_INVALID_ARGUMENT;
  if (signature_size < CURVE_SIGNATURE_SIZE) return PSA_ERROR_BUFFER_TOO_SMALL;
  struct curve_nonce nonce;
  psa_status_t status = draw_scalar(nonce.k);
  if (status == PSA_SUCCESS) status = draw_scalar(nonce.blind);
  if (status == PSA_SUCCESS)
    status = status_of(curve_sign(key_buffer, &nonce, hash, hash_length, signature));
  OPENSSL_cleanse(&nonce, sizeof nonce);
  if (status == PSA_SUCCESS) *signature_length = CURVE_SIGNATURE_SIZE;
  return status;
}

static psa_status_t verify(const uint8_t public_key[CURVE_PUBLIC_SIZE], const uint8_t *hash,
                           size_t hash_length, const uint8_t *signature)
{
  enum curve_result result = curve_verify(public_key, hash, hash_length, signature);
  return result == CURVE_REFUSED ? PSA_ERROR_INVALID_SIGNATURE : status_of(result);
}

static psa_status_t verify_or_remember(const uint8_t public_key[CURVE_PUBLIC_SIZE],
                                       const uint8_t *hash, const uint8_t *signature)
{
  struct remembered_entry entry;
  memcpy(entry.public_key, public_key, sizeof entry.public_key);
  memcpy(entry.hash, hash, sizeof entry.hash);
  memcpy(entry.signature, signature, sizeof entry.signature);
  if (remembered_find(&table, &entry)) {
    crypto_meter_current()->verify_remembered++;
    return PSA_SUCCESS;
  }
  psa_status_t status = verify(public_key, hash, sizeof entry.hash, signature);
  if (status == PSA_SUCCESS) remembered_keep(&table, &entry);
  return status;
}

psa_status_t p256_transparent_verify_hash(const psa_key_attributes_t *attributes,
                                          const uint8_t *key_buffer, size_t key_buffer_size,
                                          psa_algorithm_t alg, const uint8_t *hash,
                                          size_t hash_length, const uint8_t *signature,
                                          size_t signature_length)
{
  (void) alg;
  crypto_meter_current()->verify++;
  if (use_native) return PSA_ERROR_NOT_SUPPORTED;
  if (signature_length != CURVE_SIGNATURE_SIZE) return PSA_ERROR_INVALID_SIGNATURE;
  bool is_pair = PSA_KEY_TYPE_IS_KEY_PAIR(psa_get_key_type(attributes));
  if (key_buffer_size != (is_pair ? CURVE_PRIVATE_SIZE : CURVE_PUBLIC_SIZE))
    return PSA_ERROR_INVALID_ARGUMENT;
  uint8_t computed[CURVE_PUBLIC_SIZE];
  psa_status_t status = is_pair ? status_of(curve_public(key_buffer, computed)) : PSA_SUCCESS;
  if (status != PSA_SUCCESS) return status;
  const uint8_t *public_key = is_pair ? computed : key_buffer;
  if (hash_length == REMEMBERED_HASH_SIZE) return verify_or_remember(public_key, hash, signature);
  return verify(public_key, hash, hash_length, signature);
}
