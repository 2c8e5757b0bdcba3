/* What a fleet folder holds, for people and other tools: authorities, a device's certificates, and
 * the state in its NVM as the device itself would read it. Only pki_write_device and _with write a key. */
#include "internal.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "device/identity.h"
#include "device/trust.h"

int pki_device_certificates(struct pki *pki, size_t index,
                            void (*each)(void *ctx, const struct pki_issued *row), void *ctx,
                            struct error *error)
{
  assert(index < pki->device_count);
  return pki_registry_certificates(pki->registry, pki->devices[index].id, each, ctx, error);
}

int pki_certificate_count(struct pki *pki, size_t *count, struct error *error)
{
  return pki_registry_certificate_count(pki->registry, count, error);
}

static const char *name_of_anchor(const struct pki *pki, const uint8_t *der, size_t size)
{
  uint8_t wanted[32], known[32];
  if (EVP_Digest(der, size, wanted, NULL, EVP_sha256(), NULL) != 1) return "?";
  for (size_t i = 0; i < pki->roots.count; i++)
    if (pki_cert_sha256(pki->hierarchy[i].root.certificate, known) == 0 &&
        memcmp(known, wanted, 32) == 0)
      return pki->roots.name[i];
  return "?";
}

static void look_at_trust(const struct pki *pki, const struct device_host *host,
                          struct pki_device_state *out)
{
  struct device_nvm_slot slot;
  struct device_trust_bundle bundle;
  uint8_t encoded[DEVICE_NVM_TRUST_MAX];
  if (device_nvm_find(host, DEVICE_NVM_TRUST, &slot) != 0 || slot.size == 0 ||
      host->nvm_read(host->ctx, slot.offset, encoded, slot.size) != 0 ||
      device_trust_parse(encoded, slot.size, &bundle) != DEVICE_UPDATE_COMMITTED)
    return;
  out->bundle_version = bundle.version;
  out->anchor_count = bundle.anchor_count;
  for (size_t i = 0; i < bundle.anchor_count; i++)
    strcpy(out->anchor[i], name_of_anchor(pki, bundle.anchor[i].der, bundle.anchor[i].size));
}

/* Into `encoded`, where its parts are. */
static int chain_in_force(const struct device_host *host,
                          uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX], struct device_chain *out)
{
  struct device_nvm_slot slot;
  if (device_nvm_find(host, DEVICE_NVM_CERTIFICATE, &slot) != 0 || slot.size == 0 ||
      host->nvm_read(host->ctx, slot.offset, encoded, slot.size) != 0)
    return -1;
  return device_chain_parse(encoded, slot.size, out) == DEVICE_UPDATE_COMMITTED ? 0 : -1;
}

int pki_device_look(struct pki *pki, size_t index, struct pki_device_state *out,
                    struct error *error)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  struct device_nvm_identity identity;
  struct device_chain chain;
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  char name[PKI_DEVICE_NAME];
  *out = (struct pki_device_state){.id = pki->devices[index].id};
  bool whole = device_nvm_read_identity(&host, &identity) == 0 && identity.id == out->id;
  OPENSSL_cleanse(identity.private_key, sizeof identity.private_key);
  if (!whole)
    return error_set(error, EXIT_CODE_SETUP,
                     "the NVM page of device %s is damaged; restore nvm.bin from a copy, or make "
                     "the fleet anew",
                     pki_device_text(pki, out->id, name));
  look_at_trust(pki, &host, out);
  if (chain_in_force(&host, encoded, &chain) == 0 &&
      EVP_Digest(chain.certificate[0].der, chain.certificate[0].size, out->certificate_id, NULL,
                 EVP_sha256(), NULL) != 1)
    return pki_crypto_error(error, "hash a certificate");
  return 0;
}

static int write_device_chain(const struct device_chain *chain, const char *path,
                              struct error *error)
{
  X509 *certificates[DEVICE_CHAIN_MAX] = {0};
  bool parsed = true;
  for (size_t i = 0; i < chain->count && parsed; i++) {
    const uint8_t *at = chain->certificate[i].der;
    certificates[i] = d2i_X509(NULL, &at, chain->certificate[i].size);
    parsed = certificates[i] != NULL;
  }
  int result = parsed ? pki_cert_write(path, certificates, chain->count, error)
                      : pki_crypto_error(error, "read the device's certificate");
  for (size_t i = 0; i < chain->count; i++) X509_free(certificates[i]);
  return result;
}

