/* The bytes of a trust bundle. Without crypto, so that whoever makes bundles need not link a TLS
   library. */
#include "trust.h"

#include <string.h>

#include "bytes.h"

#define MAGIC            0x46535431u /* "FST1" */
#define MAGIC_WITH_LISTS 0x46535432u /* "FST2" */
#define HEADER_SIZE      9u          /* magic, version, number of anchors */

/* Items of data[*at .. end): 2 bytes size each, then DER. */
static bool take_items(const uint8_t *data, size_t end, size_t *at, struct device_trust_der *out,
                       uint8_t count)
{
  for (uint8_t i = 0; i < count; i++) {
    if (end - *at < 2) return false;
    uint16_t n = device_get16(data + *at);
    *at += 2;
    if (n == 0 || n > end - *at) return false;
    out[i] = (struct device_trust_der){data + *at, n};
    *at += n;
  }
  return true;
}

enum device_update device_trust_parse(const uint8_t *data, size_t size,
                                      struct device_trust_bundle *out)
{
  memset(out, 0, sizeof *out);
  if (size < HEADER_SIZE + DEVICE_TRUST_SIGNATURE_SIZE) return DEVICE_UPDATE_MALFORMED;
  uint32_t magic = device_get32(data);
  if (magic != MAGIC && magic != MAGIC_WITH_LISTS) return DEVICE_UPDATE_MALFORMED;
  out->version = device_get32(data + 4);
  out->anchor_count = data[8];
  out->signed_size = size - DEVICE_TRUST_SIGNATURE_SIZE;
  if (out->version == 0 || out->anchor_count > DEVICE_ANCHORS_MAX) return DEVICE_UPDATE_MALFORMED;

  size_t at = HEADER_SIZE;
  if (!take_items(data, out->signed_size, &at, out->anchor, out->anchor_count))
    return DEVICE_UPDATE_MALFORMED;
  if (magic == MAGIC_WITH_LISTS) {
    if (at == out->signed_size) return DEVICE_UPDATE_MALFORMED;
    out->crl_count = data[at++];
    if (out->crl_count == 0 || out->crl_count > DEVICE_CRLS_MAX) return DEVICE_UPDATE_MALFORMED;
    if (!take_items(data, out->signed_size, &at, out->crl, out->crl_count))
      return DEVICE_UPDATE_MALFORMED;
  }
  if (at != out->signed_size) return DEVICE_UPDATE_MALFORMED;
  return out->anchor_count == 0 ? DEVICE_UPDATE_TOO_FEW_ANCHORS : DEVICE_UPDATE_COMMITTED;
}

/* Where the items end in `out`, or 0 if they do not fit. */
static size_t put_items(uint8_t *out, size_t capacity, size_t at,
                        const struct device_trust_der *items, uint8_t count)
{
  for (uint8_t i = 0; i < count; i++) {
    uint16_t n = items[i].size;
    if (capacity - at < 2u + n) return 0;
    device_put16(out + at, n);
    memcpy(out + at + 2, items[i].der, n);
    at += 2u + n;
  }
  return at;
}

size_t device_trust_encode(const struct device_trust_bundle *bundle, uint8_t *out, size_t capacity)
{
  if (capacity < HEADER_SIZE || bundle->anchor_count > DEVICE_ANCHORS_MAX ||
      bundle->crl_count > DEVICE_CRLS_MAX)
    return 0;
  device_put32(out, bundle->crl_count == 0 ? MAGIC : MAGIC_WITH_LISTS);
  device_put32(out + 4, bundle->version);
  out[8] = bundle->anchor_count;
  size_t at = put_items(out, capacity, HEADER_SIZE, bundle->anchor, bundle->anchor_count);
  if (at == 0 || bundle->crl_count == 0) return at;
  if (at == capacity) return 0;
  out[at++] = bundle->crl_count;
  return put_items(out, capacity, at, bundle->crl, bundle->crl_count);
}
