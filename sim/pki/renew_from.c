/* A certificate that somebody else issued for a device of the fleet. The judge is the device's own
 * loader, with its key and name from its page; root, dates and purpose are what its broker will look
 * at. Only what passes gets a row. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "device/identity.h"
#include "internal.h"
#include "pki/renewals_part.h"
#include "pki/vet.h"

int pki_write_request(struct pki *pki, size_t index, const char *path, struct error *error)
{
  uint8_t der[PKI_CSR_MAX];
  size_t size = 0;
  assert(index < pki->device_count);
  if (pki_registry_csr(pki->registry, pki->devices[index].id, der, sizeof der, &size, error) != 0)
    return -1;
  BIO *bio = BIO_new(BIO_s_mem());
  char *pem = NULL;
  bool made = bio != NULL && PEM_write_bio(bio, PEM_STRING_X509_REQ, "", der, (long) size) > 0;
  long length = made ? BIO_get_mem_data(bio, &pem) : 0;
  int result = made ? files_write(path, pem, (size_t) length, 0644, error)
                    : pki_crypto_error(error, "write a signing request as PEM");
  BIO_free(bio);
  return result;
}

/* A broker has the root itself. */
static void drop_root(STACK_OF(X509) * chain)
{
  int last = sk_X509_num(chain) - 1;
  X509 *root = sk_X509_value(chain, last);
  if (last > 0 && pki_cert_is_signed_by(root, root)) X509_free(sk_X509_pop(chain));
}

static int check_root(const struct pki *pki, STACK_OF(X509) * chain, const char *root,
                      const char *path, struct error *error)
{
  unsigned under = pki_roots_above(pki, chain);
  char issuer[PKI_CERT_TITLE];
  for (size_t r = 0; r < pki->roots.count; r++)
    if ((under >> r & 1u) != 0 && strcmp(pki->roots.name[r], root) == 0) return 0;
  pki_cert_title(X509_get_issuer_name(sk_X509_value(chain, sk_X509_num(chain) - 1)), issuer);
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate %s is not under root '%s': its chain ends at the issuer '%s'; "
                   "is an intermediate missing?",
                   path, root, issuer);
}

static int check_use(X509 *leaf, const char *path, struct error *error)
{
  bool limited = (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0;
  const char *why = NULL;
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
    why = "has expired";
  else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
    why = "is not valid yet";
  else if (limited && (X509_get_extended_key_usage(leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)) == 0)
    why = "is not for TLS clients (extendedKeyUsage)";
  if (why == NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the certificate %s %s: brokers would refuse it", path,
                   why);
}

/* The device's key, wiped by the caller with it. */
static int read_owner(struct pki *pki, size_t index, struct device_nvm_identity *owner,
                      struct error *error)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  if (device_nvm_read_identity(&host, owner) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "its NVM page is damaged; restore nvm.bin from a copy");
}

static int judge(struct pki *pki, const struct pki_renewal *renewal, const char *root,
                 struct error *error)
{
  struct device_nvm_identity owner;
  if (check_root(pki, renewal->certificates, root, renewal->path, error) != 0 ||
      check_use(sk_X509_value(renewal->certificates, 0), renewal->path, error) != 0 ||
      read_owner(pki, renewal->index, &owner, error) != 0)
    return -1;
  int result = pki_vet_begin(error);
  if (result == 0) {
    result = pki_vet_renewal(&owner, renewal, error);
    pki_vet_end();
  }
  OPENSSL_cleanse(&owner, sizeof owner);
  return result;
}

/* In order by the device's public key, encoded, and judged. */
static int take(struct pki *pki, struct pki_renewal *renewal, const char *root, uint8_t *out,
                size_t capacity, struct error *error)
{
  X509 *chain[DEVICE_CHAIN_MAX];
  EVP_PKEY *key = pki_requested_key(pki, pki->devices[renewal->index].id, error);
  if (key == NULL) return -1;
  int result = pki_order_chain(renewal->certificates, key, renewal->path, error);
  EVP_PKEY_free(key);
  if (result != 0) return -1;
  drop_root(renewal->certificates);
  int count = sk_X509_num(renewal->certificates);
  if (count > (int) DEVICE_CHAIN_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s: %d certificates, and a device has room for %u: leave the leaf and its "
                     "intermediates",
                     renewal->path, count, DEVICE_CHAIN_MAX);
  for (int i = 0; i < count; i++) chain[i] = sk_X509_value(renewal->certificates, i);
  if (pki_encode_chain(chain, (size_t) count, out, capacity, &renewal->size, error) != 0)
    return error_wrap(error, "%.200s", renewal->path);
  renewal->chain = out;
  return judge(pki, renewal, root, error);
}

static int read_certificates(const char *path, const char *more, struct pki_contents *out,
                             struct error *error)
{
  struct pki_contents behind;
  if (pki_contents_read(path, PKI_WANT_CERTIFICATES, NULL, out, error) != 0) return -1;
  if (more[0] == '\0') return 0;
  int result = pki_contents_read(more, PKI_WANT_CERTIFICATES, NULL, &behind, error);
  if (result == 0) {
    result = pki_contents_append(out, &behind);
    if (result != 0) error_set(error, EXIT_CODE_INTERNAL, "no memory for a chain");
    pki_contents_free(&behind);
  }
  if (result != 0) pki_contents_free(out);
  return result;
}

/* It has its row already. */
static bool has_row_already(struct pki *pki, const struct pki_renewal *renewal)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, renewal->index));
  return device_nvm_holds(&host, DEVICE_NVM_CERTIFICATE, renewal->chain, renewal->size) == 1;
}

int pki_renewal_take(struct pki *pki, struct pki_renewal *renewal, const char *root, bool enter,
                     uint8_t *out, size_t capacity, struct error *error)
{
  struct pki_contents contents;
  assert(renewal->index < pki->device_count);
  if (read_certificates(renewal->path, renewal->more, &contents, error) != 0) return -1;
  renewal->certificates = contents.certificates;
  int result = take(pki, renewal, root, out, capacity, error);
  bool known = result == 0 && has_row_already(pki, renewal);
  if (result == 0 && !known) result = pki_renewal_is_new(pki, renewal, error);
  if (result == 0 && enter && !known) {
    struct pki_registry_certificate row = {.device = pki->devices[renewal->index].id,
                                           .chain = renewal->chain,
                                           .chain_size = renewal->size};
    pki_describe_issued(sk_X509_value(renewal->certificates, 0), root, true, &row.row);
    result = pki_registry_add_certificate(pki->registry, &row, error);
  }
  contents.certificates = renewal->certificates;
  pki_contents_free(&contents);
  ERR_clear_error();
  return result;
}

int pki_renew_from(struct pki *pki, size_t index, const char *root, const char *path, uint8_t *out,
                   size_t capacity, size_t *size, struct error *error)
{
  struct pki_renewal renewal = {.index = index, .path = path, .more = ""};
  int result = pki_renewal_take(pki, &renewal, root, true, out, capacity, error);
  *size = renewal.size;
  return result;
}
