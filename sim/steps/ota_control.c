/* ota.pause, ota.resume, ota.abort: what is done to the rollout in the background. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "office/rollout.h"
#include "stage/firmware.h"
#include "stage/wait.h"
#include "steps/internal.h"

/* All that are under way. */
static enum step_outcome each(struct stage *stage,
                              void (*act)(struct rollout *rollout, uint64_t now_ms))
{
  for (size_t r = 0; r < stage->ota->rollout_count; r++)
    act(stage->ota->rollouts[r].rollout, stage_elapsed_ms(stage));
  return stage->aborted ? STEP_ABORTED : STEP_DONE;
}

static enum step_outcome run_ota_pause(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_pause);
}

static enum step_outcome run_ota_resume(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_resume);
}

static enum step_outcome run_ota_abort(struct stage *stage, const struct scenario_step *step)
{
  (void) step;
  return each(stage, rollout_cancel);
}

static int follow_background(const struct step_follow *f)
{
  if (f->story->background) return 0;
  return step_story_fail(
      f, "", "no rollout goes on here: add 'background: yes' to the 'ota.rollout' above this '%s'",
      f->step->kind->name);
}

static void print_ota_pause(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s, (void) step;
  fputs("pause the rollout", out);
}

static void print_ota_resume(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s, (void) step;
  fputs("let the rollout go on", out);
}

static void print_ota_abort(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s, (void) step;
  fputs("abort the rollout, and call off what has not restarted", out);
}

/* ota.pause: {}: the rollout in the background offers it to nobody else */
const struct step_kind step_ota_pause = {
    .name = "ota.pause",
    .take = step_take_ota,
    .follow = follow_background,
    .print = print_ota_pause,
    .operated = true,
    .run = run_ota_pause,
};

/* ota.resume: {} */
const struct step_kind step_ota_resume = {
    .name = "ota.resume",
    .take = step_take_ota,
    .follow = follow_background,
    .print = print_ota_resume,
    .operated = true,
    .run = run_ota_resume,
};

/* ota.abort: {}: and calls off every update that has not restarted */
const struct step_kind step_ota_abort = {
    .name = "ota.abort",
    .take = step_take_ota,
    .follow = follow_background,
    .print = print_ota_abort,
    .operated = true,
    .run = run_ota_abort,
};
