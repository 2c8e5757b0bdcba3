/* Lists in their order: what is published later in a run must not be older, or those who were revoked are let in again
 * and the run, which goes by the last list, finds nothing wrong with that. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/crl.h"
#include "pki/crl_file.h"

#define DIGEST 32

struct pki_crl_seen {
  uint8_t scope[DIGEST]; /* issuer and issuing distribution point */
  uint8_t number[20];
  bool numbered;
  int64_t this_update;
};

/* RFC 5280, 5.2.3: at most 20 octets, never negative. */
static bool take_number(const X509_CRL *crl, struct pki_crl_seen *out)
{
  ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
  int size = number == NULL ? 0 : ASN1_STRING_length(number);
  out->numbered = number != NULL && ASN1_STRING_type(number) == V_ASN1_INTEGER && size <= (int) sizeof out->number;
  if (out->numbered) memcpy(out->number + sizeof out->number - size, ASN1_STRING_get0_data(number), (size_t) size);
  ASN1_INTEGER_free(number);
  return out->numbered || X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) < 0;
}

static bool take_scope(const X509_CRL *crl, uint8_t out[DIGEST])
{
  uint8_t *name = NULL, both[2 * DIGEST] = {0};
  int size = i2d_X509_NAME(X509_CRL_get_issuer(crl), &name);
  bool taken = size > 0 && EVP_Digest(name, (size_t) size, both, NULL, EVP_sha256(), NULL) == 1;
  OPENSSL_free(name);
  int at = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);
  if (at >= 0) {
    const ASN1_OCTET_STRING *point = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
    taken = taken && EVP_Digest(ASN1_STRING_get0_data(point), (size_t) ASN1_STRING_length(point), both + DIGEST, NULL,
                                EVP_sha256(), NULL) == 1;
  }
  return taken && EVP_Digest(both, sizeof both, out, NULL, EVP_sha256(), NULL) == 1;
}

static struct pki_crl_seen *find_seen(const struct pki_crl_history *history, const uint8_t scope[DIGEST])
{
  for (size_t i = 0; i < history->count; i++)
    if (memcmp(history->seen[i].scope, scope, DIGEST) == 0) return &history->seen[i];
  return NULL;
}

static int note(struct pki_crl_history *history, const struct pki_crl_seen *seen)
{
  struct pki_crl_seen *moved = realloc(history->seen, (history->count + 1) * sizeof *moved);
  if (moved == NULL) return -1;
  history->seen = moved;
  history->seen[history->count++] = *seen;
  return 0;
}

/* An authority whose key is here: a run that revokes makes its lists itself. */
static bool is_ours(const struct pki *pki, const X509_NAME *issuer)
{
  for (size_t r = 0; r < pki->roots.count; r++) {
    const struct pki_hierarchy *root = &pki->hierarchy[r];
    const struct pki_authority *const all[] = {&root->root, &root->devices};
    for (size_t i = 0; i < 2; i++)
      if (all[i]->key != NULL && X509_NAME_cmp(X509_get_subject_name(all[i]->certificate), issuer) == 0) return true;
  }
  return false;
}

static const char *what_is_old(const struct pki *pki, const X509_CRL *crl, const struct pki_crl_seen *now,
                               const struct pki_crl_seen *before, int64_t ours_since)
{
  if (ours_since != 0 && now->this_update < ours_since && is_ours(pki, X509_CRL_get_issuer(crl)))
    return "is older than the one that this run makes itself in a step before: those who were revoked meanwhile would "
           "be let in again; publish it before, or make it with 'publish-crl: {}'";
  if (before == NULL) return NULL;
  if (before->numbered && !now->numbered)
    return "has no number, and the one published before has: it cannot be told to be newer; publish the newest last";
  if ((before->numbered && memcmp(now->number, before->number, sizeof now->number) < 0) ||
      now->this_update < before->this_update)
    return "is older than the one published before (by its number or its this-update): those who were revoked "
           "meanwhile would be let in again; publish the newest list last";
  return NULL;
}

int pki_crl_take_order(const struct pki *pki, const X509_CRL *crl, struct pki_crl_history *history, char *why,
                       size_t capacity)
{
  struct pki_crl_seen now = {.this_update = pki_cert_unix(X509_CRL_get0_lastUpdate(crl))};
  const char *sentence = take_number(crl, &now) ? NULL
                                                : "has a number that is none (negative, or of more than 20 octets, RFC "
                                                  "5280); make it anew";
  if (!take_scope(crl, now.scope)) return -1;
  struct pki_crl_seen *before = find_seen(history, now.scope);
  if (sentence == NULL) sentence = what_is_old(pki, crl, &now, before, history->ours_since);
  if (sentence != NULL) {
    snprintf(why, capacity, "%s", sentence);
    return 1;
  }
  if (before == NULL) return note(history, &now);
  *before = now;
  return 0;
}

void pki_crl_history_ours(struct pki_crl_history *history)
{
  history->ours_since = pki_now();
}

void pki_crl_history_free(struct pki_crl_history *history)
{
  free(history->seen);
  *history = (struct pki_crl_history){0};
}
