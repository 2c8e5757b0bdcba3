/* reload-broker, restart-broker: the broker reads its files again, or starts again. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"
#include "steps/steps.h"

enum step_outcome step_reload(struct stage *stage, const struct scenario_step *step)
{
  return stage_broker_apply(stage, SCENARIO_APPLY_RELOAD, step->node);
}

enum step_outcome step_restart(struct stage *stage, const struct scenario_step *step)
{
  return stage_broker_apply(stage, SCENARIO_APPLY_RESTART, step->node);
}
