/* Lists in their order: what is published later in a run must not be older, or those who were
 * revoked are let in again and the run, which goes by the last list, finds nothing wrong with
 * that. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/crl.h"
#include "pki/crl_file.h"

#define DIGEST 32

struct pki_crl_seen {
  X509_NAME *issuer;
  bool of_users, of_cas;
  uint8_t point[DIGEST]; /* the distribution point whose certificates it is for; 0: for all */
  uint8_t number[20];
  bool numbered;
  int64_t this_update;
  uint8_t content[DIGEST];
};

/* RFC 5280, 5.2.3: at most 20 octets, never negative. */
static bool take_number(const X509_CRL *crl, struct pki_crl_seen *out)
{
  ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
  int size = number == NULL ? 0 : ASN1_STRING_length(number);
  out->numbered = number != NULL && ASN1_STRING_type(number) == V_ASN1_INTEGER &&
                  size <= (int) sizeof out->number;
  if (out->numbered)
    memcpy(out->number + sizeof out->number - size, ASN1_STRING_get0_data(number), (size_t) size);
  ASN1_INTEGER_free(number);
  return out->numbered || X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) < 0;
}

static bool take_scope(const X509_CRL *crl, struct pki_crl_seen *out)
{
  ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
  uint8_t *name = NULL;
  int size =
      point == NULL || point->distpoint == NULL ? 0 : i2d_DIST_POINT_NAME(point->distpoint, &name);
  bool taken = size >= 0;
  out->of_users = point == NULL || point->onlyCA <= 0;
  out->of_cas = point == NULL || point->onlyuser <= 0;
  if (size > 0) taken = EVP_Digest(name, (size_t) size, out->point, NULL, EVP_sha256(), NULL) == 1;
  OPENSSL_free(name);
  ISSUING_DIST_POINT_free(point);
  ERR_clear_error(); /* one that cannot be read is refused elsewhere */
  return taken && X509_CRL_digest(crl, EVP_sha256(), out->content, NULL) == 1;
}

/* Numbers count within one series (RFC 5280, 5.2.3). Whether a list for users is for CAs too makes
   it no other. */
static bool is_one_series(const struct pki_crl_seen *a, const struct pki_crl_seen *b)
{
  return a->of_users == b->of_users && memcmp(a->point, b->point, DIGEST) == 0 &&
         X509_NAME_cmp(a->issuer, b->issuer) == 0;
}

/* Some certificate may be judged by either. */
static bool overlap(const struct pki_crl_seen *a, const struct pki_crl_seen *b)
{
  static const uint8_t none[DIGEST];
  bool points = memcmp(a->point, none, DIGEST) == 0 || memcmp(b->point, none, DIGEST) == 0 ||
                memcmp(a->point, b->point, DIGEST) == 0;
  bool kinds = (a->of_users && b->of_users) || (a->of_cas && b->of_cas);
  return points && kinds && X509_NAME_cmp(a->issuer, b->issuer) == 0;
}

static struct pki_crl_seen *find_series(const struct pki_crl_history *history,
                                        const struct pki_crl_seen *now)
{
  for (size_t i = 0; i < history->count; i++)
    if (is_one_series(&history->seen[i], now)) return &history->seen[i];
  return NULL;
}

static int remember_list(struct pki_crl_history *history, const struct pki_crl_seen *seen)
{
  struct pki_crl_seen *moved = realloc(history->seen, (history->count + 1) * sizeof *moved);
  if (moved == NULL) return -1;
  history->seen = moved;
  X509_NAME *issuer = X509_NAME_dup(seen->issuer);
  if (issuer == NULL) return -1;
  history->seen[history->count] = *seen;
  history->seen[history->count++].issuer = issuer;
  return 0;
}

/* An authority whose key is here: a run that revokes makes its lists itself. */
static bool is_ours(const struct pki *pki, const X509_NAME *issuer)
{
  for (size_t r = 0; r < pki->roots.count; r++) {
    const struct pki_hierarchy *root = &pki->hierarchy[r];
    const struct pki_authority *const all[] = {&root->root, &root->devices};
    for (size_t i = 0; i < 2; i++)
      if (all[i]->key != NULL &&
          X509_NAME_cmp(X509_get_subject_name(all[i]->certificate), issuer) == 0)
        return true;
  }
  return false;
}

