/* revoke, unrevoke, publish-crl: what they say of certificates and lists. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

#define NEXT_UPDATE_S   (7 * 86400)
#define OFFSET_MAX_MS   (3650u * (uint64_t) 86400000u)
#define SHORTEST_LIFE_S 3600 /* of a CRL that is to have expired already */

/* A time from now: "now", "7d", or "-1h" for one that is past. */
static int take_offset(const struct take *t, const char *at, const char *key, const char *text,
                       int64_t *out)
{
  char why[200];
  uint64_t ms = 0;
  if (text == NULL) return 0;
  bool past = text[0] == '-', now = strcmp(text, "now") == 0;
  if (!now && units_duration_ms(text + past, &ms, why, sizeof why) != 0)
    return take_fail(t, at, key, "%s, 'now', or '-1h' for a time that is past", why);
  if (ms > OFFSET_MAX_MS)
    return take_fail(t, at, key, "'%.40s' is out of range: at most 3650d from now", text);
  *out = (past ? -1 : 1) * (int64_t) (ms / 1000);
  return 0;
}

static int take_times(const struct take *t, const char *at, const struct raw_args *raw,
                      struct scenario_crl *out)
{
  if (take_offset(t, at, "this-update", raw->this_update, &out->this_update_s) != 0 ||
      take_offset(t, at, "next-update", raw->next_update, &out->next_update_s) != 0)
    return -1;
  if (raw->this_update == NULL && out->next_update_s <= 0)
    out->this_update_s = out->next_update_s - SHORTEST_LIFE_S;
  if (out->next_update_s > out->this_update_s) return 0;
  return take_fail(t, at, "next-update",
                   "the next update is not after this one: a CRL ends after it begins");
}

int check_crl(const struct take *t, const char *at, const struct raw_args *raw,
              struct scenario_crl *out)
{
  uint64_t entries = 0;
  out->next_update_s = NEXT_UPDATE_S;
  bool made = raw->this_update != NULL || raw->next_update != NULL || raw->entries != NULL;
  if (raw->file != NULL && made)
    return take_fail(
        t, at, "file",
        "a file is published as it is: leave this-update, next-update and entries out");
  if (raw->file == NULL && raw->unchecked != NULL)
    return take_fail(t, at, "unchecked",
                     "only a file can be unchecked: add 'file: PATH', or remove this");
  if (take_text(t, at, "file", raw->file, out->file, sizeof out->file) != 0 ||
      take_flag(t, at, "unchecked", raw->unchecked, &out->unchecked) != 0 ||
      take_number(t, at, "entries", raw->entries, 0, PKI_CRL_FILLER_MAX, &entries) != 0)
    return -1;
  out->entries = (uint32_t) entries;
  return take_times(t, at, raw, out);
}

int check_reason(const struct take *t, const char *at, const struct raw_args *raw,
                 enum pki_reason *out)
{
  struct error why;
  if (raw->reason == NULL || pki_reason_parse(raw->reason, out, &why) == 0) return 0;
  return take_fail(t, at, "reason", "%.400s", why.text);
}
