/* Sorted by their ends: what ends first is read first, and stays where there is no room for all. */
#define _POSIX_C_SOURCE 200809L
#include "stage/expiries.h"

#include <string.h>

#include "pki/expiry.h"

static bool is_known(const struct results *results, const struct results_expiry *expiry)
{
  for (size_t e = 0; e < results->expiry_count; e++) {
    const struct results_expiry *known = &results->expiries[e];
    if (known->unix_s == expiry->unix_s && strcmp(known->kind, expiry->kind) == 0 &&
        strcmp(known->name, expiry->name) == 0)
      return true;
  }
  return false;
}

static void note(void *ctx, const struct pki_expiry *seen)
{
  static const char *const kinds[] = {[PKI_EXPIRING_ROOT] = "root",
                                      [PKI_EXPIRING_ISSUER] = "issuer",
                                      [PKI_EXPIRING_LEAF] = "broker",
                                      [PKI_EXPIRING_LIST] = "list"};
  struct results *results = ctx;
  struct results_expiry expiry = {.kind = kinds[seen->kind], .unix_s = seen->unix_s};
  memcpy(expiry.name, seen->title, sizeof expiry.name);
  if (is_known(results, &expiry)) return;
  size_t at = results->expiry_count;
  if (at == RESULTS_EXPIRIES_MAX)
    at--;
  else
    results->expiry_count++;
  for (; at > 0 && results->expiries[at - 1].unix_s > expiry.unix_s; at--)
    results->expiries[at] = results->expiries[at - 1];
  results->expiries[at] = expiry;
}

void stage_note_expiries(struct stage *stage, const char *path)
{
  pki_each_expiry(path, note, &stage->results);
}

void stage_note_own_expiries(struct stage *stage)
{
  pki_each_own_expiry(stage->pki, note, &stage->results);
}