#define OLDER                                                                                  \
  "is older than the one published before (by its number or its this-update): those who were " \
  "revoked meanwhile would "                                                                   \
  "be let in again; publish the newest list last"

static const char *older_in_series(const struct pki_crl_seen *now,
                                   const struct pki_crl_seen *before)
{
  if (memcmp(now->content, before->content, DIGEST) == 0) return NULL;
  int order = memcmp(now->number, before->number, sizeof now->number);
  if (before->numbered && !now->numbered)
    return "has no number, and the one published before has: it cannot be told to be newer; "
           "publish the newest last";
  if ((before->numbered && order < 0) || now->this_update < before->this_update) return OLDER;
  if (before->numbered && order == 0)
    return "has the number of the one published before, and differs: which of them is newer cannot "
           "be told; have it made anew with a higher number";
  if (!before->numbered && now->this_update == before->this_update)
    return "has the this-update of the one published before, and differs: which of them is newer "
           "cannot be told; have it made anew";
  return NULL;
}

/* The first of its series is told by its date from those of another kind: a part from the whole,
 * and the whole from a part. */
static const char *older_than_others(const struct pki_crl_history *history,
                                     const struct pki_crl_seen *now)
{
  for (size_t i = 0; i < history->count; i++)
    if (overlap(&history->seen[i], now) && now->this_update < history->seen[i].this_update)
      return OLDER;
  return NULL;
}

static const char *what_is_old(const struct pki *pki, const struct pki_crl_history *history,
                               const struct pki_crl_seen *now)
{
  const struct pki_crl_seen *before = find_series(history, now);
  if (history->ours_since != 0 && now->this_update < history->ours_since &&
      is_ours(pki, now->issuer))
    return "is older than the one that this run makes itself in a step before: those who were "
           "revoked meanwhile would be let in again; publish it before, or make it with "
           "'publish-crl: {}'";
  return before != NULL ? older_in_series(now, before) : older_than_others(history, now);
}

static bool take_order(const X509_CRL *crl, struct pki_crl_seen *out, bool *has_number)
{
  *out = (struct pki_crl_seen){.issuer = (X509_NAME *) (uintptr_t) X509_CRL_get_issuer(crl),
                               .this_update = pki_cert_unix(X509_CRL_get0_lastUpdate(crl))};
  *has_number = take_number(crl, out);
  return take_scope(crl, out);
}

int pki_crl_judge_order(const struct pki *pki, const X509_CRL *crl,
                        const struct pki_crl_history *history, char *why, size_t capacity)
{
  struct pki_crl_seen now;
  bool has_number;
  if (!take_order(crl, &now, &has_number)) return -1;
  const char *sentence = has_number ? what_is_old(pki, history, &now)
                                    : "has a number that is none (negative, or of more than 20 "
                                      "octets, RFC 5280); make it anew";
  if (sentence == NULL) return 0;
  snprintf(why, capacity, "%s", sentence);
  return 1;
}

int pki_crl_note_order(const X509_CRL *crl, struct pki_crl_history *history)
{
  struct pki_crl_seen now;
  bool has_number;
  if (!take_order(crl, &now, &has_number)) return -1;
  struct pki_crl_seen *before = find_series(history, &now);
  if (!has_number || (before != NULL && older_in_series(&now, before) != NULL)) return 0;
  if (before == NULL) return remember_list(history, &now);
  now.issuer = before->issuer;
  *before = now;
  return 0;
}

void pki_crl_history_ours(struct pki_crl_history *history)
{
  history->ours_since = pki_now();
}

void pki_crl_history_free(struct pki_crl_history *history)
{
  for (size_t i = 0; i < history->count; i++) X509_NAME_free(history->seen[i].issuer);
  free(history->seen);
  *history = (struct pki_crl_history){0};
}
