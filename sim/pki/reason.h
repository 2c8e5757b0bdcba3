/* Which certificates are revoked, and why: what the registry keeps and revocation lists are made
   from. */
#ifndef FLEETSIM_PKI_REASON_H
#define FLEETSIM_PKI_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "pki/pki.h"

/* Bytes of "ROOT", "ROOT-brokers", "ROOT-devices" or "back-office", and the zero. */
#define PKI_AUTHORITY_NAME (PKI_NAME_MAX + 16)

/* CRLReason of RFC 5280, 5.3.1, by its numbers. removeFromCRL (8) belongs to delta CRLs, which are
   not made here. */
enum pki_reason {
  PKI_REASON_UNSPECIFIED = 0,
  PKI_REASON_KEY_COMPROMISE = 1,
  PKI_REASON_CA_COMPROMISE = 2,
  PKI_REASON_AFFILIATION_CHANGED = 3,
  PKI_REASON_SUPERSEDED = 4,
  PKI_REASON_CESSATION_OF_OPERATION = 5,
  PKI_REASON_CERTIFICATE_HOLD = 6,
  PKI_REASON_PRIVILEGE_WITHDRAWN = 9,
  PKI_REASON_AA_COMPROMISE = 10,
};

/* A certificate that is revoked. */
struct pki_revoked {
  char authority[PKI_AUTHORITY_NAME]; /* that issued it, and whose CRL names it */
  uint8_t serial[20];                 /* big-endian */
  uint8_t serial_size;
  enum pki_reason reason;
  int64_t when;    /* Unix seconds */
  bool of_device;  /* false: a broker's leaf or an intermediate */
  uint32_t device; /* its id */
};

/* The reason's name in RFC 5280 ("keyCompromise"), all names, and back; a USAGE sentence that lists them when
   there is none. */
const char *pki_reason_name(enum pki_reason reason);
void pki_reason_each(void (*each)(void *ctx, const char *name), void *ctx);
int pki_reason_parse(const char *name, enum pki_reason *out, struct error *error);

#endif
