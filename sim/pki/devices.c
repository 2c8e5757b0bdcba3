/* New devices in three steps: room in nvm.bin, a page and a row each, and the end, which syncs the
 * pages before it commits the rows. Whatever fails in between rolls the rows back, and the pages
 * without a row are nobody's. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
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

/* For the names that its certificate has, so that whoever signs it renews that one. Returns its
   size, or -1. */
static int make_request(const struct pki_newcomer *newcomer, uint8_t **csr, struct error *error)
{
  X509_REQ *request = pki_cert_request(newcomer->leaf, newcomer->key, error);
  int size = request == NULL ? -1 : i2d_X509_REQ(request, csr);
  X509_REQ_free(request);
  if (size <= (int) PKI_CSR_MAX) return size;
  OPENSSL_free(*csr);
  return error_set(error, EXIT_CODE_USAGE,
                   "the names of the certificate of device %s are too long: a signing request for "
                   "them would have %d bytes, and there is room for %u",
                   newcomer->name, size, PKI_CSR_MAX);
}

static int register_device(struct pki *pki, const struct pki_newcomer *newcomer, uint32_t page,
                           struct error *error)
{
  uint8_t *csr = NULL;
  int size = make_request(newcomer, &csr, error);
  if (size <= 0) return -1;
  struct pki_device device = {.id = newcomer->id, .page = page};
  struct pki_registry_certificate certificate = {.device = newcomer->id,
                                                 .row = newcomer->row,
                                                 .chain = newcomer->chain,
                                                 .chain_size = newcomer->chain_size};
  int result = pki_registry_add_device(pki->registry, device, csr, (size_t) size,
                                       newcomer->row.issued, error);
  if (result == 0) result = pki_registry_add_certificate(pki->registry, &certificate, error);
  if (result == 0) result = register_name(pki, newcomer, error);
  OPENSSL_free(csr);
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

/* Devices to be added: their first id and page, and how they are called (NULL: by their id). */
struct addition {
  const struct pki_naming *naming;
  const char *root;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size;
  uint32_t first_id, first_page;
  EVP_PKEY_CTX *generator;
};

static int name_newcomer(struct pki *pki, const struct addition *addition, uint32_t index,
                         struct pki_newcomer *newcomer, struct error *error)
{
  const struct pki_naming *naming = addition->naming;
  if (naming == NULL) {
    device_id_text(newcomer->id, newcomer->name);
    return 0;
  }
  if (naming->name(naming->ctx, index, newcomer->name, error) != 0 ||
      name_check(newcomer->name, error) != 0)
    return -1;
  int taken = pki_newcomer_is_taken(pki, newcomer->name, error);
  return taken <= 0
             ? taken
             : error_set(error, EXIT_CODE_USAGE, "there is a device %s already", newcomer->name);
}

static int keep_columns_of(struct pki *pki, const struct pki_naming *naming, uint32_t index,
                           uint32_t id, struct error *error)
{
  const char *name, *value;
  int result = 0;
  if (naming == NULL || naming->column == NULL) return 0;
  /* name_list.c's, of pki_make.c */
  for (size_t c = 0; result == 0 && naming->column(naming->ctx, index, c, &name, &value); c++)
    if (value != NULL)
      result = pki_names_add_column(pki_registry_names(pki->registry), id, name, value, error);
  return result;
}

static int add_one(struct pki *pki, const struct addition *addition, uint32_t index,
                   struct error *error)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  struct pki_newcomer newcomer = {.id = addition->first_id + index,
                                  .chain = chain,
                                  .bundle = addition->bundle,
                                  .bundle_size = addition->bundle_size};
  if (name_newcomer(pki, addition, index, &newcomer, error) != 0 ||
      (newcomer.key = pki_key_generate_next(addition->generator, error)) == NULL)
    return -1;
  const struct pki_subject subject = {.name = newcomer.name, .key = newcomer.key};
  newcomer.leaf = pki_issue(pki, addition->root, &subject, chain, sizeof chain,
                            &newcomer.chain_size, &newcomer.row, error);
  int result = newcomer.leaf == NULL ? -1 : 0;
  if (result == 0) result = pki_devices_enter(pki, &newcomer, addition->first_page + index, error);
  if (result == 0) result = keep_columns_of(pki, addition->naming, index, newcomer.id, error);
  X509_free(newcomer.leaf);
  EVP_PKEY_free(newcomer.key);
  return result;
}

int pki_add_devices(struct pki *pki, size_t count, const char *issuing_root,
                    const struct pki_roots *trusted, struct error *error)
{
  return pki_add_named_devices(pki, count, NULL, issuing_root, trusted, error);
}

int pki_add_named_devices(struct pki *pki, size_t count, const struct pki_naming *naming,
                          const char *issuing_root, const struct pki_roots *trusted,
                          struct error *error)
{
  uint32_t first_page = (uint32_t) pki->device_count;
  uint32_t highest = first_page == 0 ? 0 : pki->devices[first_page - 1].id;
  struct addition addition = {
      .naming = naming, .root = issuing_root, .first_id = highest + 1, .first_page = first_page};
  if (pki_find_issuer(pki, issuing_root, error) == NULL) return -1;
  if (pki_factory_bundle(pki, trusted, addition.bundle, &addition.bundle_size, error) != 0)
    return -1;
  if (count > UINT32_MAX - highest)
    return error_set(error, EXIT_CODE_USAGE,
                     "cannot add %zu devices: the folder has no numbers left for them", count);
  if (pki_devices_begin(pki, count, error) != 0) return -1;
  addition.generator = pki_key_generator(error);
  int result = addition.generator == NULL ? -1 : 0;
  for (uint32_t i = 0; i < count && result == 0; i++) result = add_one(pki, &addition, i, error);
  EVP_PKEY_CTX_free(addition.generator);
  return pki_devices_end(pki, result, error);
}
