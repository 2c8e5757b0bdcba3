/* Certificates that somebody else made, before they become a fleet: what the device's own loader
 * would not take is refused, by file, certificate and reason; what it takes and a broker or a
 * device will refuse later is doubted. */
#ifndef FLEETSIM_PKI_VET_H
#define FLEETSIM_PKI_VET_H

#include <openssl/x509.h>
#include <stdint.h>

#include "pki/internal.h"
#include "pki/renewals_part.h"

/* Between these two the device's code works for us: its crypto has one user at a time, so no device
   may run. */
int pki_vet_begin(struct error *error);
void pki_vet_end(void);

/* USAGE when a device could not use `root` as a trust anchor. Warns of one that is not valid
   now. */
int pki_vet_root(X509 *root, const char *name, const char *path,
                 void (*warn)(void *ctx, const char *sentence), void *ctx, struct error *error);

/* The same of an intermediate whose certificate devices are to load behind their own. */
int pki_vet_issuer(X509 *issuer, const char *path, struct error *error);

/* The same of every certificate that a broker is to present. */
int pki_vet_served(STACK_OF(X509) * chain, const char *path, struct error *error);

/* USAGE when the device could not load its chain (leaf first, of which `newcomer` has the encoding)
 * for its key; or, where it goes by its id, when that is not the leaf's only CN. */
int pki_vet_chain(const struct pki_newcomer *newcomer, STACK_OF(X509) * chain, const char *path,
                  struct error *error);

/* USAGE when the device `owner` would not put the encoded chain in force over MQTT. */
int pki_vet_renewal(const struct device_nvm_identity *owner, const struct pki_renewal *renewal,
                    struct error *error);

/* Puts the certificates of a file in the order of a chain: that of `key` first, behind each its
 * issuer. USAGE when none is for the key, or when one has no place: that one is freed then. */
int pki_order_chain(STACK_OF(X509) * all, const EVP_PKEY *key, const char *path,
                    struct error *error);

/* What will come of chains that devices can load. */
enum pki_doubt {
  PKI_DOUBT_EXPIRED,
  PKI_DOUBT_EARLY,   /* not valid yet */
  PKI_DOUBT_PURPOSE, /* not for TLS clients */
  PKI_DOUBT_ALONE,   /* the leaf without the intermediate that issued it */
  PKI_DOUBT_STRANGE, /* under none of the fleet's roots */
  PKI_DOUBT_SELF,    /* the leaf signed itself */
  PKI_DOUBT_NO_CA,   /* an issuer is no CA, or may not sign certificates */
  PKI_DOUBT_LONG,    /* an issuer's path length forbids the chain */
  PKI_DOUBT_ISSUER,  /* an issuer's extended key usage leaves out TLS clients */
  PKI_DOUBT_NAME,    /* the leaf's CN is not the device's name */
  PKI_DOUBT_SHARED,  /* an earlier device of the list has its key, too */
  PKI_DOUBT_ROOT,    /* a root behind the chain was left out */
  PKI_DOUBTS
};

/* All zero: none. */
struct pki_doubts {
  size_t count[PKI_DOUBTS];                   /* devices */
  char first[PKI_DOUBTS][2 * FILES_PATH_MAX]; /* the first of these, and why */
};

/* Notes what there is to doubt about the chain of the device at `where` (FILE:LINE); `anchor` is
 * the fleet's CA that the chain ends under, or NULL. */
void pki_doubt_chain(struct pki_doubts *doubts, STACK_OF(X509) * chain, X509 *anchor,
                     const char *where);

void pki_doubt_name(struct pki_doubts *doubts, const char *name, X509 *leaf, const char *where);

/* Notes one that the caller has about that certificate. */
void pki_doubt_note(struct pki_doubts *doubts, enum pki_doubt kind, X509 *certificate,
                    const char *where);

/* One sentence for each kind. */
void pki_doubts_tell(const struct pki_doubts *doubts, void (*warn)(void *ctx, const char *sentence),
                     void *ctx);

#endif
