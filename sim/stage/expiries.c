/* Sorted by their ends: what ends first is read first, and stays where there is no room for all. */
#define _POSIX_C_SOURCE 200809L
#include "stage/expiries.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pki/expiry.h"

#define SHORT_S (30 * 86400)

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

const char *stage_date(int64_t unix_s, char out[STAGE_DATE])
{
  struct tm utc;
  time_t when = (time_t) unix_s;
  if (gmtime_r(&when, &utc) == NULL || strftime(out, STAGE_DATE, "%Y-%m-%d", &utc) == 0)
    out[0] = '\0';
  return out;
}

static void take_leaf(void *ctx, const struct pki_expiry *seen)
{
  int64_t *end_s = ctx;
  if (seen->kind == PKI_EXPIRING_LEAF) *end_s = seen->unix_s;
}

void stage_tell_short_chain(struct stage *stage, const char *path)
{
  int64_t end_s = 0, now_s = world_unix_s(stage->world);
  char text[160], date[STAGE_DATE];
  pki_each_expiry(path, take_leaf, &end_s);
  if (end_s <= now_s || end_s - now_s > SHORT_S) return;
  snprintf(
      text, sizeof text,
      "the certificate that the broker is given ends on %s, within 30 days: is it the one that it "
      "is to have?",
      stage_date(end_s, date));
  stage_say(stage, text);
}
