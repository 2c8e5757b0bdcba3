/* present, reload-broker, restart-broker: what is done to the broker's side of the hierarchy. */
#define _POSIX_C_SOURCE 200809L
#include "run/state.h"

enum step_outcome step_present(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.chain = run->presented[BROKER_MAIN];
  if (inverse.apply == SCENARIO_APPLY_NONE)
    inverse.apply = scenario_default_apply(run->scenario, SCENARIO_APPLY_RELOAD);
  run_undo_with(run, &inverse);
  return run_present(run, BROKER_MAIN, &step->chain, step->apply);
}

enum step_outcome step_reload(struct run *run, const struct scenario_step *step)
{
  return run_broker_apply(run, SCENARIO_APPLY_RELOAD, step->node);
}

enum step_outcome step_restart(struct run *run, const struct scenario_step *step)
{
  return run_broker_apply(run, SCENARIO_APPLY_RESTART, step->node);
}
