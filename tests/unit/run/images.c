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

#include "base/random.h"
#include "device/bytes.h"
#include "device/image.h"
#include "device/signature.h"
#include "papers.h"

#define SIGNATURE 71u
#define ENTRY     4u
#define PROTECTED (4u + 2 * (ENTRY + 4u))
#define LIST      (4u + 2 * (ENTRY + 32u) + ENTRY + SIGNATURE)

static uint8_t *put_entry(uint8_t *at, uint16_t type, const void *value, size_t size)
{
  device_put16_le(at, type);
  device_put16_le(at + 2, (uint16_t) size);
  memcpy(at + ENTRY, value, size);
  return at + ENTRY + size;
}

static uint8_t *put_number(uint8_t *at, uint16_t type, uint32_t number)
{
  uint8_t value[4];
  device_put32_le(value, number);
  return put_entry(at, type, value, sizeof value);
}

static void fill(uint8_t *out, uint32_t size, uint64_t seed)
{
  for (uint32_t i = 0; i < size; i++) out[i] = (uint8_t) random_next(&seed);
}

static uint8_t *put_signed_part(const struct pki_image *image, uint8_t *out, uint32_t body)
{
  memset(out, 0, DEVICE_IMAGE_HEADER_SIZE);
  device_put32_le(out, DEVICE_IMAGE_MAGIC);
  device_put16_le(out + 8, DEVICE_IMAGE_HEADER_SIZE);
  device_put16_le(out + 10, PROTECTED);
  device_put32_le(out + 12, body);
  out[20] = (uint8_t) (image->version >> 24);
  out[21] = (uint8_t) (image->version >> 16);
  device_put16_le(out + 22, (uint16_t) image->version);
  fill(out + DEVICE_IMAGE_HEADER_SIZE, body, image->seed);
  uint8_t *at = out + DEVICE_IMAGE_HEADER_SIZE + body;
  device_put16_le(at, DEVICE_IMAGE_PROTECTED_MAGIC);
  device_put16_le(at + 2, PROTECTED);
  at = put_number(at + 4, DEVICE_IMAGE_TLV_COUNTER, image->counter);
  return put_number(at, DEVICE_IMAGE_TLV_CLASS, image->device_class);
}

int pki_image_make(struct pki *pki, const struct pki_image *image, uint8_t **out, size_t *size,
                   uint8_t hash[32], struct error *error)
{
  uint8_t key[65] = {0}, key_hash[32], signature[SIGNATURE] = {0x30, SIGNATURE - 2};
  uint32_t frame = DEVICE_IMAGE_HEADER_SIZE + PROTECTED + LIST;
  (void) pki, (void) error;
  assert(image->size > frame && image->trust == NULL);
  *out = malloc(image->size);
  *size = image->size;
  assert(*out != NULL);
  uint8_t *at = put_signed_part(image, *out, image->size - frame);
  papers_hash(*out, (size_t) (at - *out), hash);
  int failed = device_image_key_hash(key, key_hash);
  assert(failed == 0);
  (void) failed;
  device_put16_le(at, DEVICE_IMAGE_LIST_MAGIC);
  device_put16_le(at + 2, LIST);
  at = put_entry(at + 4, DEVICE_IMAGE_TLV_SHA256, hash, 32);
  at = put_entry(at, DEVICE_IMAGE_TLV_KEYHASH, key_hash, sizeof key_hash);
  put_entry(at, DEVICE_IMAGE_TLV_ECDSA, signature, sizeof signature);
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

static const char *const harms[] = {
#define X(symbol, word, status, sentence) word,
    PKI_IMAGE_HARMS(X)
#undef X
};

const char *pki_harm_name(enum pki_image_harm harm)
{
  return harms[harm];
}

const char *pki_harm_sentence(enum pki_image_harm harm)
{
  return harms[harm];
}

int pki_harm_find(const char *name)
{
  for (int i = 0; i < PKI_HARM_COUNT; i++)
    if (strcmp(harms[i], name) == 0) return i;
  return -1;
}

int pki_image_spoil(enum pki_image_harm harm, uint64_t seed, struct evp_pkey_st *key,
                    uint8_t **image, size_t *size, struct device_manifest *manifest,
                    struct error *error)
{
  (void) seed, (void) key, (void) manifest, (void) error;
  assert(harm == PKI_HARM_BIT_FLIP || harm == PKI_HARM_BAD_SIGNATURE ||
         harm == PKI_HARM_MANIFEST_SIGNATURE);
  if (harm == PKI_HARM_BIT_FLIP) (*image)[DEVICE_IMAGE_HEADER_SIZE] ^= 1;
  if (harm == PKI_HARM_BAD_SIGNATURE) (*image)[*size - SIGNATURE] = 0;
  return 0;
}

void pki_manifest_spoil(enum pki_image_harm harm, uint8_t *data, size_t size)
{
  if (harm == PKI_HARM_MANIFEST_SIGNATURE) data[size - 1] ^= 1;
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
