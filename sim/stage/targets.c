/* Which devices a step is for, and how a rollout widens over them. */
#define _POSIX_C_SOURCE 200809L
#include "stage/targets.h"

#include <math.h>
#include <stdlib.h>

#include "base/names.h"

static bool is_target(const struct fleet_facts *facts, enum targets_kind kind)
{
  switch (kind) {
  case TARGETS_AWAKE: return facts->wanted;
  case TARGETS_ONLINE: return facts->online;
  case TARGETS_SHELVED: return facts->shelved;
  case TARGETS_JUST_SHELVED: return facts->shelved && facts->phase_shelved;
  case TARGETS_ALL: return true;
  case TARGETS_UNPLANNED: return !facts->wanted && !facts->shelved && !facts->dead;
  }
  return false;
}

uint32_t *targets_list(struct stage *stage, enum targets_kind kind, size_t *count)
{
  size_t n = fleet_size(stage->fleet);
  uint32_t *list = malloc(n * sizeof *list);
  *count = 0;
  if (list == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for a list of %zu devices", n);
    stage_abort(stage, &stage->error);
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    uint32_t device = fleet_order(stage->fleet)[i];
    if (is_target(fleet_facts(stage->fleet, device), kind)) list[(*count)++] = device;
  }
  return list;
}

/* Where in the shuffled order the devices of a cohort are. */
static void find_slice(const struct stage *stage, const char *cohort, size_t *begin, size_t *end)
{
  size_t n = fleet_size(stage->fleet);
  const struct scenario_cohort *found = scenario_find_cohort(stage->scenario, cohort);
  *begin = found != NULL ? targets_share(n, found->begin) : 0;
  *end = found != NULL ? targets_share(n, found->begin + found->share) : n;
}

static bool is_named(const struct stage *stage, const struct scenario_who *who, uint32_t device)
{
  size_t index;
  for (size_t i = 0; i < who->id_count; i++)
    if (names_find_name(stage->names, who->ids[i], &index) && index == device) return true;
  return who->id_count == 0;
}

size_t targets_count(const struct stage *stage, const struct scenario_who *who)
{
  size_t begin, end;
  find_slice(stage, who->cohort, &begin, &end);
  return who->id_count > 0 ? who->id_count : targets_share(end - begin, who->share);
}

uint32_t *targets_of(struct stage *stage, enum targets_kind kind, const struct scenario_who *who,
                     size_t *count)
{
  size_t begin, end, kept = 0;
  find_slice(stage, who->cohort, &begin, &end);
  uint32_t *list = malloc((end - begin + 1) * sizeof *list);
  *count = 0;
  if (list == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for a list of %zu devices",
              end - begin);
    stage_abort(stage, &stage->error);
    return NULL;
  }
  for (size_t i = begin; i < end; i++) {
    uint32_t device = fleet_order(stage->fleet)[i];
    const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
    if (is_target(facts, kind) && is_named(stage, who, device)) list[kept++] = device;
  }
  size_t most = targets_count(stage, who);
  *count = kept < most ? kept : most;
  return list;
}

size_t targets_share(size_t count, double share)
{
  double exact = (double) count * share;
  size_t n = (size_t) ceil(exact - 1e-9);
  return n > count ? count : n;
}
