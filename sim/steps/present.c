/* present, reload-broker, restart-broker: what is done to the broker's side of the hierarchy. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"
#include "stage/undo.h"
#include "steps/steps.h"

enum step_outcome step_present(struct stage *stage, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.chain = stage->presented[BROKER_MAIN];
  if (inverse.apply == SCENARIO_APPLY_NONE)
    inverse.apply = scenario_default_apply(stage->scenario, SCENARIO_APPLY_RELOAD);
  stage_undo_with(stage, &inverse);
  return stage_present(stage, BROKER_MAIN, &step->chain, step->apply);
}
