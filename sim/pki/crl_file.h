/* A file of CRLs that somebody else made, as OpenSSL reads it. */
#ifndef FLEETSIM_PKI_CRL_FILE_H
#define FLEETSIM_PKI_CRL_FILE_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/error.h"
#include "pki/crl.h"

struct pki_crl_file {
  const char *path;
  STACK_OF(X509_CRL) * crls; /* at least one, in the file's order */
};

/* 0, or a USAGE sentence when the file does not hold whole CRLs in PEM. To be released either
   way. */
int pki_crl_file_read(const char *path, struct pki_crl_file *out, struct error *error);
void pki_crl_file_release(struct pki_crl_file *file);

/* crl_scope.c. Why a broker that is given this list would refuse everybody whom its issuer
 * certified, or would let those in again who were revoked: a kind of list that brokers do not work
 * with, in words that go on after "the CRL of 'X' ...". False when there is no such reason. */
bool pki_crl_unfit(const X509_CRL *crl, char *out, size_t capacity);

/* Whether the list says nothing of leaf certificates: it is for CA certificates only. */
bool pki_crl_of_cas_only(const X509_CRL *crl);

/* The first URI that its issuing distribution point names, or its kind; false when it names none:
   it is for all. */
bool pki_crl_point(const X509_CRL *crl, char *out, size_t capacity);

/* Whether the list, if it is of the leaf's issuer, speaks of the leaf: it is complete, or the leaf
   names its distribution point. What it says of another certificate, no broker heeds. */
bool pki_crl_covers(const X509_CRL *crl, const X509 *leaf);

/* crl_order.c. 1 and why, in words as above, when the list is older than what `history` knows, or
 * cannot be told from it; else 0; -1 without memory. */
int pki_crl_judge_order(const struct pki *pki, const X509_CRL *crl,
                        const struct pki_crl_history *history, char *why, size_t capacity);

/* `history` knows the list, unless it knows a newer one of its series. -1 without memory. */
int pki_crl_note_order(const X509_CRL *crl, struct pki_crl_history *history);

#endif
