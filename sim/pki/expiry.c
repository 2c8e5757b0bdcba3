/* By OpenSSL's reader of PEM, which takes certificates and lists from one file. Nothing is judged here. */
#include "pki/expiry.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "internal.h"

struct telling {
  void (*each)(void *ctx, const struct pki_expiry *expiry);
  void *ctx;
};

static void tell_certificate(const struct telling *telling, X509 *certificate)
{
  if (certificate == NULL) return; /* of a root that somebody else keeps */
  struct pki_expiry expiry = {.unix_s = pki_cert_unix(X509_get0_notAfter(certificate))};
  bool own =
      X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
  expiry.kind = X509_check_ca(certificate) == 0 ? PKI_EXPIRING_LEAF
                : own                           ? PKI_EXPIRING_ROOT
                                                : PKI_EXPIRING_ISSUER;
  pki_cert_title(X509_get_subject_name(certificate), expiry.title);
  telling->each(telling->ctx, &expiry); /* stage/expiries.c */
}

static void tell_list(const struct telling *telling, const X509_CRL *crl)
{
  struct pki_expiry expiry = {.kind = PKI_EXPIRING_LIST};
  const ASN1_TIME *end = X509_CRL_get0_nextUpdate(crl);
  if (end == NULL) return;
  expiry.unix_s = pki_cert_unix(end);
  pki_cert_title(X509_CRL_get_issuer(crl), expiry.title);
  telling->each(telling->ctx, &expiry);
}

void pki_each_expiry(const char *path, void (*each)(void *ctx, const struct pki_expiry *expiry),
                     void *ctx)
{
  const struct telling telling = {each, ctx};
  BIO *file = BIO_new_file(path, "r");
  STACK_OF(X509_INFO) *infos = file != NULL ? PEM_X509_INFO_read_bio(file, NULL, NULL, NULL) : NULL;
  for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
    const X509_INFO *info = sk_X509_INFO_value(infos, i);
    if (info->x509 != NULL) tell_certificate(&telling, info->x509);
    if (info->crl != NULL) tell_list(&telling, info->crl);
  }
  sk_X509_INFO_pop_free(infos, X509_INFO_free);
  BIO_free(file);
  ERR_clear_error();
}

void pki_each_own_expiry(const struct pki *pki,
                         void (*each)(void *ctx, const struct pki_expiry *expiry), void *ctx)
{
  const struct telling telling = {each, ctx};
  for (size_t r = 0; r < pki->roots.count; r++) {
    const struct pki_hierarchy *own = &pki->hierarchy[r];
    tell_certificate(&telling, own->root.certificate);
    tell_certificate(&telling, own->brokers.certificate);
    tell_certificate(&telling, own->devices.certificate);
  }
}
