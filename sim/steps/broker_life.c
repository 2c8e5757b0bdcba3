/* kill-broker, stop-broker, freeze-broker, thaw-broker, start-broker: what happens to one local
 * broker. resolve: where the devices find them. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"
#include "stage/books.h"
#include "stage/undo.h"
#include "stage/wait.h"
#include "steps/steps.h"

#define NODE_WITHIN_MS   20000u
#define OFFICE_WITHIN_MS 30000u
#define LAST_WORDS_MS    50u

static enum step_outcome do_to(struct stage *stage, const struct scenario_step *step,
                               broker_operation *operation)
{
  return stage_wait_node(stage, (size_t) step->node, operation, NODE_WITHIN_MS) == 0 ? STEP_DONE
                                                                                     : STEP_ABORTED;
}

enum step_outcome step_kill_node(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  stage->nodes[step->node].down = true;
  stage->nodes[step->node].frozen = false;
  if (do_to(stage, step, broker_kill) != STEP_DONE) return STEP_ABORTED;
  /* its last acknowledgements still lie in the devices' sockets */
  if (!stage_pause(stage, LAST_WORDS_MS)) return STEP_ABORTED;
  stage_book_risk(stage, true);
  return STEP_DONE;
}

enum step_outcome step_stop_node(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_START_NODE, .node = step->node});
  stage->nodes[step->node].down = true;
  stage->nodes[step->node].frozen = false;
  if (do_to(stage, step, broker_stop) != STEP_DONE) return STEP_ABORTED;
  stage_book_risk(stage, false); /* until it is back */
  return STEP_DONE;
}

enum step_outcome step_freeze_node(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_THAW_NODE, .node = step->node});
  stage->nodes[step->node].frozen = true;
  if (do_to(stage, step, broker_freeze) != STEP_DONE) return STEP_ABORTED;
  stage_book_risk(stage, false); /* until it is back */
  return STEP_DONE;
}

static bool office_is_back(struct stage *stage, void *ctx)
{
  (void) ctx;
  return office_is_home(stage->office);
}

/* The back office belongs to the last broker. What that one has kept for it, and what the others
 * send there when their bridges are up again, it gets nowhere else. */
static enum step_outcome await_office(struct stage *stage, int node)
{
  if (node + 1 != (int) stage->scenario->node_count || node == 0) return STEP_DONE;
  office_return(stage->office);
  enum stage_waited waited = stage_wait(stage, office_is_back, NULL, OFFICE_WITHIN_MS);
  if (waited != STAGE_TIMED_OUT) return waited == STAGE_REACHED ? STEP_DONE : STEP_ABORTED;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the operator did not come back to broker %s within %u s: %s",
            stage->scenario->nodes[node].name, OFFICE_WITHIN_MS / 1000, stage->office_said);
  return STEP_FAILED;
}

/* A rollback may come upon a broker that the phase itself has killed, or brought back, since. */
enum step_outcome step_thaw_node(struct stage *stage, const struct scenario_step *step)
{
  if (!stage->nodes[step->node].frozen) return STEP_DONE;
  stage->nodes[step->node].frozen = false;
  enum step_outcome outcome = do_to(stage, step, broker_thaw);
  return outcome == STEP_DONE ? await_office(stage, step->node) : outcome;
}

enum step_outcome step_start_node(struct stage *stage, const struct scenario_step *step)
{
  if (!stage->nodes[step->node].down) return STEP_DONE;
  enum step_outcome outcome = do_to(stage, step, broker_start);
  if (outcome != STEP_DONE) return outcome;
  stage->nodes[step->node].down = false;
  outcome =
      stage_confirm_served(stage, step->node); /* a chain that was presented while it was down */
  return outcome == STEP_DONE ? await_office(stage, step->node) : outcome;
}
