/* A device's certificate under a root's intermediate, encoded with it as the device's NVM keeps
 * chains. A root whose key is elsewhere cannot issue, and is named. */
#include "internal.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#include "device/identity.h"

#define DEVICE_YEARS 15

int pki_encode_chain(X509 *const *certificates, size_t count, uint8_t *out, size_t capacity,
                     size_t *size, struct error *error)
{
  struct device_chain chain = {.count = (uint8_t) count};
  uint8_t *der[DEVICE_CHAIN_MAX] = {0};
  assert(count <= DEVICE_CHAIN_MAX);
  if (capacity > DEVICE_NVM_CERTIFICATE_MAX) capacity = DEVICE_NVM_CERTIFICATE_MAX;
  bool encoded = true;
  for (size_t i = 0; i < count && encoded; i++) {
    int n = i2d_X509(certificates[i], &der[i]);
    encoded = n > 0 && n <= UINT16_MAX;
    chain.certificate[i].der = der[i];
    chain.certificate[i].size = (uint16_t) n;
  }
  *size = encoded ? device_chain_encode(&chain, out, capacity) : 0;
  for (size_t i = 0; i < count; i++) OPENSSL_free(der[i]);
  if (!encoded) return pki_crypto_error(error, "encode a certificate");
  if (*size != 0) return 0;
  return error_set(
      error, EXIT_CODE_USAGE,
      "the device's %zu certificate%s do not fit %zu bytes, the room that a device has for them",
      count, count == 1 ? "" : "s", capacity);
}

STACK_OF(X509) * pki_decode_chain(const uint8_t *data, size_t size)
{
  struct device_chain chain = {.count = 0};
  STACK_OF(X509) *parsed = sk_X509_new_null();
  bool whole = parsed != NULL && device_chain_parse(data, size, &chain) == DEVICE_UPDATE_COMMITTED;
  for (size_t i = 0; i < chain.count && whole; i++) {
    const uint8_t *der = chain.certificate[i].der;
    X509 *certificate = d2i_X509(NULL, &der, chain.certificate[i].size);
    whole = certificate != NULL && sk_X509_push(parsed, certificate) > 0;
    if (!whole) X509_free(certificate);
  }
  if (whole) return parsed;
  sk_X509_pop_free(parsed, X509_free);
  return NULL;
}

STACK_OF(X509) * pki_device_chain(struct pki *pki, size_t index, struct error *error)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  struct device_nvm_slot slot;
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  char name[PKI_DEVICE_NAME];
  STACK_OF(X509) *chain = NULL;
  if (device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot) == 0 && slot.size > 0 &&
      host.nvm_read(host.ctx, slot.offset, encoded, slot.size) == 0)
    chain = pki_decode_chain(encoded, slot.size);
  if (chain != NULL) return chain;
  error_set(error, EXIT_CODE_SETUP, "the NVM page of device %s holds no whole certificate",
            pki_device_text(pki, pki->devices[index].id, name));
  return NULL;
}

STACK_OF(X509) * pki_device_first_chain(struct pki *pki, size_t index, struct error *error)
{
  uint8_t data[DEVICE_NVM_CERTIFICATE_MAX];
  uint32_t id = pki->devices[index].id;
  char name[PKI_DEVICE_NAME];
  size_t size = 0;
  int found = pki_registry_first_chain(pki->registry, id, NULL, data, sizeof data, &size, error);
  STACK_OF(X509) *chain = found == 1 ? pki_decode_chain(data, size) : NULL;
  if (chain == NULL && found >= 0)
    error_set(error, EXIT_CODE_SETUP, "the registry holds no whole certificate of device %s",
              pki_device_text(pki, id, name));
  return chain;
}

void pki_describe_issued(const X509 *leaf, const char *issuer, bool imported,
                         struct pki_issued *row)
{
  const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
  *row = (struct pki_issued){.issued = pki_now(), .imported = imported};
  size_t size = (size_t) ASN1_STRING_length(serial);
  row->serial_size = (uint8_t) (size < sizeof row->serial ? size : sizeof row->serial);
  memcpy(row->serial, ASN1_STRING_get0_data(serial), row->serial_size);
  strncpy(row->issuer, issuer, sizeof row->issuer - 1);
  row->not_before = pki_cert_unix(X509_get0_notBefore(leaf));
  row->not_after = pki_cert_unix(X509_get0_notAfter(leaf));
}

X509 *pki_issue(const struct pki *pki, const char *root, const struct pki_subject *subject,
                uint8_t *out, size_t capacity, size_t *size, struct pki_issued *row,
                struct error *error)
{
  const struct pki_hierarchy *issuer = pki_find_issuer(pki, root, error);
  if (issuer == NULL) return NULL;
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = subject->name,
                               .like = subject->like,
                               .key = subject->key,
                               .issuer = &issuer->devices,
                               .not_before = pki_now() - PKI_DAY_S,
                               .not_after = pki_now() + DEVICE_YEARS * PKI_YEAR_S};
  X509 *leaf = pki_cert_mint(&spec, error);
  if (leaf == NULL) return NULL;
  pki_describe_issued(leaf, root, false, row);
  X509 *const chain[] = {leaf, issuer->devices.certificate};
  if (pki_encode_chain(chain, 2, out, capacity, size, error) == 0) return leaf;
  X509_free(leaf);
  return NULL;
}
