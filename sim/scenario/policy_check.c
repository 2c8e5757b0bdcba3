/* Reconnect policies: of the fleet, of cohorts and of steps. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"

#define BASE_MAX_MS 3600000u
#define CAP_MAX_MS  86400000u

static const char *const words[] = {[SCENARIO_IMMEDIATE] = "immediate",
                                    [SCENARIO_FIXED] = "fixed",
                                    [SCENARIO_EXPONENTIAL] = "exponential",
                                    [SCENARIO_EXPONENTIAL_20] = "exponential-20",
                                    [SCENARIO_FULL_JITTER] = "full-jitter",
                                    [SCENARIO_DECORRELATED] = "decorrelated",
                                    NULL};

const char *scenario_policy_name(enum scenario_policy policy)
{
  return words[policy];
}

int check_policy(const struct take *t, const char *at, const char *policy, const char *base,
                 const char *cap, struct scenario_reconnect *out)
{
  int word = (int) out->policy;
  if (take_word(t, at, "policy", policy, words, &word) != 0 ||
      take_duration(t, at, "base", base, 1, BASE_MAX_MS, &out->base_ms) != 0 ||
      take_duration(t, at, "cap", cap, 1, CAP_MAX_MS, &out->cap_ms) != 0)
    return -1;
  out->policy = (enum scenario_policy) word;
  if (cap == NULL && out->cap_ms < out->base_ms) out->cap_ms = out->base_ms;
  if (out->cap_ms >= out->base_ms) return 0;
  return take_fail(t, at, "cap", "'cap' is below 'base': write the longest wait, such as 30s");
}

static int check_cohort_policy(const struct take *t, const char *at, const struct raw_policy *raw,
                               struct scenario *out)
{
  const struct scenario_cohort *cohort = scenario_find_cohort(out, raw->cohort);
  if (cohort == NULL)
    return take_fail(t, at, "cohort",
                     "there is no cohort '%.40s'; name it in fleet.cohorts, with its share",
                     raw->cohort);
  size_t c = (size_t) (cohort - out->cohorts);
  if (out->has_cohort_reconnect[c])
    return take_fail(t, at, "cohort", "cohort '%.40s' has its policy above already; remove one",
                     raw->cohort);
  out->has_cohort_reconnect[c] = true;
  out->cohort_reconnect[c] = out->reconnect;
  return check_policy(t, at, raw->policy, raw->base, raw->cap, &out->cohort_reconnect[c]);
}

int check_reconnect(const struct take *t, const struct raw_reconnect *raw, struct scenario *out)
{
  static const char *const orders[] = {"ordered", "shuffled", NULL};
  char at[DOC_PATH_MAX];
  int order = 0;
  if (take_word(t, "reconnect", "endpoints", raw->endpoints, orders, &order) != 0) return -1;
  out->shuffled_endpoints = order == 1;
  if (check_policy(t, "reconnect", raw->policy, raw->base, raw->cap, &out->reconnect) != 0)
    return -1;
  for (unsigned c = 0; c < raw->cohorts_count; c++) {
    snprintf(at, sizeof at, "reconnect.cohorts[%u]", c);
    if (check_cohort_policy(t, at, raw->cohorts[c], out) != 0) return -1;
  }
  return 0;
}
