/* Reconnect policies: equal ones are one, and one that nobody follows any more makes room. */
#include "fleet/policies.h"

#include "fleet/population.h"

static bool is_same(const struct backoff_policy *a, const struct backoff_policy *b)
{
  return a->kind == b->kind && a->base_ms == b->base_ms && a->cap_ms == b->cap_ms;
}

/* A place in the table that no device refers to; FLEET_POLICIES_MAX: there is none. */
static size_t find_unused(const struct fleet *fleet)
{
  bool used[FLEET_POLICIES_MAX] = {false};
  size_t p = 0;
  for (size_t i = 0; i < fleet->config.device_count; i++) used[fleet->members[i].policy] = true;
  while (p < FLEET_POLICIES_MAX && used[p]) p++;
  return p;
}

size_t policies_number(struct fleet *fleet, const struct backoff_policy *policy)
{
  for (size_t p = 0; p < fleet->policy_count; p++)
    if (is_same(&fleet->policies[p], policy)) return p;
  size_t place =
      fleet->policy_count < FLEET_POLICIES_MAX ? fleet->policy_count++ : find_unused(fleet);
  if (place < FLEET_POLICIES_MAX) fleet->policies[place] = *policy;
  return place;
}
