#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/crl.h"

/* A file of CRLs beside the CAs that may have signed them. */
struct crl_file {
  const char *path;
  STACK_OF(X509_CRL) * crls;
  STACK_OF(X509) * issuers; /* references of its own */
  struct error *error;
};

static int refuse(const struct crl_file *file, const X509_NAME *issuer, const char *what)
{
  char name[72];
  pki_cert_common_name(issuer, name, sizeof name);
  return error_set(file->error, EXIT_CODE_USAGE, "%s: the CRL of '%s' %s", file->path, name, what);
}

static int read_crls(struct crl_file *file)
{
  uint8_t *pem = NULL;
  size_t size = 0;
  if (files_read(file->path, PKI_CRL_FILE_MAX, &pem, &size, file->error) != 0) return -1;
  BIO *bio = BIO_new_mem_buf(pem, (int) size);
  X509_CRL *one = NULL;
  file->crls = sk_X509_CRL_new_null();
  while (bio != NULL && file->crls != NULL && (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
    if (sk_X509_CRL_push(file->crls, one) <= 0) X509_CRL_free(one);
  BIO_free(bio);
  free(pem);
  bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (file->crls != NULL && whole && sk_X509_CRL_num(file->crls) > 0) return 0;
  return error_set(file->error, EXIT_CODE_USAGE, "%s does not hold whole CRLs in PEM", file->path);
}

static bool add_issuer(struct crl_file *file, X509 *certificate)
{
  if (certificate == NULL) return true;
  for (int i = 0; i < sk_X509_num(file->issuers); i++)
    if (X509_cmp(sk_X509_value(file->issuers, i), certificate) == 0) return true;
  if (X509_up_ref(certificate) != 1) return false;
  if (sk_X509_push(file->issuers, certificate) > 0) return true;
  X509_free(certificate);
  return false;
}

static int gather_issuers(struct crl_file *file, struct pki *pki)
{
  file->issuers = sk_X509_new_null();
  bool added = file->issuers != NULL && add_issuer(file, pki->back_office.certificate);
  for (size_t r = 0; r < pki->roots.count && added; r++)
    added = add_issuer(file, pki->hierarchy[r].root.certificate) &&
            add_issuer(file, pki->hierarchy[r].brokers.certificate) &&
            add_issuer(file, pki->hierarchy[r].devices.certificate);
  for (size_t d = 0; d < pki->device_count && added; d++) {
    STACK_OF(X509) *chain = pki_device_chain(pki, d, file->error);
    if (chain == NULL) return -1;
    for (int i = 1; i < sk_X509_num(chain) && added; i++) added = add_issuer(file, sk_X509_value(chain, i));
    sk_X509_pop_free(chain, X509_free);
  }
  return added ? 0 : pki_crypto_error(file->error, "gather the issuers of a CRL");
}

static int check_signature(const struct crl_file *file, X509_CRL *crl)
{
  const X509_NAME *name = X509_CRL_get_issuer(crl);
  bool known = false;
  for (int i = 0; i < sk_X509_num(file->issuers); i++) {
    X509 *issuer = sk_X509_value(file->issuers, i);
    if (X509_NAME_cmp(X509_get_subject_name(issuer), name) != 0) continue;
    known = true;
    EVP_PKEY *key = X509_get_pubkey(issuer);
    bool signed_by_it = key != NULL && X509_CRL_verify(crl, key) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (signed_by_it) return 0;
  }
  if (known) return refuse(file, name, "is not signed by this fleet's: it is another fleet's, or damaged");
  return refuse(file, name, "is of no authority that certifies this fleet; take the CRL of whoever issued its devices");
}

static int check_times(const struct crl_file *file, X509_CRL *crl)
{
  const ASN1_TIME *from = X509_CRL_get0_lastUpdate(crl), *to = X509_CRL_get0_nextUpdate(crl);
  const X509_NAME *name = X509_CRL_get_issuer(crl);
  if (pki_cert_unix(from) > pki_now()) return refuse(file, name, "is not in force yet: every device would be refused");
  if (to == NULL || pki_cert_unix(to) > pki_now()) return 0;
  return refuse(file, name, "has expired, and a broker that is given it refuses the whole fleet: fetch a newer one");
}

static int need_crl(const struct crl_file *file, const X509_NAME *issuer)
{
  for (int i = 0; i < sk_X509_CRL_num(file->crls); i++)
    if (X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(file->crls, i)), issuer) == 0) return 0;
  return refuse(file, issuer,
                "is missing: a broker that checks CRLs refuses all whom that authority certified; add it");
}

static int check_complete(const struct crl_file *file, struct pki *pki)
{
  int result = need_crl(file, X509_get_subject_name(pki->back_office.certificate));
  for (size_t d = 0; d < pki->device_count && result == 0; d++) {
    STACK_OF(X509) *chain = pki_device_chain(pki, d, file->error);
    if (chain == NULL) return -1;
    result = need_crl(file, X509_get_issuer_name(sk_X509_value(chain, 0)));
    sk_X509_pop_free(chain, X509_free);
  }
  return result;
}

static void release(struct crl_file *file)
{
  sk_X509_CRL_pop_free(file->crls, X509_CRL_free);
  sk_X509_pop_free(file->issuers, X509_free);
}

int pki_check_crls(struct pki *pki, const char *path, struct error *error)
{
  struct crl_file file = {.path = path, .error = error};
  int result = read_crls(&file);
  if (result == 0) result = gather_issuers(&file, pki);
  for (int i = 0; result == 0 && i < sk_X509_CRL_num(file.crls); i++) {
    result = check_signature(&file, sk_X509_CRL_value(file.crls, i));
    if (result == 0) result = check_times(&file, sk_X509_CRL_value(file.crls, i));
  }
  if (result == 0) result = check_complete(&file, pki);
  release(&file);
  return result;
}

static bool is_named(const struct crl_file *file, X509 *leaf)
{
  X509_REVOKED *entry = NULL;
  for (int i = 0; i < sk_X509_CRL_num(file->crls); i++) {
    X509_CRL *crl = sk_X509_CRL_value(file->crls, i);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(leaf)) == 0 &&
        X509_CRL_get0_by_cert(crl, &entry, leaf) == 1)
      return true;
  }
  return false;
}

int pki_crls_name(struct pki *pki, const char *path, bool *names, size_t count, struct error *error)
{
  struct crl_file file = {.path = path, .error = error};
  int result = read_crls(&file);
  for (size_t d = 0; d < count && d < pki->device_count && result == 0; d++) {
    STACK_OF(X509) *chain = pki_device_chain(pki, d, error);
    if (chain == NULL)
      result = -1;
    else
      names[d] = is_named(&file, sk_X509_value(chain, 0));
    sk_X509_pop_free(chain, X509_free);
  }
  release(&file);
  return result;
}
