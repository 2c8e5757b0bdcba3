/* Firmware images and manifests (pki/image.h) without cryptography: MCUboot's format as the device
 * reads it, with a hash that papers_hash makes and a signature of zeros, which is good if it begins
 * as DER does. Of the harms those are here that a trace has; the others end the test. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "pki/image.h"

#include <assert.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "device/image.h"
#include "device/signature.h"
#include "papers.h"
#include "pki/image_frame.h"

int pki_image_make(struct pki *pki, const struct pki_image *image, uint8_t **out, size_t *size,
                   uint8_t hash[32], struct error *error)
{
  uint8_t key[65] = {0}, key_hash[32];
  uint8_t signature[PKI_IMAGE_SIGNATURE_SIZE] = {0x30, PKI_IMAGE_SIGNATURE_SIZE - 2};
  uint32_t frame = pki_image_frame_size(image);
  (void) pki, (void) error;
  assert(image->size > frame && image->trust == NULL);
  *out = malloc(image->size);
  *size = image->size;
  assert(*out != NULL);
  uint8_t *at = pki_image_frame_signed(image, *out, image->size - frame);
  papers_hash(*out, (size_t) (at - *out), hash);
  int failed = device_image_key_hash(key, key_hash);
  assert(failed == 0);
  (void) failed;
  pki_image_frame_close(at, hash, key_hash, signature);
  return 0;
}

int pki_image_key(struct pki *pki, struct evp_pkey_st **key, struct error *error)
{
  (void) pki, (void) error;
  *key = NULL;
  return 0;
}

int pki_image_point(struct pki *pki, uint8_t out[65], struct error *error)
{
  (void) pki, (void) error;
  memset(out, 0, 65);
  return 0;
}

int pki_manifest_make(struct pki *pki, const struct device_manifest *manifest, uint8_t *out,
                      size_t capacity, size_t *size, struct error *error)
{
  (void) pki, (void) error;
  *size = device_manifest_encode(manifest, out, capacity - DEVICE_SIGNATURE_SIZE);
  assert(*size > 0);
  memset(out + *size, 's', DEVICE_SIGNATURE_SIZE);
  *size += DEVICE_SIGNATURE_SIZE;
  return 0;
}

/* --- Harms ------------------------------------------------------------------------------------ */

int pki_image_spoil(enum pki_image_harm harm, uint64_t seed, struct evp_pkey_st *key,
                    uint8_t **image, size_t *size, struct device_manifest *manifest,
                    struct error *error)
{
  (void) seed, (void) key, (void) manifest, (void) error;
  assert(harm == PKI_HARM_BIT_FLIP || harm == PKI_HARM_BAD_SIGNATURE ||
         harm == PKI_HARM_MANIFEST_SIGNATURE);
  if (harm == PKI_HARM_BIT_FLIP) (*image)[DEVICE_IMAGE_HEADER_SIZE] ^= 1;
  if (harm == PKI_HARM_BAD_SIGNATURE) (*image)[*size - PKI_IMAGE_SIGNATURE_SIZE] = 0;
  return 0;
}

/* --- What the device asks of cryptography ----------------------------------------------------- */

bool device_signature_is_of(const uint8_t key[65], const uint8_t *data, size_t size,
                            const uint8_t signature[DEVICE_SIGNATURE_SIZE])
{
  (void) key, (void) data, (void) size;
  for (size_t i = 0; i < DEVICE_SIGNATURE_SIZE; i++)
    if (signature[i] != 's') return false;
  return true;
}

bool device_signature_is_of_hash(const uint8_t key[65], const uint8_t hash[32],
                                 const uint8_t signature[DEVICE_SIGNATURE_SIZE])
{
  (void) key, (void) hash;
  return signature[0] == 0x30;
}

int mbedtls_ecdsa_der_to_raw(size_t bits, const unsigned char *der, size_t der_len,
                             unsigned char *raw, size_t raw_size, size_t *raw_len)
{
  (void) bits;
  assert(der_len > 0 && raw_size >= DEVICE_SIGNATURE_SIZE);
  memset(raw, 0, DEVICE_SIGNATURE_SIZE);
  raw[0] = der[0];
  *raw_len = DEVICE_SIGNATURE_SIZE;
  return 0;
}

/* The state of a hash lies where the library would have its own, wherever that is aligned. */
static void set_state(psa_hash_operation_t *operation, const struct papers_hash *state)
{
  _Static_assert(sizeof operation->ctx >= sizeof *state, "there is room for it");
  memcpy(&operation->ctx, state, sizeof *state);
}

static struct papers_hash state_of(const psa_hash_operation_t *operation)
{
  struct papers_hash state;
  memcpy(&state, &operation->ctx, sizeof state);
  return state;
}

psa_status_t psa_hash_setup(psa_hash_operation_t *operation, psa_algorithm_t algorithm)
{
  struct papers_hash state;
  (void) algorithm;
  papers_hash_begin(&state);
  set_state(operation, &state);
  return PSA_SUCCESS;
}

psa_status_t psa_hash_update(psa_hash_operation_t *operation, const uint8_t *input,
                             size_t input_length)
{
  struct papers_hash state = state_of(operation);
  papers_hash_add(&state, input, input_length);
  set_state(operation, &state);
  return PSA_SUCCESS;
}

psa_status_t psa_hash_finish(psa_hash_operation_t *operation, uint8_t *hash, size_t hash_size,
                             size_t *hash_length)
{
  struct papers_hash state = state_of(operation);
  assert(hash_size >= 32);
  papers_hash_end(&state, hash);
  *hash_length = 32;
  return PSA_SUCCESS;
}

psa_status_t psa_hash_abort(psa_hash_operation_t *operation)
{
  (void) operation;
  return PSA_SUCCESS;
}

psa_status_t psa_hash_compute(psa_algorithm_t algorithm, const uint8_t *input, size_t input_length,
                              uint8_t *hash, size_t hash_size, size_t *hash_length)
{
  (void) algorithm;
  assert(hash_size >= 32);
  papers_hash(input, input_length, hash);
  *hash_length = 32;
  return PSA_SUCCESS;
}
