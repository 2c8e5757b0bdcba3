/* The CAs of a root: what the registry and lists call them, and which of them issued what. */
#ifndef FLEETSIM_PKI_AUTHORITY_H
#define FLEETSIM_PKI_AUTHORITY_H

#include "pki/crl.h"
#include "pki/internal.h"

const struct pki_authority *pki_authority_of(const struct pki_hierarchy *root,
                                             enum pki_crl_issuer issuer);

/* As the registry has it: of a CA that issues for brokers and devices there is one name, for it has
   one list. */
void pki_authority_name(const struct pki_hierarchy *hierarchy, const char *root,
                        enum pki_crl_issuer issuer, char out[PKI_AUTHORITY_NAME]);

/* Whether a CA whose key is here issued that device's certificate, by name and signature, and its
   name. */
bool pki_authority_that_issued(const struct pki *pki, X509 *certificate,
                               char out[PKI_AUTHORITY_NAME]);

#endif
