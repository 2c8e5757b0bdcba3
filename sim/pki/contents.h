/* What a file of keys and certificates holds, as other people's tools write them: PEM with any text
 * around it, several objects in one file, PKCS#8, SEC 1 (also behind its EC PARAMETERS), DER,
 * PKCS#12, under a passphrase or not. */
#ifndef FLEETSIM_PKI_CONTENTS_H
#define FLEETSIM_PKI_CONTENTS_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "pki/password.h"

#define PKI_CONTENTS_MAX 16 /* certificates in a file */

struct pki_contents {
  EVP_PKEY *key;                 /* NULL: there is none, or it was not wanted */
  STACK_OF(X509) * certificates; /* in the order of the file, none of them twice; may be empty */
};

/* What is asked for. A key that is not wanted is not decrypted either. */
enum pki_wanted {
  PKI_WANT_KEY = 1,
  PKI_WANT_CERTIFICATES = 2,
};

/* Reads all that the file holds of `wanted`, at least one of each. `password` may be NULL. USAGE,
 * with the file's name, for what cannot be read, a second key, or too many certificates. To be freed
 * after a success. */
int pki_contents_read(const char *path, unsigned wanted, const struct pki_password *password,
                      struct pki_contents *out, struct error *error);

/* Adds the certificates of `more`, which keeps its own, to those of `to`; none twice. -1: no
   memory. */
int pki_contents_append(struct pki_contents *to, const struct pki_contents *more);
void pki_contents_free(struct pki_contents *contents);

#endif
