/* Any bytes as a manifest: what is well formed encodes to the same bytes again, and only the
   owner's is believed. */
#include <psa/crypto.h>

#include "device/manifest.h"
#include "device/platform.h"
#include "fuzz.h"
#include "vectors.h"

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

/* The four that the owner has signed have these serials. */
static bool is_known(const struct device_manifest *m)
{
  return (m->serial >= 3 && m->serial <= 5) || m->serial == UINT32_MAX;
}

static void check_fields(const struct device_manifest *m)
{
  require(m->serial > 0 && m->kind <= DEVICE_MANIFEST_CANCEL, "bounds");
  require(memchr(m->url, '\0', sizeof m->url) != NULL, "a URL ends");
  require((m->kind == DEVICE_MANIFEST_HTTPS) == (m->url[0] != '\0'), "only HTTPS has a URL");
  require(m->url[0] == '\0' || strncmp(m->url, "https://", 8) == 0, "a URL is HTTPS");
  if (m->kind == DEVICE_MANIFEST_CANCEL) return;
  require(m->size > 0 && m->block_size >= DEVICE_OTA_BLOCK_MIN &&
              (m->block_size & (m->block_size - 1)) == 0,
          "blocks");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t again[DEVICE_MANIFEST_MAX];
  struct device_manifest m;
  static const struct device_manifest none;
  begin();
  enum device_ota_status parsed = device_manifest_parse(data, size, &m);
  if (parsed != DEVICE_OTA_NONE) {
    require(parsed == DEVICE_OTA_BAD_MANIFEST && memcmp(&m, &none, sizeof m) == 0,
            "one refusal, which says nothing");
    return 0;
  }
  check_fields(&m);
  bool believed = device_manifest_verify(data, size, vector_update_key) == DEVICE_OTA_NONE;
  require(!believed || is_known(&m), "only what the owner signed is believed");
  size_t signed_size = size - DEVICE_SIGNATURE_SIZE;
  require(device_manifest_encode(&m, again, sizeof again) == signed_size,
          "encodes to the same size");
  require(memcmp(again, data, signed_size) == 0, "encodes to the same bytes");
  require(device_manifest_encode(&m, again, signed_size - 1) == 0, "does not encode into less");
  return 0;
}
