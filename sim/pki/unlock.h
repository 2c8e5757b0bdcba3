/* Keys under a passphrase: PKCS#8's EncryptedPrivateKeyInfo, the older PEM with 'Proc-Type:
 * 4,ENCRYPTED', and PKCS#12. A file says itself how dear it is to open; what would take minutes is
 * refused. Sentences are without the file's name, and USAGE. */
#ifndef FLEETSIM_PKI_UNLOCK_H
#define FLEETSIM_PKI_UNLOCK_H

#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "pki/password.h"

#define PKI_UNLOCK_ROUNDS_MAX 2000000 /* of PBKDF2 and its elders: half a second */

/* NULL: no or another passphrase, or an algorithm that OpenSSL does not offer. The caller frees. */
EVP_PKEY *pki_unlock_pkcs8(const X509_SIG *locked, const struct pki_password *password,
                           struct error *error);

/* A block of PEM with its header lines, in place; *size is what is left of it. */
int pki_unlock_block(const char *header, unsigned char *data, long *size,
                     const struct pki_password *password, struct error *error);

/* Hands every key and certificate of the file to `key` and `certificate`, which take them over and
 * return 0, or -1 with a sentence. Where no key is wanted, `key` is NULL. */
struct pki_unlock_to {
  int (*key)(void *ctx, EVP_PKEY *key, struct error *error);
  int (*certificate)(void *ctx, X509 *certificate, struct error *error);
  void *ctx;
};
int pki_unlock_pkcs12(const PKCS12 *box, const struct pki_password *password,
                      const struct pki_unlock_to *to, struct error *error);

#endif
