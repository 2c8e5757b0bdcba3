/* present: what the broker shows of the hierarchy. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/apply.h"
#include "stage/foresight.h"
#include "steps/internal.h"

static bool undo_present(const struct stage *stage, const struct scenario_step *step,
                         struct scenario_step *inverse)
{
  *inverse = *step;
  inverse->chain = stage->presented[BROKER_MAIN];
  if (inverse->apply == SCENARIO_APPLY_NONE)
    inverse->apply = scenario_default_apply(stage->scenario, SCENARIO_FILES_CHAIN);
  return true;
}

static enum step_outcome run_present(struct stage *stage, const struct scenario_step *step)
{
  return stage_present(stage, BROKER_MAIN, &step->chain, step->apply);
}

static int take_present(const struct step_take *w)
{
  if (step_take_chain(w) != 0 || step_take_apply(w, SCENARIO_FILES_CHAIN) != 0) return -1;
  return step_take_broker_within(w);
}

static int follow_present(const struct step_follow *f)
{
  f->story->present = f->step;
  return step_story_hook(f, HOOK_PRESENT) != 0 ? -1 : step_story_apply(f, f->step->apply);
}

static void print_present(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  fprintf(out, "give the broker ");
  print_chain(&step->chain, out);
  fputs(print_apply(step->apply), out);
}

static uint64_t longest_present(const struct scenario *s, const struct scenario_step *step)
{
  return print_apply_ms(s, step) + (step->apply == SCENARIO_APPLY_NONE ? 0 : step->broker_ms);
}

/* present: {root: B, cross: A, intermediate: yes, cross-expired: no, leaf-expired: no, apply:
 * reload, within: 10s}, or {root: B, chain: FILE, key: FILE, ..} */
const struct step_kind step_present = {
    .name = "present",
    .arguments = {STEP_ARG("root"), STEP_ARG("cross"), STEP_ARG("intermediate"),
                  STEP_ARG("cross-expired"), STEP_ARG("leaf-expired"), STEP_ARG("chain"),
                  STEP_ARG("key"), STEP_ARG("password-file"), STEP_ARG("apply"),
                  STEP_ARG("within")},
    .take = take_present,
    .follow = follow_present,
    .print = print_present,
    .longest_ms = longest_present,
    .foretells = STEP_ENDS_BY_APPLY,
    .issues = true,
    .needs = stage_need_chain,
    .undo = undo_present,
    .run = run_present,
};
