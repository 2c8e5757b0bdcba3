/* When certificates and revocation lists end, as their files say it: what stops a fleet on a day that nobody
 * has written down. */
#ifndef FLEETSIM_PKI_EXPIRY_H
#define FLEETSIM_PKI_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

#include "pki/pki.h"

enum pki_expiring { PKI_EXPIRING_ROOT, PKI_EXPIRING_ISSUER, PKI_EXPIRING_LEAF, PKI_EXPIRING_LIST };

struct pki_expiry {
  enum pki_expiring kind;
  char title[128]; /* of the subject; of a list: of who issued it */
  int64_t unix_s;  /* notAfter; of a list nextUpdate */
};

/* Calls `each` for what a PEM file holds of these, in its order: none of a file that cannot be read, or of a
 * list that names no end. */
void pki_each_expiry(const char *path, void (*each)(void *ctx, const struct pki_expiry *expiry),
                     void *ctx);

/* The same of the folder's own roots and the CAs under them; not of cross-certificates, which are in use
   where a broker presents them. */
void pki_each_own_expiry(const struct pki *pki,
                         void (*each)(void *ctx, const struct pki_expiry *expiry), void *ctx);

#endif
