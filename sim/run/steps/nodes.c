/* kill-broker, stop-broker, freeze-broker, thaw-broker, start-broker: what happens to one local
 * broker. resolve: where the devices find them. */
#define _POSIX_C_SOURCE 200809L
#include "run/state.h"

#define NODE_WITHIN_MS   20000u
#define OFFICE_WITHIN_MS 30000u
#define LAST_WORDS_MS    50u

static enum step_outcome do_to(struct run *run, const struct scenario_step *step,
                               broker_operation *operation)
{
  return run_wait_node(run, (size_t) step->node, operation, NODE_WITHIN_MS) == 0 ? STEP_DONE
                                                                                 : STEP_ABORTED;
}

enum step_outcome step_kill_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  run->nodes[step->node].down = true;
  run->nodes[step->node].frozen = false;
  if (do_to(run, step, broker_kill) != STEP_DONE) return STEP_ABORTED;
  /* its last acknowledgements still lie in the devices' sockets */
  if (!run_pause(run, LAST_WORDS_MS)) return STEP_ABORTED;
  run_book_risk(run, true);
  return STEP_DONE;
}

enum step_outcome step_stop_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  run->nodes[step->node].down = true;
  run->nodes[step->node].frozen = false;
  if (do_to(run, step, broker_stop) != STEP_DONE) return STEP_ABORTED;
  run_book_risk(run, false); /* until it is back */
  return STEP_DONE;
}

enum step_outcome step_freeze_node(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_THAW_NODE, .node = step->node});
  run->nodes[step->node].frozen = true;
  if (do_to(run, step, broker_freeze) != STEP_DONE) return STEP_ABORTED;
  run_book_risk(run, false); /* until it is back */
  return STEP_DONE;
}

static bool office_is_back(struct run *run, void *ctx)
{
  (void) ctx;
  return office_is_home(run->office);
}

/* The back office belongs to the last broker. What that one has kept for it, and what the others
 * send there when their bridges are up again, it gets nowhere else. */
static enum step_outcome await_office(struct run *run, int node)
{
  if (node + 1 != (int) run->scenario->node_count || node == 0) return STEP_DONE;
  office_return(run->office);
  enum run_waited waited = run_wait(run, office_is_back, NULL, OFFICE_WITHIN_MS);
  if (waited != RUN_TIMED_OUT) return waited == RUN_REACHED ? STEP_DONE : STEP_ABORTED;
  error_set(&run->error, EXIT_CODE_FAIL,
            "the operator did not come back to broker %s within %u s: %s",
            run->scenario->nodes[node].name, OFFICE_WITHIN_MS / 1000, run->office_said);
  return STEP_FAILED;
}

/* A rollback may come upon a broker that the phase itself has killed, or brought back, since. */
enum step_outcome step_thaw_node(struct run *run, const struct scenario_step *step)
{
  if (!run->nodes[step->node].frozen) return STEP_DONE;
  run->nodes[step->node].frozen = false;
  enum step_outcome outcome = do_to(run, step, broker_thaw);
  return outcome == STEP_DONE ? await_office(run, step->node) : outcome;
}

enum step_outcome step_start_node(struct run *run, const struct scenario_step *step)
{
  if (!run->nodes[step->node].down) return STEP_DONE;
  enum step_outcome outcome = do_to(run, step, broker_start);
  if (outcome != STEP_DONE) return outcome;
  run->nodes[step->node].down = false;
  outcome = run_confirm_served(run, step->node); /* a chain that was presented while it was down */
  return outcome == STEP_DONE ? await_office(run, step->node) : outcome;
}

enum step_outcome step_resolve(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  struct fleet_place place = {.host = NULL};
  inverse.lead = run->lead[step->name];
  run_undo_with(run, &inverse);
  if (run_lead(run, &step->lead, &place) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  run->lead[step->name] = step->lead;
  fleet_lead(run->fleet, step->name, &place);
  return STEP_DONE;
}
