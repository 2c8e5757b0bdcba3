/* Reconnect policies: from the words of a scenario to those of the fleet. */
#define _POSIX_C_SOURCE 200809L
#include "stage/policies.h"

#include <stdio.h>
#include <stdlib.h>

#include "stage/targets.h"

struct backoff_policy stage_policy(const struct scenario_reconnect *reconnect)
{
  static const enum backoff_kind kinds[] = {
      [SCENARIO_IMMEDIATE] = BACKOFF_IMMEDIATE,
      [SCENARIO_FIXED] = BACKOFF_FIXED,
      [SCENARIO_EXPONENTIAL] = BACKOFF_EXPONENTIAL,
      [SCENARIO_EXPONENTIAL_20] = BACKOFF_EXPONENTIAL_20,
      [SCENARIO_FULL_JITTER] = BACKOFF_FULL_JITTER,
      [SCENARIO_DECORRELATED] = BACKOFF_DECORRELATED,
  };
  return (struct backoff_policy){
      .kind = kinds[reconnect->policy], .base_ms = reconnect->base_ms, .cap_ms = reconnect->cap_ms};
}

int stage_set_policy(struct stage *stage, const struct scenario_who *who,
                     const struct scenario_reconnect *reconnect)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, who, &count);
  if (devices == NULL) return -1;
  struct backoff_policy policy = stage_policy(reconnect);
  int failed = fleet_set_reconnect(stage->fleet, devices, count, &policy);
  free(devices);
  if (failed == 0) return 0;
  error_set(&stage->error, EXIT_CODE_USAGE,
            "more than %d different reconnect policies are in force at once; use fewer",
            FLEET_POLICIES_MAX);
  return stage_abort(stage, &stage->error);
}

int stage_set_cohort_policies(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t c = 0; c < scenario->cohort_count; c++) {
    struct scenario_who who = {.share = 1};
    snprintf(who.cohort, sizeof who.cohort, "%s", scenario->cohorts[c].name);
    if (scenario->has_cohort_reconnect[c] &&
        stage_set_policy(stage, &who, &scenario->cohort_reconnect[c]) != 0)
      return -1;
  }
  return 0;
}
