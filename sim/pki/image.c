/* Images and manifests are put together byte by byte in the order of their formats and signed
 * last. One seed and one key give the same image but for its signature, whose length is forced to
 * be the same. What a format has no room for is refused before anything is written. */
#include "pki/image.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pki/image_frame.h"

#define SIGNATURES_MAX 200 /* half of all signatures have the size that is wanted */

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

int pki_image_size(const struct pki_image *image, uint32_t *size, struct error *error)
{
  if (image->trust_size > DEVICE_NVM_TRUST_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "a trust bundle of %zu bytes is larger than %u, the room that devices have",
                     image->trust_size, DEVICE_NVM_TRUST_MAX);
  uint32_t frame = pki_image_frame_size(image);
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

static int sign(EVP_PKEY *key, const uint8_t hash[32], uint8_t signature[PKI_IMAGE_SIGNATURE_SIZE],
                struct error *error)
{
  uint8_t der[72];
  size_t size = 0;
  for (int i = 0; i < SIGNATURES_MAX && size != PKI_IMAGE_SIGNATURE_SIZE; i++)
    if (pki_key_sign_hash(key, hash, der, &size, error) != 0) return -1;
  if (size != PKI_IMAGE_SIGNATURE_SIZE)
    return error_set(error, EXIT_CODE_INTERNAL, "libcrypto's signatures never have %u bytes",
                     PKI_IMAGE_SIGNATURE_SIZE);
  memcpy(signature, der, PKI_IMAGE_SIGNATURE_SIZE);
  return 0;
}

int pki_image_write(const struct pki_image *image, EVP_PKEY *key, uint8_t *out, uint8_t hash[32],
                    struct error *error)
{
  uint32_t size = 0;
  uint8_t key_hash[32], signature[PKI_IMAGE_SIGNATURE_SIZE];
  if (pki_image_size(image, &size, error) != 0 || pki_key_id(key, key_hash, error) != 0) return -1;
  uint8_t *at = pki_image_frame_signed(image, out, size - pki_image_frame_size(image));
  if (EVP_Digest(out, (size_t) (at - out), hash, NULL, EVP_sha256(), NULL) != 1)
    return pki_crypto_error(error, "hash an image");
  if (sign(key, hash, signature, error) != 0) return -1;
  pki_image_frame_close(at, hash, key_hash, signature);
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
