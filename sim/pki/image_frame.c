/* The bytes of an image in the order of MCUboot's format, as the device reads them. */
#include "pki/image_frame.h"

#include <string.h>

#include "base/random.h"
#include "device/bytes.h"
#include "device/image.h"

#define ENTRY_HEAD 4u
#define LIST_HEAD  4u
#define LIST_SIZE  (LIST_HEAD + 2 * (ENTRY_HEAD + 32u) + ENTRY_HEAD + PKI_IMAGE_SIGNATURE_SIZE)

static uint32_t protected_size(const struct pki_image *image)
{
  return LIST_HEAD + 2 * (ENTRY_HEAD + 4u) +
         (image->trust_size > 0 ? ENTRY_HEAD + (uint32_t) image->trust_size : 0);
}

uint32_t pki_image_frame_size(const struct pki_image *image)
{
  return DEVICE_IMAGE_HEADER_SIZE + protected_size(image) + LIST_SIZE;
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

uint8_t *pki_image_frame_signed(const struct pki_image *image, uint8_t *out, uint32_t body_size)
{
  put_header(image, out, body_size);
  put_body(image, out + DEVICE_IMAGE_HEADER_SIZE, body_size);
  return put_protected(image, out + DEVICE_IMAGE_HEADER_SIZE + body_size);
}

void pki_image_frame_close(uint8_t *at, const uint8_t hash[32], const uint8_t key_hash[32],
                           const uint8_t signature[PKI_IMAGE_SIGNATURE_SIZE])
{
  device_put16_le(at, DEVICE_IMAGE_LIST_MAGIC);
  device_put16_le(at + 2, LIST_SIZE);
  at = put_entry(at + LIST_HEAD, DEVICE_IMAGE_TLV_SHA256, hash, 32);
  at = put_entry(at, DEVICE_IMAGE_TLV_KEYHASH, key_hash, 32);
  put_entry(at, DEVICE_IMAGE_TLV_ECDSA, signature, PKI_IMAGE_SIGNATURE_SIZE);
}
