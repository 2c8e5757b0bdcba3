/* New devices in three steps: room in nvm.bin, a page and a row each, and the end, which syncs the
 * pages before it commits the rows. Whatever fails in between rolls the rows back, and the pages
 * without a row are nobody's. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "pki/names.h"

static int flash(struct pki *pki, const struct pki_newcomer *newcomer, uint32_t page,
                 struct error *error)
{
  uint8_t content[DEVICE_NVM_PAGE_SIZE] = {0};
  struct device_host host = pki_nvm_host(content);
  struct device_nvm_identity identity = {.id = newcomer->id,
                                         .subject_kind = (uint8_t) newcomer->subject_kind};
  _Static_assert(sizeof identity.name == sizeof newcomer->name, "a page holds every name");
  memcpy(identity.name, newcomer->name, sizeof identity.name);
  memcpy(identity.subject, newcomer->subject, sizeof identity.subject);
  memcpy(identity.update_key, pki->update_point, sizeof identity.update_key);
  if (pki_key_scalar(newcomer->key, identity.private_key, error) != 0) return -1;
  bool written =
      device_nvm_format(&host, &identity) == 0 &&
      device_nvm_replace(&host, DEVICE_NVM_TRUST, newcomer->bundle, newcomer->bundle_size) == 0 &&
      device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, newcomer->chain, newcomer->chain_size) == 0;
  OPENSSL_cleanse(identity.private_key, sizeof identity.private_key);
  int result = written ? pki_nvm_fill(&pki->nvm, page, content, error) : -1;
  OPENSSL_cleanse(content, sizeof content);
  if (written) return result;
  return error_set(error, EXIT_CODE_INTERNAL, "the NVM page of device %s could not be written",
                   newcomer->name);
}

/* A name that is the id stands in no row: it must be nobody's name of his own. */
static int register_name(struct pki *pki, const struct pki_newcomer *newcomer, struct error *error)
{
  struct pki_name_store *names = pki_registry_names(pki->registry);
  uint32_t other;
  if (!pki_names_is_own_id(newcomer->name, newcomer->id))
    return pki_names_add(names, newcomer->id, newcomer->name, error);
  int found = pki_names_find(names, newcomer->name, &other, error);
  return found <= 0 ? found
                    : error_set(error, EXIT_CODE_USAGE, "the device %s is in the fleet already",
                                newcomer->name);
}

int pki_devices_request(struct pki_newcomer *newcomer, struct error *error)
{
  X509_REQ *request = pki_cert_request(newcomer->leaf, newcomer->key, error);
  int size = request == NULL ? -1 : i2d_X509_REQ(request, &newcomer->csr);
  X509_REQ_free(request);
  if (size <= 0) return request == NULL ? -1 : pki_crypto_error(error, "encode a signing request");
  newcomer->csr_size = (size_t) size;
  if (size <= (int) PKI_CSR_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the names of the certificate of device %s are too long: a signing request for "
                   "them would have %d bytes, and there is room for %u",
                   newcomer->name, size, PKI_CSR_MAX);
}

static int register_device(struct pki *pki, const struct pki_newcomer *newcomer, uint32_t page,
                           struct error *error)
{
  struct pki_device device = {.id = newcomer->id, .page = page};
  struct pki_registry_certificate certificate = {.device = newcomer->id,
                                                 .row = newcomer->row,
                                                 .chain = newcomer->chain,
                                                 .chain_size = newcomer->chain_size};
  int result = pki_registry_add_device(pki->registry, device, newcomer->csr, newcomer->csr_size,
                                       newcomer->row.issued, error);
  if (result == 0) result = pki_registry_add_certificate(pki->registry, &certificate, error);
  if (result == 0) result = register_name(pki, newcomer, error);
  return result;
}

int pki_devices_enter(struct pki *pki, const struct pki_newcomer *newcomer, uint32_t page,
                      struct error *error)
{
  if (register_device(pki, newcomer, page, error) != 0) return -1;
  return flash(pki, newcomer, page, error);
}

int pki_devices_load(struct pki *pki, struct error *error)
{
  struct pki_device *devices = NULL;
  size_t count = 0;
  if (pki_registry_devices(pki->registry, &devices, &count, error) != 0) return -1;
  free(pki->devices);
  pki->devices = devices;
  pki->device_count = count;
  return 0;
}

int pki_devices_begin(struct pki *pki, size_t count, struct error *error)
{
  if (count == 0 || count > PKI_DEVICES_MAX - pki->device_count)
    return error_set(error, EXIT_CODE_USAGE, "cannot add %zu devices to %zu: a fleet has 1 to %u",
                     count, pki->device_count, PKI_DEVICES_MAX);
  if (pki_registry_begin(pki->registry, error) != 0) return -1;
  if (pki_nvm_resize(&pki->nvm, pki->device_count + count, error) == 0) return 0;
  pki_registry_rollback(pki->registry);
  return -1;
}

/* Pages go to disk before the rows that name them: after a power cut there may be pages too many,
   never too few. */
int pki_devices_end(struct pki *pki, int result, struct error *error)
{
  if (result == 0) result = pki_nvm_sync(&pki->nvm, error);
  if (result == 0) result = pki_registry_commit(pki->registry, error);
  if (result == 0) return pki_devices_load(pki, error);
  pki_registry_rollback(pki->registry);
  pki_nvm_resize(&pki->nvm, pki->device_count, NULL);
  return -1;
}