static int page_damaged(const struct pki *pki, size_t index, struct error *error)
{
  char name[PKI_DEVICE_NAME];
  return error_set(error, EXIT_CODE_SETUP,
                   "the NVM page of device %s holds no whole key and certificate",
                   pki_device_text(pki, pki->devices[index].id, name));
}

static int write_device(struct pki *pki, size_t index, const struct device_chain *chain,
                        const char *certificate_path, const char *key_path, struct error *error)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  struct device_nvm_identity identity;
  if (device_nvm_read_identity(&host, &identity) != 0) return page_damaged(pki, index, error);
  EVP_PKEY *key = pki_key_from_scalar(identity.private_key, error);
  OPENSSL_cleanse(identity.private_key, sizeof identity.private_key);
  int result = key == NULL ? -1 : pki_key_replace(key_path, key, error);
  if (result == 0) result = write_device_chain(chain, certificate_path, error);
  EVP_PKEY_free(key);
  return result;
}

int pki_write_device(struct pki *pki, size_t index, const char *certificate_path,
                     const char *key_path, struct error *error)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  struct device_chain chain;
  uint8_t encoded[DEVICE_NVM_CERTIFICATE_MAX];
  if (chain_in_force(&host, encoded, &chain) != 0) return page_damaged(pki, index, error);
  return write_device(pki, index, &chain, certificate_path, key_path, error);
}

int pki_write_device_with(struct pki *pki, size_t index, const uint8_t *chain, size_t size,
                          const char *certificate_path, const char *key_path, struct error *error)
{
  struct device_chain parsed;
  if (device_chain_parse(chain, size, &parsed) != DEVICE_UPDATE_COMMITTED)
    return pki_crypto_error(error, "read the device's certificate");
  return write_device(pki, index, &parsed, certificate_path, key_path, error);
}

struct listing {
  void (*each)(void *ctx, const struct pki_authority_info *info);
  void *ctx;
};

static void list(const struct listing *listing, const struct pki_authority *authority,
                 const char *file)
{
  struct pki_authority_info info = {.has_key = authority->key != NULL};
  const X509 *certificate = authority->certificate;
  if (certificate == NULL) return;
  snprintf(info.file, sizeof info.file, "%s", file);
  pki_cert_common_name(X509_get_subject_name(certificate), info.subject, sizeof info.subject);
  pki_cert_common_name(X509_get_issuer_name(certificate), info.issuer, sizeof info.issuer);
  info.not_before = pki_cert_unix(X509_get0_notBefore(certificate));
  info.not_after = pki_cert_unix(X509_get0_notAfter(certificate));
  pki_cert_sha256(certificate, info.fingerprint);
  listing->each(listing->ctx, &info);
}

static void list_root(const struct listing *listing, const char *name,
                      const struct pki_hierarchy *hierarchy)
{
  char file[3 * PKI_NAME_MAX];
  snprintf(file, sizeof file, "ca/%s.crt", name);
  list(listing, &hierarchy->root, file);
  snprintf(file, sizeof file, "ca/%s-brokers.crt", name);
  if (!pki_hierarchy_is_shared(hierarchy)) list(listing, &hierarchy->brokers, file);
  snprintf(file, sizeof file, "ca/%s-devices.crt", name);
  list(listing, &hierarchy->devices, file);
}

static int list_cross(const struct pki *pki, const struct listing *listing, const char *subject,
                      const char *issuer, bool expired, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (pki_cross_path(pki, subject, issuer, expired, path, error) != 0) return -1;
  struct pki_authority cross = {.certificate = pki_cert_read(path, NULL)}; /* need not exist */
  list(listing, &cross, path + strlen(pki->folder) + 1);
  X509_free(cross.certificate);
  return 0;
}

int pki_each_authority(const struct pki *pki,
                       void (*each)(void *ctx, const struct pki_authority_info *info), void *ctx,
                       struct error *error)
{
  struct listing listing = {each, ctx};
  for (size_t i = 0; i < pki->roots.count; i++)
    list_root(&listing, pki->roots.name[i], &pki->hierarchy[i]);
  list(&listing, &pki->back_office, "ca/back-office.crt");
  list(&listing, &pki->update_ca, "ca/update-ca.crt");
  for (size_t s = 0; s < pki->roots.count; s++)
    for (size_t i = 0; i < pki->roots.count; i++)
      for (int expired = 0; expired < 2 && s != i; expired++)
        if (list_cross(pki, &listing, pki->roots.name[s], pki->roots.name[i], expired != 0,
                       error) != 0)
          return -1;
  return 0;
}
