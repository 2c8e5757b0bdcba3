/* Certificates issued again: to the key in the signing request that the back office kept, never to
 * one read from a device. A reset puts every device back as it was made, page by page, and drops
 * what a rehearsal has revoked; one page that is damaged stops it. */
#include "internal.h"

#include <assert.h>
#include <openssl/crypto.h>

#include "pki/revoked.h"

/* The public key of the CSR that the back office kept; the CSR's own signature says that it is
   whole. */
EVP_PKEY *pki_requested_key(struct pki *pki, uint32_t id, struct error *error)
{
  uint8_t der[PKI_CSR_MAX];
  char name[PKI_DEVICE_NAME];
  size_t size = 0;
  if (pki_registry_csr(pki->registry, id, der, sizeof der, &size, error) != 0) {
    error_wrap(error, "device %s", pki_device_text(pki, id, name));
    return NULL;
  }
  const uint8_t *at = der;
  X509_REQ *request = d2i_X509_REQ(NULL, &at, (long) size);
  EVP_PKEY *key = request == NULL ? NULL : X509_REQ_get_pubkey(request);
  if (key == NULL || X509_REQ_verify(request, key) != 1) {
    EVP_PKEY_free(key);
    key = NULL;
    pki_crypto_error(error, "verify a kept signing request");
    error_wrap(error, "device %s", pki_device_text(pki, id, name));
  }
  X509_REQ_free(request);
  return key;
}

/* It says of the device what the one says that it came with: brokers go on knowing it by that. */
int pki_reissue(struct pki *pki, size_t index, const char *root, uint8_t *out, size_t capacity,
                size_t *size, struct error *error)
{
  assert(index < pki->device_count);
  uint32_t id = pki->devices[index].id;
  if (pki_find_issuer(pki, root, error) == NULL) return -1;
  struct pki_subject subject = {.name = "", .key = pki_requested_key(pki, id, error)};
  if (subject.key == NULL) return -1;
  STACK_OF(X509) *first = pki_device_first_chain(pki, index, error);
  struct pki_registry_certificate certificate = {.device = id, .chain = out};
  subject.like = first == NULL ? NULL : sk_X509_value(first, 0);
  X509 *leaf = first == NULL
                   ? NULL
                   : pki_issue(pki, root, &subject, out, capacity, size, &certificate.row, error);
  int result = leaf == NULL ? -1 : 0;
  certificate.chain_size = *size;
  if (result == 0) result = pki_registry_add_certificate(pki->registry, &certificate, error);
  X509_free(leaf);
  sk_X509_pop_free(first, X509_free);
  EVP_PKEY_free(subject.key);
  return result;
}

/* The chain that the device was made with, or one as good. */
static int first_chain(struct pki *pki, size_t index, const char *root,
                       uint8_t out[DEVICE_NVM_CERTIFICATE_MAX], size_t *size, struct error *error)
{
  uint32_t id = pki->devices[index].id;
  int found = pki_registry_first_chain(pki->registry, id, root, out, DEVICE_NVM_CERTIFICATE_MAX,
                                       size, error);
  if (found == 0 && !pki_can_issue(pki, root))
    found = pki_registry_first_chain(pki->registry, id, NULL, out, DEVICE_NVM_CERTIFICATE_MAX, size,
                                     error);
  if (found == 0)
    return pki_reissue(pki, index, root, out, DEVICE_NVM_CERTIFICATE_MAX, size, error);
  return found == 1 ? 0 : -1;
}

static int reset_one(struct pki *pki, size_t index, const char *root, const uint8_t *bundle,
                     size_t bundle_size, struct error *error)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  char name[PKI_DEVICE_NAME];
  size_t chain_size = 0;
  struct device_nvm_identity identity;
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  uint32_t id = pki->devices[index].id;
  bool whole = device_nvm_read_identity(&host, &identity) == 0 && identity.id == id;
  OPENSSL_cleanse(identity.private_key, sizeof identity.private_key);
  if (!whole)
    return error_set(error, EXIT_CODE_SETUP,
                     "the NVM page of device %s is damaged; restore nvm.bin from a copy, or make "
                     "the fleet anew",
                     pki_device_text(pki, id, name));
  if (first_chain(pki, index, root, chain, &chain_size, error) != 0) return -1;
  if (device_nvm_replace(&host, DEVICE_NVM_TRUST, bundle, bundle_size) == 0 &&
      device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, chain, chain_size) == 0 &&
      device_nvm_erase(&host, DEVICE_NVM_IMAGES) == 0)
    return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "the NVM page of device %s could not be written",
                   pki_device_text(pki, id, name));
}

int pki_reset_devices(struct pki *pki, const char *issuing_root, const struct pki_roots *trusted,
                      struct error *error)
{
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size = 0;
  if (pki_find_root(pki, issuing_root, error) == NULL) return -1;
  if (pki_begin(pki, error) != 0) return -1;
  int result = pki_revoked_clear(pki_registry_revoked(pki->registry), error) < 0 ? -1 : 0;
  if (result == 0) result = pki_factory_bundle(pki, trusted, bundle, &bundle_size, error);
  for (size_t i = 0; i < pki->device_count && result == 0; i++)
    result = reset_one(pki, i, issuing_root, bundle, bundle_size, error);
  if (result == 0) result = pki_nvm_sync(&pki->nvm, error);
  if (result == 0) return pki_commit(pki, error);
  pki_registry_rollback(pki->registry);
  return -1;
}
