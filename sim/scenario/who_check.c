/* Cohorts, and which devices a step names. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scenario/check.h"

#define ROUNDING 1e-9 /* of shares that are written in decimals: 3 x 33.3 % and the like */

static bool is_cohort_name(const char *text)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  size_t size = strlen(text);
  return size > 0 && size < SCENARIO_COHORT_NAME && strspn(text, allowed) == size;
}

const struct scenario_cohort *scenario_find_cohort(const struct scenario *scenario,
                                                   const char *name)
{
  for (size_t c = 0; c < scenario->cohort_count; c++)
    if (strcmp(scenario->cohorts[c].name, name) == 0) return &scenario->cohorts[c];
  return NULL;
}

static int check_cohort(const struct take *t, const char *at, const struct raw_cohort *raw,
                        struct scenario *out)
{
  struct scenario_cohort *cohort = &out->cohorts[out->cohort_count];
  if (!is_cohort_name(raw->name))
    return take_fail(t, at, "name",
                     "'%.40s' is no cohort's name: 1 to %d letters, digits, '-' and '_'", raw->name,
                     SCENARIO_COHORT_NAME - 1);
  if (scenario_find_cohort(out, raw->name) != NULL)
    return take_fail(t, at, "name", "there are two cohorts '%s'; give one another name", raw->name);
  if (take_share(t, at, "share", raw->share, &cohort->share) != 0) return -1;
  snprintf(cohort->name, sizeof cohort->name, "%s", raw->name);
  cohort->begin = out->cohort_count > 0 ? cohort[-1].begin + cohort[-1].share : 0;
  out->cohort_count++;
  if (cohort->begin + cohort->share <= 1 + ROUNDING) return 0;
  return take_fail(
      t, at, "share",
      "with this one the cohorts are more than 100%% of the fleet; no device can be in two");
}

int check_cohorts(const struct take *t, const struct raw_fleet *raw, struct scenario *out)
{
  char at[DOC_PATH_MAX];
  for (unsigned c = 0; c < raw->cohorts_count; c++) {
    snprintf(at, sizeof at, "fleet.cohorts[%u]", c);
    if (check_cohort(t, at, raw->cohorts[c], out) != 0) return -1;
  }
  return 0;
}

static int take_cohort(const struct take *t, const char *at, const char *text,
                       const struct scenario *scenario, struct scenario_who *out)
{
  if (text == NULL) return 0;
  if (scenario_find_cohort(scenario, text) == NULL)
    return take_fail(t, at, "cohort",
                     "there is no cohort '%.40s'; name it in fleet.cohorts, with its share", text);
  snprintf(out->cohort, sizeof out->cohort, "%s", text);
  return 0;
}

/* Digits of an id may be in either case. */
static bool are_one_device(const char *a, const char *b)
{
  static const char digits[] = "0123456789abcdefABCDEF";
  bool ids = strlen(a) == 8 && strspn(a, digits) == 8 && strspn(b, digits) == 8;
  return ids ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static int take_ids(const struct take *t, const char *at, char *const *texts, size_t count,
                    struct scenario_who *out)
{
  char key[32];
  for (size_t i = 0; i < count; i++) {
    size_t size = strlen(texts[i]);
    snprintf(key, sizeof key, "ids[%zu]", i);
    if (size == 0 || size >= SCENARIO_DEVICE_NAME)
      return take_fail(t, at, key,
                       "'%.40s' is no device's name: 1 to %d characters, as in 0000002a", texts[i],
                       SCENARIO_DEVICE_NAME - 1);
    memcpy(out->ids[out->id_count], texts[i], size + 1);
    for (size_t k = 0; k < out->id_count; k++)
      if (are_one_device(out->ids[k], texts[i]))
        return take_fail(t, at, key, "device %s is named twice: once is enough", texts[i]);
    out->id_count++;
  }
  return 0;
}

int check_who(const struct take *t, const char *at, const struct check_who *who,
              const struct scenario *scenario, struct scenario_who *out)
{
  if (who->needed && who->share == NULL && who->cohort == NULL && who->id_count == 0)
    return take_fail(
        t, at, "",
        "this step needs devices: write 'share: 5%%', 'cohort: NAME' or 'ids: [00000001]'");
  if (who->id_count > 0 && (who->share != NULL || who->cohort != NULL))
    return take_fail(t, at, "ids",
                     "'ids' names the devices one by one: leave 'share' and 'cohort' out");
  if (take_share(t, at, "share", who->share, &out->share) != 0 ||
      take_cohort(t, at, who->cohort, scenario, out) != 0)
    return -1;
  return take_ids(t, at, who->ids, who->id_count, out);
}
