/* Which devices a step is for, and how a rollout widens over them. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>

#include "run/state.h"

static bool is_target(const struct fleet_facts *facts, enum targets_kind kind)
{
  switch (kind) {
  case TARGETS_AWAKE: return facts->wanted;
  case TARGETS_ONLINE: return facts->online;
  case TARGETS_SHELVED: return facts->shelved;
  case TARGETS_ALL: return true;
  case TARGETS_UNPLANNED: return !facts->wanted && !facts->shelved && !facts->dead;
  }
  return false;
}

uint32_t *targets_list(struct run *run, enum targets_kind kind, size_t *count)
{
  size_t n = fleet_size(run->fleet);
  uint32_t *list = malloc(n * sizeof *list);
  *count = 0;
  if (list == NULL) {
    error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory for a list of %zu devices", n);
    run_abort(run, &run->error);
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    uint32_t device = fleet_order(run->fleet)[i];
    if (is_target(fleet_facts(run->fleet, device), kind)) list[(*count)++] = device;
  }
  return list;
}

/* Where in the shuffled order the devices of a cohort are. */
static void find_slice(const struct run *run, const char *cohort, size_t *begin, size_t *end)
{
  size_t n = fleet_size(run->fleet);
  const struct scenario_cohort *found = scenario_find_cohort(run->scenario, cohort);
  *begin = found != NULL ? targets_share(n, found->begin) : 0;
  *end = found != NULL ? targets_share(n, found->begin + found->share) : n;
}

static bool is_named(const struct scenario_who *who, uint32_t id)
{
  for (size_t i = 0; i < who->id_count; i++)
    if (who->ids[i] == id) return true;
  return who->id_count == 0;
}

size_t targets_count(const struct run *run, const struct scenario_who *who)
{
  size_t begin, end;
  find_slice(run, who->cohort, &begin, &end);
  return who->id_count > 0 ? who->id_count : targets_share(end - begin, who->share);
}

uint32_t *targets_of(struct run *run, enum targets_kind kind, const struct scenario_who *who,
                     size_t *count)
{
  size_t begin, end, kept = 0;
  find_slice(run, who->cohort, &begin, &end);
  uint32_t *list = malloc((end - begin + 1) * sizeof *list);
  *count = 0;
  if (list == NULL) {
    error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory for a list of %zu devices",
              end - begin);
    run_abort(run, &run->error);
    return NULL;
  }
  for (size_t i = begin; i < end; i++) {
    uint32_t device = fleet_order(run->fleet)[i];
    const struct fleet_facts *facts = fleet_facts(run->fleet, device);
    if (is_target(facts, kind) && is_named(who, facts->id)) list[kept++] = device;
  }
  size_t most = targets_count(run, who);
  *count = kept < most ? kept : most;
  return list;
}

size_t targets_share(size_t count, double share)
{
  double exact = (double) count * share;
  size_t n = (size_t) ceil(exact - 1e-9);
  return n > count ? count : n;
}

struct slice {
  const struct waves *waves;
  const uint32_t *devices;
  size_t count;
};

static size_t through(struct run *run, const struct slice *slice)
{
  size_t n = 0;
  for (size_t i = 0; i < slice->count; i++)
    n += slice->waves->done(run, slice->devices[i], slice->waves->ctx);
  return n;
}

static bool slice_done(struct run *run, void *ctx)
{
  const struct slice *slice = ctx;
  return through(run, slice) == slice->count;
}

static enum step_outcome run_slice(struct run *run, struct slice *slice, bool last)
{
  const struct waves *waves = slice->waves;
  if (waves->begin(run, slice->devices, slice->count, waves->ctx) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  unsigned losses = run->office_losses;
  enum run_waited waited = run_wait(run, slice_done, slice, waves->within_ms);
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  if (waited == RUN_REACHED) return STEP_DONE;
  bool lost = run->office_losses > losses || !run->office_online;
  error_set(&run->error, EXIT_CODE_FAIL, "%s %zu of its %zu devices %s within %.3g s%s%s",
            last ? "it ended with" : "the wave stopped: only", through(run, slice), slice->count,
            waves->what, (double) waves->within_ms / 1000.0, lost ? "; of the operator: " : "",
            lost ? run->office_said : "");
  return last ? STEP_SHORT : STEP_FAILED;
}

enum step_outcome waves_run(struct run *run, const struct waves *waves, const uint32_t *devices,
                            size_t count)
{
  static const struct scenario_waves all_at_once = {.count = 1, .share = {1.0}};
  const struct scenario_waves *shares = waves->shares->count > 0 ? waves->shares : &all_at_once;
  size_t begun = 0;
  if (count == 0) {
    error_set(&run->error, EXIT_CODE_FAIL, "no device is switched on: nobody %s", waves->what);
    return STEP_SHORT;
  }
  for (size_t w = 0; w < shares->count; w++) {
    size_t until = targets_share(count, shares->share[w]);
    if (until <= begun) continue;
    struct slice slice = {.waves = waves, .devices = devices + begun, .count = until - begun};
    enum step_outcome outcome = run_slice(run, &slice, w + 1 == shares->count);
    if (outcome != STEP_DONE) return outcome;
    begun = until;
  }
  return STEP_DONE;
}
