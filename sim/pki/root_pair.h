/* A root itself, for who shows under it what pki.h has no word for. */
#ifndef FLEETSIM_PKI_ROOT_PAIR_H
#define FLEETSIM_PKI_ROOT_PAIR_H

#include <openssl/x509.h>

#include "base/error.h"

struct pki;

/* Its certificate, and its key where that is here (else NULL): each is the caller's to free. 0, or -1: the
 * fleet has no such root. */
int pki_root_pair(const struct pki *pki, const char *root, X509 **certificate, EVP_PKEY **key,
                  struct error *error);

#endif
