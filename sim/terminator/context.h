/* The terminator's TLS settings, which live from its start to its end: so do the keys of its
   session tickets. */
#ifndef FLEETSIM_TERMINATOR_CONTEXT_H
#define FLEETSIM_TERMINATOR_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* `stem` is "main" or "prove"; files are read from the working directory, and keys from `keys`. NULL
   with an error. */
SSL_CTX *context_make(const char *stem, const char *keys, uint8_t tls_min, struct error *error);

/* Puts leaf, key, CA file and, with `crl`, the CRLs in force, all of them or none. `crls` receives
   how many CRLs. */
int context_load(SSL_CTX *context, const char *stem, const char *keys, bool crl, unsigned *crls,
                 struct error *error);

#endif
