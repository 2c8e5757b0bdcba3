#include "internal.h"

#include <openssl/crypto.h>
#include <string.h>

#include "device/trust.h"

static int encode(const struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                  uint8_t *der[DEVICE_ANCHORS_MAX], uint8_t *out, size_t capacity, size_t *size, struct error *error)
{
  struct device_trust_bundle bundle = {.version = version, .anchor_count = (uint8_t) anchors->count};
  for (size_t i = 0; i < anchors->count; i++) {
    const struct pki_hierarchy *found = pki_find_root(pki, anchors->name[i], error);
    if (found == NULL) return -1;
    int n = i2d_X509(found->root.certificate, &der[i]);
    if (n <= 0 || n > UINT16_MAX) return pki_crypto_error(error, "encode a root");
    bundle.anchor[i].der = der[i];
    bundle.anchor[i].size = (uint16_t) n;
  }
  *size = device_trust_encode(&bundle, out, capacity);
  if (*size != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "a trust bundle of these %zu roots is larger than %zu bytes, the room that devices have; name fewer",
                   anchors->count, capacity + DEVICE_TRUST_SIGNATURE_SIZE);
}

int pki_make_bundle(struct pki *pki, uint32_t version, const struct pki_roots *anchors, uint8_t *out, size_t capacity,
                    size_t *size, struct error *error)
{
  uint8_t *der[DEVICE_ANCHORS_MAX] = {0};
  if (version == 0) return error_set(error, EXIT_CODE_USAGE, "a trust bundle's version starts at 1");
  if (anchors->count > DEVICE_ANCHORS_MAX)
    return error_set(error, EXIT_CODE_USAGE, "a trust bundle holds at most %u roots", DEVICE_ANCHORS_MAX);
  if (capacity > DEVICE_NVM_TRUST_MAX) capacity = DEVICE_NVM_TRUST_MAX;
  if (capacity < DEVICE_TRUST_SIGNATURE_SIZE)
    return error_set(error, EXIT_CODE_INTERNAL, "no room for a trust bundle: %zu bytes", capacity);
  int result = encode(pki, version, anchors, der, out, capacity - DEVICE_TRUST_SIGNATURE_SIZE, size, error);
  if (result == 0) result = pki_key_sign(pki->update_key, out, *size, out + *size, error);
  if (result == 0) *size += DEVICE_TRUST_SIGNATURE_SIZE;
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX; i++) OPENSSL_free(der[i]);
  return result;
}

int pki_factory_bundle(struct pki *pki, const struct pki_roots *trusted, uint8_t *out, size_t *size,
                       struct error *error)
{
  if (trusted->count < DEVICE_TRUST_ANCHORS_MIN)
    return error_set(error, EXIT_CODE_USAGE, "devices trust %zu root%s, but at least %u must be trusted at rest",
                     trusted->count, trusted->count == 1 ? "" : "s", DEVICE_TRUST_ANCHORS_MIN);
  return pki_make_bundle(pki, 1, trusted, out, DEVICE_NVM_TRUST_MAX, size, error);
}
