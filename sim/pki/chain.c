/* What a server presents: a leaf for its names, the intermediate, and a cross-certificate where
 * one is asked for, in one file with its key beside it. Each leaf is noted in the registry, for
 * only what is known there can be revoked. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <assert.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/revoked.h"

#define LEAF_YEARS 1

static X509 *server_leaf(const struct pki_chain *chain, const struct pki_authority *issuer,
                         EVP_PKEY *key, struct error *error)
{
  int64_t now = pki_now();
  struct pki_cert_spec spec = {
      .kind = PKI_CERT_SERVER,
      .subject = chain->host,
      .key = key,
      .issuer = issuer,
      .not_before = chain->leaf_expired ? now - 2 * PKI_YEAR_S : now - PKI_DAY_S,
      .not_after = chain->leaf_expired ? now - PKI_DAY_S : now + LEAF_YEARS * PKI_YEAR_S,
      .host = chain->host,
      .also = chain->also};
  return pki_cert_mint(&spec, error);
}

static X509 *cross_certificate(struct pki *pki, const struct pki_chain *chain, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (strcmp(chain->root, chain->cross) == 0) {
    error_set(error, EXIT_CODE_USAGE,
              "root '%s' cannot be cross-certified by itself; name another root, or none",
              chain->root);
    return NULL;
  }
  if (pki_find_root_key(pki, chain->cross, error) == NULL ||
      pki_cross_path(pki, chain->root, chain->cross, chain->cross_expired, path, error) != 0)
    return NULL;
  if (chain->cross_expired && access(path, F_OK) != 0 &&
      pki_cross_make_expired(pki, chain->root, chain->cross, error) != 0)
    return NULL;
  return pki_cert_read(path, error);
}

static int check_host(const char *host, struct error *error)
{
  size_t plain =
      host == NULL
          ? 0
          : strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:*");
  if (plain > 0 && plain <= 253 && host[plain] == '\0') return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "'%.80s' cannot be a server's name: use a host name or an IP address",
                   host == NULL ? "" : host);
}

int pki_chain_wanted(X509 *const *certificates, size_t count, struct chain_prints *out,
                     struct error *error)
{
  assert(count <= CHAIN_PRINTS_MAX);
  out->count = 0;
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && X509_self_signed(certificates[i], 1) == 1) continue;
    if (pki_cert_sha256(certificates[i], out->sha256[out->count++]) != 0)
      return pki_crypto_error(error, "hash a certificate");
  }
  return 0;
}

static int write_certificates(X509 *leaf, X509 *intermediate, X509 *cross, const char *path,
                              struct chain_prints *wanted, struct error *error)
{
  X509 *certificates[3] = {leaf};
  size_t count = 1;
  if (intermediate != NULL) certificates[count++] = intermediate;
  if (cross != NULL) certificates[count++] = cross;
  if (pki_chain_wanted(certificates, count, wanted, error) != 0) return -1;
  return pki_cert_write(path, certificates, count, error);
}

/* So that it can be revoked later. */
static int note_broker_leaf(struct pki *pki, const char *root, const X509 *leaf,
                            struct error *error)
{
  const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
  return pki_revoked_note_broker(pki_registry_revoked(pki->registry), root,
                                 ASN1_STRING_get0_data(serial), (size_t) ASN1_STRING_length(serial),
                                 error);
}

static int check_hosts(const struct pki_chain *chain, struct error *error)
{
  if (check_host(chain->host, error) != 0) return -1;
  for (size_t i = 0; chain->also[i] != NULL; i++)
    if (check_host(chain->also[i], error) != 0) return -1;
  return 0;
}

int pki_write_broker_chain(struct pki *pki, const struct pki_chain *chain,
                           const char *certificate_path, const char *key_path,
                           struct chain_prints *wanted, struct error *error)
{
  if (chain->own[0] != '\0')
    return pki_write_own_chain(pki, chain, certificate_path, key_path, wanted, error);
  const struct pki_hierarchy *issuer = pki_find_issuer(pki, chain->root, error);
  if (issuer == NULL || check_hosts(chain, error) != 0) return -1;
  X509 *cross = NULL, *leaf = NULL;
  if (chain->cross[0] != '\0' && (cross = cross_certificate(pki, chain, error)) == NULL) return -1;

  EVP_PKEY *key = pki_key_generate(error);
  if (key != NULL) leaf = server_leaf(chain, &issuer->brokers, key, error);
  int result = leaf == NULL ? -1 : pki_key_replace(key_path, key, error);
  if (result == 0)
    result = write_certificates(leaf, chain->omit_intermediate ? NULL : issuer->brokers.certificate,
                                cross, certificate_path, wanted, error);
  if (result == 0) result = note_broker_leaf(pki, chain->root, leaf, error);
  EVP_PKEY_free(key);
  X509_free(leaf);
  X509_free(cross);
  return result;
}

int pki_write_update_chain(struct pki *pki, const struct pki_chain *chain,
                           const char *certificate_path, const char *key_path,
                           char ca_path[FILES_PATH_MAX], struct error *error)
{
  if (check_hosts(chain, error) != 0 ||
      files_join(ca_path, pki->folder, "ca/update-ca.crt", error) != 0)
    return -1;
  if (pki->update_ca.certificate == NULL &&
      pki_update_ca_make(pki->folder, &pki->update_ca, error) != 0)
    return -1;
  if (pki->update_ca.key == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "ca/update-ca.key is missing in %s: restore it from a copy, or remove "
                     "ca/update-ca.crt as well and a new update CA is made",
                     pki->folder);
  EVP_PKEY *key = pki_key_generate(error);
  X509 *leaf = key == NULL ? NULL : server_leaf(chain, &pki->update_ca, key, error);
  int result = leaf == NULL ? -1 : pki_key_replace(key_path, key, error);
  if (result == 0) result = pki_cert_write(certificate_path, &leaf, 1, error);
  EVP_PKEY_free(key);
  X509_free(leaf);
  return result;
}

int pki_write_client_ca(struct pki *pki, const struct pki_roots *roots, const char *path,
                        struct error *error)
{
  X509 *certificates[PKI_ROOTS_MAX + 1];
  if (roots->count > PKI_ROOTS_MAX)
    return error_set(error, EXIT_CODE_USAGE, "a CA file holds at most %d roots", PKI_ROOTS_MAX);
  for (size_t i = 0; i < roots->count; i++) {
    const struct pki_hierarchy *found = pki_find_root(pki, roots->name[i], error);
    if (found == NULL) return -1;
    certificates[i] = found->root.certificate;
  }
  certificates[roots->count] = pki->back_office.certificate;
  return pki_cert_write(path, certificates, roots->count + 1, error);
}

int pki_anchor_id(const struct pki *pki, const char *root, uint8_t id[32])
{
  const struct pki_hierarchy *found = pki_find_root(pki, root, NULL);
  return found == NULL ? -1 : pki_cert_sha256(found->root.certificate, id);
}

uint32_t pki_chain_bytes(const char *certificate_path)
{
  FILE *file = fopen(certificate_path, "re");
  uint32_t bytes = 0;
  for (X509 *certificate;
       file != NULL && (certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL;) {
    int size = i2d_X509(certificate, NULL);
    bytes += size > 0 ? (uint32_t) size : 0;
    X509_free(certificate);
  }
  if (file != NULL) fclose(file);
  return bytes;
}
