/* ota.publish, ota.rollout, ota.pause, ota.resume, ota.abort, corrupt, power-cut, cdn: firmware
 * updates, and what is done to them on the way. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/firmware.h"
#include "stage/targets.h"
#include "stage/undo.h"
#include "stage/wait.h"
#include "steps/steps.h"

static enum step_outcome give_up(struct stage *stage)
{
  stage_abort(stage, &stage->error);
  return STEP_ABORTED;
}

enum step_outcome step_ota_publish(struct stage *stage, const struct scenario_step *step)
{
  return stage_ota_publish(stage, step->image) == 0 ? STEP_DONE : give_up(stage);
}

enum step_outcome step_corrupt(struct stage *stage, const struct scenario_step *step)
{
  return stage_ota_spoil(stage, step->image, step->harm) == 0 ? STEP_DONE : give_up(stage);
}

static bool is_over(struct stage *stage, void *ctx)
{
  (void) stage;
  return rollout_is_over(ctx);
}

/* Whether the devices that are switched on have all ended. Who is in its trial when a rollout is
 * stopped comes out of it by itself. */
static bool has_settled(struct stage *stage, void *ctx)
{
  const struct rollout *rollout = ctx;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++)
    if (rollout_is_open(rollout, (uint32_t) i) && fleet_facts(stage->fleet, i)->wanted)
      return false;
  return true;
}

/* How many of those it is for have the image. One that stopped by itself may have done just what it
 * should: that is for the scenario to say. */
static enum step_outcome judge_rollout(struct stage *stage, const struct rollout *rollout)
{
  struct rollout_summary summary;
  size_t updated = 0, all;
  rollout_summary(rollout, &summary);
  for (size_t w = 0; w < summary.wave_count; w++) updated += summary.wave[w].updated;
  all = summary.offered + summary.untouched;
  if (all > 0 && updated == all) return STEP_DONE;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%zu of %zu devices have confirmed the image; %zu were offered it (%s)", updated, all,
            summary.offered, rollout_state_name(summary.state));
  return STEP_SHORT;
}

enum step_outcome step_ota_rollout(struct stage *stage, const struct scenario_step *step)
{
  struct rollout *rollout;
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_OTA_ABORT});
  if (stage_ota_roll_out(stage, step, &rollout) != 0) return give_up(stage);
  if (step->rollout.background) return STEP_DONE;
  if (stage_wait(stage, is_over, rollout, UINT64_MAX) == STAGE_ABORTED) return STEP_ABORTED;
  bool done = rollout_state(rollout) == ROLLOUT_DONE;
  if (!done && stage_wait(stage, has_settled, rollout, step->within_ms) == STAGE_ABORTED)
    return STEP_ABORTED;
  return judge_rollout(stage, rollout);
}

/* All that are under way. */
static enum step_outcome each(struct stage *stage,
                              void (*act)(struct rollout *rollout, uint64_t now_ms))
{
  for (size_t r = 0; r < stage->ota->rollout_count; r++)
    act(stage->ota->rollouts[r].rollout, stage_elapsed_ms(stage));
  return stage->aborted ? STEP_ABORTED : STEP_DONE;
}

enum step_outcome step_ota_pause(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_pause);
}

enum step_outcome step_ota_resume(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_resume);
}

enum step_outcome step_ota_abort(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_cancel);
}

enum step_outcome step_power_cut(struct stage *stage, const struct scenario_step *step)
{
  const struct scenario_power_cut *from = &step->power_cut;
  const struct fleet_power_cuts cuts = {.at = from->every_operation ? FLEET_CUTS_EACH
                                                                    : FLEET_CUTS_RANDOM,
                                        .every = from->every,
                                        .times = from->times};
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_power_cut(stage->fleet, devices, count, &cuts);
  free(devices);
  return STEP_DONE;
}

static enum step_outcome disturb(struct stage *stage, const struct proxy_fault *fault)
{
  return stage_ota_disturb(stage, fault) == 0 ? STEP_DONE : give_up(stage);
}

enum step_outcome step_cdn(struct stage *stage, const struct scenario_step *step)
{
  static const struct proxy_fault none = {.cut_share = 0};
  const struct scenario_cdn *from = &step->cdn;
  const struct proxy_fault fault = {.cut_share = from->cut,
                                    .cut_after = from->cut_after,
                                    .latency_ms = from->latency_ms,
                                    .bandwidth_per_s = from->bandwidth_per_s,
                                    .refuse = from->refuse,
                                    .stall = from->stall};
  if (!from->mend)
    stage_undo_with(stage, &(struct scenario_step){.kind = STEP_CDN, .cdn = {.mend = true}});
  enum step_outcome outcome = disturb(stage, from->mend ? &none : &fault);
  if (outcome != STEP_DONE || step->within_ms == 0) return outcome;
  return stage_pause(stage, step->within_ms) ? disturb(stage, &none) : STEP_ABORTED;
}
