/* kill-broker, stop-broker, freeze-broker, thaw-broker, start-broker: what happens to one local broker. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/run_state.h"

#define NODE_WITHIN_MS 20000u

static enum step_outcome do_to(struct run *run, const struct scenario_step *step, broker_operation *operation)
{
  return run_wait_node(run, (size_t) step->node, operation, NODE_WITHIN_MS) == 0 ? STEP_DONE : STEP_ABORTED;
}

enum step_outcome step_kill_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  run->nodes[step->node].down = true;
  run->nodes[step->node].frozen = false;
  return do_to(run, step, broker_kill);
}

enum step_outcome step_stop_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  run->nodes[step->node].down = true;
  run->nodes[step->node].frozen = false;
  return do_to(run, step, broker_stop);
}

enum step_outcome step_freeze_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_THAW_NODE, .node = step->node});
  run->nodes[step->node].frozen = true;
  return do_to(run, step, broker_freeze);
}

/* A rollback may come upon a broker that the phase itself has killed, or brought back, since. */
enum step_outcome step_thaw_node(struct run *run, const struct scenario_step *step)
{
  if (!run->nodes[step->node].frozen) return STEP_DONE;
  run->nodes[step->node].frozen = false;
  return do_to(run, step, broker_thaw);
}

enum step_outcome step_start_node(struct run *run, const struct scenario_step *step)
{
  if (!run->nodes[step->node].down) return STEP_DONE;
  enum step_outcome outcome = do_to(run, step, broker_start);
  if (outcome == STEP_DONE) run->nodes[step->node].down = false;
  return outcome;
}
