/* Certificates and signing requests: minted, read and written. Every kind's extensions stand in one
   table. */
#ifndef FLEETSIM_PKI_CERTIFICATE_H
#define FLEETSIM_PKI_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum pki_cert_kind {
  PKI_CERT_CA,      /* roots and cross-certificates: no path length */
  PKI_CERT_ISSUING, /* intermediates: pathlen 0 */
  PKI_CERT_SERVER,
  PKI_CERT_CLIENT,
};

/* A CA that can sign. `key` is NULL for a root that was imported without it. */
struct pki_authority {
  X509 *certificate;
  EVP_PKEY *key;
};

struct pki_cert_spec {
  enum pki_cert_kind kind;
  const char *subject; /* CN */
  /* NULL, or a certificate whose whole subject and alternative names it gets instead */
  X509 *like;
  /* the subject's; the public half is enough unless it signs itself */
  EVP_PKEY *key;
  const struct pki_authority *issuer; /* NULL: self-signed */
  int64_t not_before, not_after;      /* Unix seconds; not_after is cut at the issuer's end */
  const char *host;                   /* SERVER: SAN, dNSName or iPAddress */
  const char *const *also;            /* NULL, or more of them with NULL after the last */
};

/* NULL on failure. The caller frees. X509_get0_pubkey works on a certificate that was read, not on
   one just minted. */
X509 *pki_cert_mint(const struct pki_cert_spec *spec, struct error *error);

/* A request for what `certificate` says of its subject, alternative names and all, signed by
   `key`. */
X509_REQ *pki_cert_request(X509 *certificate, EVP_PKEY *key, struct error *error);

/* PEM files. `read_all` gives every certificate of the file in order, at least one and at most
   `limit`. */
X509 *pki_cert_read(const char *path, struct error *error);
STACK_OF(X509) * pki_cert_read_all(const char *path, int limit, struct error *error);
int pki_cert_write(const char *path, X509 *const *certificates, size_t count, struct error *error);

/* Whether `issuer`, which may be NULL, signed `subject` and may. */
bool pki_cert_issued(X509 *subject, X509 *issuer);

/* Whether that key signed it, be it allowed to or not. */
bool pki_cert_is_signed_by(X509 *subject, X509 *issuer);

int64_t pki_cert_unix(const ASN1_TIME *time);
int pki_cert_sha256(const X509 *certificate, uint8_t out[32]);

/* Subject's or issuer's CN into `out`, cut to fit; "" when there is none. */
void pki_cert_common_name(const X509_NAME *name, char *out, size_t capacity);

/* What a person calls it: the CN, or the whole name where it has none; "?" when it is empty. */
#define PKI_CERT_TITLE 128
void pki_cert_title(const X509_NAME *name, char out[PKI_CERT_TITLE]);

#endif
