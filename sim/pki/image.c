/* Images and manifests are put together byte by byte in the order of their formats and signed
 * last. One seed and one key give the same image but for its signature, whose length is forced to
 * be the same. What a format has no room for is refused before anything is written. */
#include "pki/image.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "device/bytes.h"
#include "device/image.h"
#include "internal.h"

/* A signature's DER has at most 72 bytes, mostly 70 to 72. Signing again until it has 71 gives
 * every image of one size the same layout; half of all signatures have it. */
#define SIGNATURE_SIZE 71u
#define SIGNATURES_MAX 200

#define ENTRY_HEAD 4u
#define LIST_HEAD  4u
#define LIST_SIZE  (LIST_HEAD + 2 * (ENTRY_HEAD + 32u) + ENTRY_HEAD + SIGNATURE_SIZE)

int pki_image_key(struct pki *pki, EVP_PKEY **key, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (pki->image_key == NULL) {
    if (files_join(path, pki->folder, "image.key", error) != 0) return -1;
    if (access(path, F_OK) != 0 && pki_image_key_make(pki->folder, error) != 0) return -1;
    pki->image_key = pki_key_read(path, error);
  }
  *key = pki->image_key;
  return pki->image_key == NULL ? -1 : 0;
}

int pki_image_point(struct pki *pki, uint8_t out[65], struct error *error)
{
  EVP_PKEY *key;
  return pki_image_key(pki, &key, error) == 0 ? pki_key_point(key, out, error) : -1;
}

static uint32_t protected_size(const struct pki_image *image)
{
  return LIST_HEAD + 2 * (ENTRY_HEAD + 4u) +
         (image->trust_size > 0 ? ENTRY_HEAD + (uint32_t) image->trust_size : 0);
}

/* Bytes of the file that are not body. */
static uint32_t frame_size(const struct pki_image *image)
{
  return DEVICE_IMAGE_HEADER_SIZE + protected_size(image) + LIST_SIZE;
}

int pki_image_size(const struct pki_image *image, uint32_t *size, struct error *error)
{
  if (image->trust_size > DEVICE_NVM_TRUST_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "a trust bundle of %zu bytes is larger than %u, the room that devices have",
                     image->trust_size, DEVICE_NVM_TRUST_MAX);
  uint32_t frame = frame_size(image);
  if (image->body == NULL && image->size <= frame)
    return error_set(error, EXIT_CODE_USAGE,
                     "an image of %u bytes has no room for firmware: header, hash and signature "
                     "take %u; name a larger size",
                     image->size, frame);
  if (image->body != NULL && (image->body_size == 0 || image->body_size > UINT32_MAX - frame))
    return error_set(error, EXIT_CODE_USAGE,
                     "firmware of %u bytes makes no image: give 1 to %u bytes", image->body_size,
                     UINT32_MAX - frame);
  *size = image->body == NULL ? image->size : image->body_size + frame;
  return 0;
}

static uint8_t *put_entry(uint8_t *at, uint16_t type, const void *value, size_t size)
{
  device_put16_le(at, type);
  device_put16_le(at + 2, (uint16_t) size);
  memcpy(at + ENTRY_HEAD, value, size);
  return at + ENTRY_HEAD + size;
}

static uint8_t *put_number(uint8_t *at, uint16_t type, uint32_t number)
{
  uint8_t value[4];
  device_put32_le(value, number);
  return put_entry(at, type, value, sizeof value);
}

static void put_header(const struct pki_image *image, uint8_t *out, uint32_t body_size)
{
  memset(out, 0, DEVICE_IMAGE_HEADER_SIZE);
  device_put32_le(out, DEVICE_IMAGE_MAGIC);
  device_put16_le(out + 8, DEVICE_IMAGE_HEADER_SIZE);
  device_put16_le(out + 10, (uint16_t) protected_size(image));
  device_put32_le(out + 12, body_size);
  out[20] = (uint8_t) (image->version >> 24);
  out[21] = (uint8_t) (image->version >> 16);
  device_put16_le(out + 22, (uint16_t) image->version);
}

static void put_body(const struct pki_image *image, uint8_t *out, uint32_t size)
{
  if (image->body != NULL) {
    memmove(out, image->body, size); /* it may be there already */
    return;
  }
  uint64_t state = image->seed;
  for (uint32_t at = 0; at < size; at += 8) {
    uint64_t word = random_next(&state);
    memcpy(out + at, &word, size - at < 8 ? size - at : 8);
  }
}

static uint8_t *put_protected(const struct pki_image *image, uint8_t *at)
{
  device_put16_le(at, DEVICE_IMAGE_PROTECTED_MAGIC);
  device_put16_le(at + 2, (uint16_t) protected_size(image));
  at = put_number(at + LIST_HEAD, DEVICE_IMAGE_TLV_COUNTER, image->counter);
  at = put_number(at, DEVICE_IMAGE_TLV_CLASS, image->device_class);
  return image->trust_size == 0
             ? at
             : put_entry(at, DEVICE_IMAGE_TLV_TRUST, image->trust, image->trust_size);
}

