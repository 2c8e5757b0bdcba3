/* Any bytes as an image: nothing is read outside of it, what is well formed lies inside it and is
 * all accounted for, and only what the owner signed is believed. */
#include <psa/crypto.h>

#include "device/bytes.h"
#include "device/image.h"
#include "device/platform.h"
#include "fuzz.h"
#include "vectors.h"

/* How the SHA-256 entries begin of the three images that the owner has signed: plain, long_header,
 * trust_and_unknown_entry. */
static const uint8_t signed_hashes[][8] = {
    {0x6d, 0xaa, 0x38, 0x52, 0x9a, 0x39, 0x8b, 0xbf},
    {0x5d, 0xc9, 0x5c, 0xff, 0x42, 0x1e, 0x79, 0x1c},
    {0x08, 0x95, 0xc4, 0x44, 0xb8, 0x17, 0xed, 0xfe},
};

struct input {
  const uint8_t *data;
  size_t size;
};

static int read_input(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct input *input = ctx;
  require(offset <= input->size && size <= input->size - offset, "reads inside the file");
  memcpy(out, input->data + offset, size);
  return 0;
}

static int same_numbers(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 7, size);
  return 0;
}

static void begin(void)
{
  static const struct device_host host = {.random = same_numbers};
  static const struct device_platform platform = {.host = &host};
  static bool begun;
  if (begun) return;
  device_platform_enter(&platform);
  require(psa_crypto_init() == PSA_SUCCESS, "PSA starts");
  begun = true;
}

static void check_layout(const struct device_image_info *info, const uint8_t *data, size_t size)
{
  uint64_t body_end = (uint64_t) info->header_size + info->body_size;
  require(info->header_size >= DEVICE_IMAGE_HEADER_SIZE && info->body_size > 0, "header and body");
  require(body_end + 20 <= info->signed_size, "counter and class are signed");
  require(info->signed_size + 81u <= size, "hash, key hash and signature follow");
  require(info->signed_size + device_get16_le(data + info->signed_size + 2) == size,
          "nothing follows the last list");
  require(info->trust_size == 0 ||
              (info->trust_offset > body_end &&
               (uint64_t) info->trust_offset + info->trust_size <= info->signed_size),
          "a trust bundle is signed");
  require(info->signature_size > 0 && info->signature_size <= DEVICE_IMAGE_SIGNATURE_MAX,
          "a signature's size");
  require(info->signature_offset > info->signed_size &&
              info->signature_offset + info->signature_size <= size,
          "the signature lies behind what it signs");
}

static bool is_known(const struct device_image_info *info)
{
  for (size_t i = 0; i < sizeof signed_hashes / sizeof signed_hashes[0]; i++)
    if (memcmp(info->hash, signed_hashes[i], sizeof signed_hashes[i]) == 0) return true;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct input input = {data, size};
  struct device_image_source source = {&input, read_input, (uint32_t) size};
  struct device_image_info info, again;
  static const struct device_image_info none;
  static const struct device_image_owner vector_owner = {vector_image_key, false};
  begin();
  enum device_ota_status parsed = device_image_parse(&source, &info);
  enum device_ota_status verified = device_image_verify(&source, &vector_owner, &again);
  require(memcmp(&info, &again, sizeof info) == 0, "says the same twice");
  if (parsed != DEVICE_OTA_NONE) {
    require(parsed == DEVICE_OTA_BAD_IMAGE || parsed == DEVICE_OTA_BAD_TLV,
            "two refusals of its structure");
    require(verified == parsed, "what is no image is not believed");
    require(memcmp(&info, &none, sizeof info) == 0, "a refusal says nothing");
    return 0;
  }
  check_layout(&info, data, size);
  require(verified == DEVICE_OTA_NONE || verified == DEVICE_OTA_HASH_MISMATCH ||
              verified == DEVICE_OTA_WRONG_KEY || verified == DEVICE_OTA_BAD_SIGNATURE,
          "three refusals of a well-formed image");
  if (verified == DEVICE_OTA_NONE)
    require(is_known(&info), "only what the owner signed is believed");
  return 0;
}
