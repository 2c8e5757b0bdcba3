/* The bytes of a certificate chain. Without crypto, so that whoever makes chains need not link a
   TLS library. */
#include "identity.h"

#include <string.h>

#include "bytes.h"

enum device_update device_chain_parse(const uint8_t *data, size_t size, struct device_chain *out)
{
  memset(out, 0, sizeof *out);
  if (size < 1 || data[0] < 1 || data[0] > DEVICE_CHAIN_MAX) return DEVICE_UPDATE_MALFORMED;
  size_t at = 1;
  for (uint8_t i = 0; i < data[0]; i++) {
    if (size - at < 2) return DEVICE_UPDATE_MALFORMED;
    uint16_t n = device_get16(data + at);
    at += 2;
    if (n == 0 || n > size - at) return DEVICE_UPDATE_MALFORMED;
    out->certificate[i].der = data + at;
    out->certificate[i].size = n;
    at += n;
  }
  if (at != size) return DEVICE_UPDATE_MALFORMED;
  out->count = data[0];
  return DEVICE_UPDATE_COMMITTED;
}

size_t device_chain_encode(const struct device_chain *chain, uint8_t *out, size_t capacity)
{
  if (capacity < 1 || chain->count < 1 || chain->count > DEVICE_CHAIN_MAX) return 0;
  out[0] = chain->count;
  size_t at = 1;
  for (uint8_t i = 0; i < chain->count; i++) {
    uint16_t n = chain->certificate[i].size;
    if (capacity - at < 2u + n) return 0;
    device_put16(out + at, n);
    memcpy(out + at + 2, chain->certificate[i].der, n);
    at += 2u + n;
  }
  return at;
}