static int sign(EVP_PKEY *key, const uint8_t hash[32], uint8_t signature[SIGNATURE_SIZE],
                struct error *error)
{
  uint8_t der[72];
  size_t size = 0;
  for (int i = 0; i < SIGNATURES_MAX && size != SIGNATURE_SIZE; i++)
    if (pki_key_sign_hash(key, hash, der, &size, error) != 0) return -1;
  if (size != SIGNATURE_SIZE)
    return error_set(error, EXIT_CODE_INTERNAL, "libcrypto's signatures never have %u bytes",
                     SIGNATURE_SIZE);
  memcpy(signature, der, SIGNATURE_SIZE);
  return 0;
}

int pki_image_write(const struct pki_image *image, EVP_PKEY *key, uint8_t *out, uint8_t hash[32],
                    struct error *error)
{
  uint32_t size;
  uint8_t key_hash[32], signature[SIGNATURE_SIZE];
  if (pki_image_size(image, &size, error) != 0 || pki_key_id(key, key_hash, error) != 0) return -1;
  uint32_t body_size = size - frame_size(image);
  put_header(image, out, body_size);
  put_body(image, out + DEVICE_IMAGE_HEADER_SIZE, body_size);
  uint8_t *at = put_protected(image, out + DEVICE_IMAGE_HEADER_SIZE + body_size);
  if (EVP_Digest(out, (size_t) (at - out), hash, NULL, EVP_sha256(), NULL) != 1)
    return pki_crypto_error(error, "hash an image");
  if (sign(key, hash, signature, error) != 0) return -1;
  device_put16_le(at, DEVICE_IMAGE_LIST_MAGIC);
  device_put16_le(at + 2, LIST_SIZE);
  at = put_entry(at + LIST_HEAD, DEVICE_IMAGE_TLV_SHA256, hash, 32);
  at = put_entry(at, DEVICE_IMAGE_TLV_KEYHASH, key_hash, sizeof key_hash);
  put_entry(at, DEVICE_IMAGE_TLV_ECDSA, signature, sizeof signature);
  return 0;
}

static int make_image(const struct pki_image *image, EVP_PKEY *key, uint8_t **out, size_t *size,
                      uint8_t hash[32], struct error *error)
{
  uint32_t bytes = 0;
  if (pki_image_size(image, &bytes, error) != 0 || bytes == 0) return -1;
  uint8_t *made = malloc(bytes);
  if (made == NULL)
    return error_set(error, EXIT_CODE_SETUP, "no memory for an image of %u bytes", bytes);
  if (pki_image_write(image, key, made, hash, error) != 0) {
    free(made);
    return -1;
  }
  *out = made;
  *size = bytes;
  return 0;
}

int pki_image_make(struct pki *pki, const struct pki_image *image, uint8_t **out, size_t *size,
                   uint8_t hash[32], struct error *error)
{
  EVP_PKEY *key;
  return pki_image_key(pki, &key, error) == 0 ? make_image(image, key, out, size, hash, error) : -1;
}

int pki_manifest_make(struct pki *pki, const struct device_manifest *manifest, uint8_t *out,
                      size_t capacity, size_t *size, struct error *error)
{
  *size = 0;
  if (capacity < DEVICE_SIGNATURE_SIZE)
    return error_set(error, EXIT_CODE_INTERNAL, "no room for a manifest");
  size_t signed_size = device_manifest_encode(manifest, out, capacity - DEVICE_SIGNATURE_SIZE);
  if (signed_size == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "devices would refuse the manifest: serial and size are 1 or more, blocks are "
                     "a power of two of at least %u bytes, and a URL begins with https:// and has "
                     "at most %u printable characters",
                     DEVICE_OTA_BLOCK_MIN, DEVICE_OTA_URL_MAX - 1);
  if (pki_key_sign(pki->update_key, out, signed_size, out + signed_size, error) != 0) return -1;
  *size = signed_size + DEVICE_SIGNATURE_SIZE;
  return 0;
}

void pki_manifest_spoil(enum pki_image_harm harm, uint8_t *data, size_t size)
{
  if (size == 0) return;
  if (harm == PKI_HARM_MANIFEST_SIGNATURE) data[size - 1] ^= 1;
  if (harm == PKI_HARM_BAD_MANIFEST) data[0] ^= 0xff;
}

/* --- What is wrong with an image -------------------------------------------------------------- */

static const struct {
  const char *name, *sentence;
  enum device_ota_status status;
} harms[] = {
#define X(symbol, word, status_, sentence_) {word, sentence_, DEVICE_OTA_##status_},
    PKI_IMAGE_HARMS(X)
#undef X
};

const char *pki_harm_name(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].name : "unknown";
}

const char *pki_harm_sentence(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].sentence : "unknown";
}

enum device_ota_status pki_harm_status(enum pki_image_harm harm)
{
  return (unsigned) harm < PKI_HARM_COUNT ? harms[harm].status : DEVICE_OTA_NONE;
}

int pki_harm_find(const char *name)
{
  for (int i = 0; i < PKI_HARM_COUNT; i++)
    if (strcmp(harms[i].name, name) == 0) return i;
  return -1;
}
