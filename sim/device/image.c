/* Whether an image is whole and signed by the right key. Its format is image_format.c's. */
#include "image.h"

#include <mbedtls/psa_util.h>
#include <string.h>

#include "signature.h"

#define SLICE 256u /* bytes on the stack; four SHA-256 blocks */

int device_image_hash_begin(struct device_image_check *check, const struct device_image_info *info)
{
  *check =
      (struct device_image_check){.operation = PSA_HASH_OPERATION_INIT, .size = info->signed_size};
  return psa_hash_setup(&check->operation, PSA_ALG_SHA_256) == PSA_SUCCESS ? 0 : -1;
}

int device_image_hash_continue(struct device_image_check *check,
                               const struct device_image_source *source, uint32_t max_bytes)
{
  uint8_t slice[SLICE];
  while (check->at < check->size && max_bytes > 0) {
    uint32_t n = check->size - check->at;
    if (n > SLICE) n = SLICE;
    if (n > max_bytes) n = max_bytes;
    if (source->read(source->ctx, check->at, slice, n) != 0) return -1;
    if (psa_hash_update(&check->operation, slice, n) != PSA_SUCCESS) return -1;
    check->at += n;
    max_bytes -= n;
  }
  return check->at < check->size;
}

int device_image_hash_finish(struct device_image_check *check, uint8_t hash[32])
{
  size_t size = 0;
  if (check->at == check->size &&
      psa_hash_finish(&check->operation, hash, 32, &size) == PSA_SUCCESS)
    return 0;
  device_image_hash_abort(check);
  return -1;
}

void device_image_hash_abort(struct device_image_check *check)
{
  psa_hash_abort(&check->operation);
}

int device_image_key_hash(const uint8_t image_key[65], uint8_t hash[32])
{
  /* SEQUENCE { SEQUENCE { OID id-ecPublicKey, OID prime256v1 }, BIT STRING point }: RFC 5480,
     2.1.1 */
  static const uint8_t before_point[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
  uint8_t der[sizeof before_point + 65];
  size_t size = 0;
  memcpy(der, before_point, sizeof before_point);
  memcpy(der + sizeof before_point, image_key, 65);
  return psa_hash_compute(PSA_ALG_SHA_256, der, sizeof der, hash, 32, &size) == PSA_SUCCESS ? 0
                                                                                            : -1;
}

/* Bytes of a DER SEQUENCE that is followed by nothing but zeros; otherwise all of them. */
static size_t without_padding(const uint8_t *der, size_t size)
{
  size_t end = size >= 2 && der[0] == 0x30 && der[1] < 0x80 ? 2u + der[1] : size;
  for (size_t i = end; i < size; i++)
    if (der[i] != 0) return size;
  return end < size ? end : size;
}

enum device_ota_status device_image_judge(const struct device_image_source *source,
                                          const struct device_image_info *info,
                                          const uint8_t hash[32],
                                          const struct device_image_owner *owner)
{
  uint8_t key_hash[32], der[DEVICE_IMAGE_SIGNATURE_MAX], signature[DEVICE_SIGNATURE_SIZE];
  size_t size = 0, der_size = info->signature_size;
  if (memcmp(hash, info->hash, sizeof info->hash) != 0) return DEVICE_OTA_HASH_MISMATCH;
  if (device_image_key_hash(owner->key, key_hash) != 0 ||
      memcmp(key_hash, info->key_hash, sizeof key_hash) != 0)
    return DEVICE_OTA_WRONG_KEY;
  if (source->read(source->ctx, info->signature_offset, der, info->signature_size) != 0)
    return DEVICE_OTA_FLASH_FAILED;
  if (owner->padded_signatures) der_size = without_padding(der, der_size);
  if (mbedtls_ecdsa_der_to_raw(256, der, der_size, signature, sizeof signature, &size) != 0 ||
      !device_signature_is_of_hash(owner->key, hash, signature))
    return DEVICE_OTA_BAD_SIGNATURE;
  return DEVICE_OTA_NONE;
}

enum device_ota_status device_image_verify(const struct device_image_source *source,
                                           const struct device_image_owner *owner,
                                           struct device_image_info *info)
{
  struct device_image_check check;
  uint8_t hash[32];
  enum device_ota_status status = device_image_parse(source, info);
  if (status != DEVICE_OTA_NONE) return status;
  if (device_image_hash_begin(&check, info) != 0) return DEVICE_OTA_FLASH_FAILED;
  int hashed = device_image_hash_continue(&check, source, UINT32_MAX);
  if (device_image_hash_finish(&check, hash) != 0 || hashed != 0) return DEVICE_OTA_FLASH_FAILED;
  return device_image_judge(source, info, hash, owner);
}
