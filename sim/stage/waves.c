/* How a step widens over its devices: wave after wave, each waited for before the next begins. */
#define _POSIX_C_SOURCE 200809L
#include "stage/waves.h"

#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"

struct slice {
  const struct waves *waves;
  const uint32_t *devices;
  size_t count;
};

static size_t through(struct stage *stage, const struct slice *slice)
{
  size_t n = 0;
  for (size_t i = 0; i < slice->count; i++)
    n += slice->waves->done(stage, slice->devices[i], slice->waves->ctx);
  return n;
}

static bool slice_done(struct stage *stage, void *ctx)
{
  const struct slice *slice = ctx;
  return through(stage, slice) == slice->count;
}

/* `all`: with those of the waves before. */
static enum step_outcome run_slice(struct stage *stage, struct slice *slice,
                                   const struct slice *all, bool last)
{
  const struct waves *waves = slice->waves;
  if (waves->begin(stage, slice->devices, slice->count, waves->ctx) != 0)
    return !stage->aborted && stage->error.code == EXIT_CODE_FAIL ? STEP_FAILED
                                                                  : stage_give_up(stage);
  unsigned losses = stage->office_losses;
  enum stage_waited waited = stage_wait(stage, slice_done, slice, waves->within_ms);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited == STAGE_REACHED) return STEP_DONE;
  bool lost = stage->office != NULL && (stage->office_losses > losses || !stage->office_online);
  error_set(&stage->error, EXIT_CODE_FAIL, "%s %zu of its %zu devices %s within %.3g s%s%s",
            last ? "only" : "the wave stopped: only", through(stage, slice), slice->count,
            waves->what, (double) waves->within_ms / 1000.0, lost ? "; of the operator: " : "",
            lost ? stage->office_said : "");
  if (!last) {
    shortfall_name(stage, slice->devices, slice->count, waves->done, waves->ctx);
    return STEP_FAILED;
  }
  return shortfall_of(stage, all->devices, all->count, waves->done, waves->ctx);
}

enum step_outcome waves_run(struct stage *stage, const struct waves *waves, const uint32_t *devices,
                            size_t count)
{
  static const struct scenario_waves all_at_once = {.count = 1, .share = {1.0}};
  const struct scenario_waves *shares = waves->shares->count > 0 ? waves->shares : &all_at_once;
  size_t begun = 0;
  if (count == 0) {
    error_set(&stage->error, EXIT_CODE_FAIL, "no device is switched on: nobody %s", waves->what);
    return shortfall_of(stage, NULL, 0, waves->done, waves->ctx);
  }
  for (size_t w = 0; w < shares->count; w++) {
    size_t until = targets_share(count, shares->share[w]);
    if (until <= begun) continue;
    struct slice slice = {.waves = waves, .devices = devices + begun, .count = until - begun};
    const struct slice all = {.waves = waves, .devices = devices, .count = until};
    enum step_outcome outcome = run_slice(stage, &slice, &all, w + 1 == shares->count);
    if (outcome != STEP_DONE) return outcome;
    begun = until;
  }
  return STEP_DONE;
}
