/* The bytes of a trust bundle. Without crypto, so that whoever makes bundles need not link a TLS library. */
#include "trust.h"

#include <string.h>

#include "bytes.h"

#define MAGIC       0x46535431u /* "FST1" */
#define HEADER_SIZE 9u          /* magic, version, number of anchors */

enum device_update device_trust_parse(const uint8_t *data, size_t size, struct device_trust_bundle *out)
{
  memset(out, 0, sizeof *out);
  if (size < HEADER_SIZE + DEVICE_TRUST_SIGNATURE_SIZE || device_get32(data) != MAGIC) return DEVICE_UPDATE_MALFORMED;
  out->version = device_get32(data + 4);
  out->anchor_count = data[8];
  out->signed_size = size - DEVICE_TRUST_SIGNATURE_SIZE;
  if (out->version == 0 || out->anchor_count > DEVICE_ANCHORS_MAX) return DEVICE_UPDATE_MALFORMED;

  size_t at = HEADER_SIZE;
  for (uint8_t i = 0; i < out->anchor_count; i++) {
    if (out->signed_size - at < 2) return DEVICE_UPDATE_MALFORMED;
    uint16_t n = device_get16(data + at);
    at += 2;
    if (n == 0 || n > out->signed_size - at) return DEVICE_UPDATE_MALFORMED;
    out->anchor[i].der = data + at;
    out->anchor[i].size = n;
    at += n;
  }
  if (at != out->signed_size) return DEVICE_UPDATE_MALFORMED;
  return out->anchor_count < DEVICE_TRUST_ANCHORS_MIN ? DEVICE_UPDATE_TOO_FEW_ANCHORS : DEVICE_UPDATE_COMMITTED;
}

size_t device_trust_encode(const struct device_trust_bundle *bundle, uint8_t *out, size_t capacity)
{
  if (capacity < HEADER_SIZE || bundle->anchor_count > DEVICE_ANCHORS_MAX) return 0;
  device_put32(out, MAGIC);
  device_put32(out + 4, bundle->version);
  out[8] = bundle->anchor_count;
  size_t at = HEADER_SIZE;
  for (uint8_t i = 0; i < bundle->anchor_count; i++) {
    uint16_t n = bundle->anchor[i].size;
    if (capacity - at < 2u + n) return 0;
    device_put16(out + at, n);
    memcpy(out + at + 2, bundle->anchor[i].der, n);
    at += 2u + n;
  }
  return at;
}
