/* Parsing and verifying are two steps: what is not well formed is told apart from what somebody
 * else has signed, and nothing of a manifest is believed before both. Fields that no device would
 * accept are refused here, those that depend on what it runs by ota.c. */
#include "manifest.h"

#include <string.h>

#include "bytes.h"

#define MAGIC 0x46534d31u /* "FSM1" */

static bool url_is_good(const uint8_t *url, size_t size)
{
  static const char scheme[] = "https://";
  if (size < sizeof scheme || size >= DEVICE_OTA_URL_MAX ||
      memcmp(url, scheme, sizeof scheme - 1) != 0)
    return false;
  for (size_t i = 0; i < size; i++)
    if (url[i] <= ' ' || url[i] > '~') return false;
  return true;
}

static bool is_power_of_two(uint32_t number)
{
  return number != 0 && (number & (number - 1)) == 0;
}

/* The fields that every device would refuse, whatever it runs. */
static bool is_good(const struct device_manifest *m, const uint8_t *url, size_t url_size)
{
  if (m->serial == 0) return false;
  if (m->kind == DEVICE_MANIFEST_CANCEL) return url_size == 0;
  if (m->size == 0 || m->block_size < DEVICE_OTA_BLOCK_MIN || !is_power_of_two(m->block_size))
    return false;
  if (m->kind == DEVICE_MANIFEST_BLOCKS) return url_size == 0;
  return m->kind == DEVICE_MANIFEST_HTTPS && url_is_good(url, url_size);
}

enum device_ota_status device_manifest_parse(const uint8_t *data, size_t size,
                                             struct device_manifest *out)
{
  memset(out, 0, sizeof *out);
  if (size < DEVICE_MANIFEST_HEAD + DEVICE_SIGNATURE_SIZE || size > DEVICE_MANIFEST_MAX)
    return DEVICE_OTA_BAD_MANIFEST;
  size_t url_size = data[27];
  if (device_get32(data) != MAGIC ||
      size != DEVICE_MANIFEST_HEAD + url_size + DEVICE_SIGNATURE_SIZE)
    return DEVICE_OTA_BAD_MANIFEST;
  struct device_manifest m = {
      .serial = device_get32(data + 4),
      .version = device_get32(data + 8),
      .counter = device_get32(data + 12),
      .device_class = device_get32(data + 16),
      .size = device_get32(data + 20),
      .block_size = device_get16(data + 24),
      .kind = data[26],
  };
  if (!is_good(&m, data + DEVICE_MANIFEST_HEAD, url_size)) return DEVICE_OTA_BAD_MANIFEST;
  memcpy(m.hash, data + 28, sizeof m.hash);
  memcpy(m.url, data + DEVICE_MANIFEST_HEAD, url_size);
  *out = m;
  return DEVICE_OTA_NONE;
}

enum device_ota_status device_manifest_verify(const uint8_t *data, size_t size,
                                              const uint8_t update_key[65])
{
  if (size <= DEVICE_SIGNATURE_SIZE) return DEVICE_OTA_MANIFEST_SIGNATURE;
  size_t signed_size = size - DEVICE_SIGNATURE_SIZE;
  return device_signature_is_of(update_key, data, signed_size, data + signed_size)
             ? DEVICE_OTA_NONE
             : DEVICE_OTA_MANIFEST_SIGNATURE;
}

size_t device_manifest_encode(const struct device_manifest *manifest, uint8_t *out, size_t capacity)
{
  const char *end = memchr(manifest->url, '\0', sizeof manifest->url);
  if (end == NULL) return 0;
  size_t url_size = (size_t) (end - manifest->url);
  if (capacity < DEVICE_MANIFEST_HEAD + url_size ||
      !is_good(manifest, (const uint8_t *) manifest->url, url_size))
    return 0;
  device_put32(out, MAGIC);
  device_put32(out + 4, manifest->serial);
  device_put32(out + 8, manifest->version);
  device_put32(out + 12, manifest->counter);
  device_put32(out + 16, manifest->device_class);
  device_put32(out + 20, manifest->size);
  device_put16(out + 24, manifest->block_size);
  out[26] = manifest->kind;
  out[27] = (uint8_t) url_size;
  memcpy(out + 28, manifest->hash, sizeof manifest->hash);
  memcpy(out + DEVICE_MANIFEST_HEAD, manifest->url, url_size);
  return DEVICE_MANIFEST_HEAD + url_size;
}
