/* One certificate for a device, on its way from somebody else's file into the registry. */
#ifndef FLEETSIM_PKI_RENEWALS_PART_H
#define FLEETSIM_PKI_RENEWALS_PART_H

#include "pki/contents.h"
#include "pki/renewals.h"

struct pki_renewal {
  size_t index;
  const char *path, *more;       /* its file, and one of intermediates; "": there is none */
  STACK_OF(X509) * certificates; /* while it is looked at */
  const uint8_t *chain;          /* encoded */
  size_t size;
};

/* renew_known.c: no certificate that the registry knows has its issuer and serial number, and that of
 * its issuer which the device holds is not a later one. USAGE. */
int pki_renewal_is_new(struct pki *pki, const struct pki_renewal *renewal, struct error *error);

/* `enter`: into the registry, too; else it is only judged. */
int pki_renewal_take(struct pki *pki, struct pki_renewal *renewal, const char *root, bool enter,
                     uint8_t *out, size_t capacity, struct error *error);

#endif
