/* kill-broker, stop-broker, freeze-broker, thaw-broker, start-broker: what happens to one local
 * broker. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"
#include "stage/books.h"
#include "stage/callers.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define NODE_WITHIN_MS   20000u
#define OFFICE_WITHIN_MS 30000u
#define LAST_WORDS_MS    50u
#define LOOKS_WITHIN_MS  10000u

static enum step_outcome do_to(struct stage *stage, const struct scenario_step *step,
                               broker_operation *operation)
{
  return stage_wait_node(stage, (size_t) step->node, operation, NODE_WITHIN_MS) == 0 ? STEP_DONE
                                                                                     : STEP_ABORTED;
}

static enum step_outcome run_kill_broker(struct stage *stage, const struct scenario_step *step)
{
  stage->nodes[step->node].down = true;
  stage->nodes[step->node].frozen = false;
  if (do_to(stage, step, broker_kill) != STEP_DONE) return STEP_ABORTED;
  /* its last acknowledgements still lie in the devices' sockets */
  if (!stage_pause(stage, LAST_WORDS_MS)) return STEP_ABORTED;
  stage_book_risk(stage, true);
  return STEP_DONE;
}

static enum step_outcome run_stop_broker(struct stage *stage, const struct scenario_step *step)
{
  stage->nodes[step->node].down = true;
  stage->nodes[step->node].frozen = false;
  if (do_to(stage, step, broker_stop) != STEP_DONE) return STEP_ABORTED;
  stage_book_risk(stage, false); /* until it is back */
  return STEP_DONE;
}

static enum step_outcome run_freeze_broker(struct stage *stage, const struct scenario_step *step)
{
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
  if (stage->office == NULL || node + 1 != (int) stage->scenario->node_count || node == 0)
    return STEP_DONE;
  office_return(stage->office);
  enum stage_waited waited = stage_wait(stage, office_is_back, NULL, OFFICE_WITHIN_MS);
  if (waited != STAGE_TIMED_OUT) return waited == STAGE_REACHED ? STEP_DONE : STEP_ABORTED;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the operator did not come back to broker %s within %u s: %s",
            stage->scenario->nodes[node].name, OFFICE_WITHIN_MS / 1000, stage->office_said);
  return STEP_FAILED;
}

/* Its files may have changed while it was frozen: what was done to the others is done to it, and
   looked at as at them. */
static enum step_outcome make_up(struct stage *stage, int node)
{
  struct stage_node *it = &stage->nodes[node];
  bool restart = it->unrestarted;
  if (!it->untold) return STEP_DONE;
  it->untold = it->unrestarted = false;
  enum step_outcome outcome =
      stage_broker_apply(stage, restart ? SCENARIO_APPLY_RESTART : SCENARIO_APPLY_RELOAD, node);
  return outcome == STEP_DONE ? stage_callers_make_up(stage, (size_t) node, restart) : outcome;
}

/* A rollback may come upon a broker that the phase itself has killed, or brought back, since. */
static enum step_outcome run_thaw_broker(struct stage *stage, const struct scenario_step *step)
{
  if (!stage->nodes[step->node].frozen) return STEP_DONE;
  stage->nodes[step->node].frozen = false;
  enum step_outcome outcome = do_to(stage, step, broker_thaw);
  if (outcome == STEP_DONE) outcome = await_office(stage, step->node);
  return outcome == STEP_DONE ? make_up(stage, step->node) : outcome;
}

static enum step_outcome run_start_broker(struct stage *stage, const struct scenario_step *step)
{
  struct stage_node *node = &stage->nodes[step->node];
  if (!node->down) return STEP_DONE;
  enum step_outcome outcome = do_to(stage, step, broker_start);
  if (outcome != STEP_DONE) return outcome;
  node->down = node->untold = node->unrestarted = false;
  outcome =
      stage_confirm_served(stage, step->node); /* a chain that was presented while it was down */
  if (outcome == STEP_DONE) outcome = stage_callers_make_up(stage, (size_t) step->node, true);
  return outcome == STEP_DONE ? await_office(stage, step->node) : outcome;
}

static bool undo_by_start(const struct stage *stage, const struct scenario_step *step,
                          struct scenario_step *inverse)
{
  (void) stage;
  *inverse = (struct scenario_step){.kind = &step_start_broker, .node = step->node};
  return true;
}

static bool undo_by_thaw(const struct stage *stage, const struct scenario_step *step,
                         struct scenario_step *inverse)
{
  (void) stage;
  *inverse = (struct scenario_step){.kind = &step_thaw_broker, .node = step->node};
  return true;
}

static int take_one_node(const struct step_take *w)
{
  return step_take_node(w, false);
}

/* A broker that is down cannot be killed, one that runs cannot be started, and only a frozen one
 * can be thawed. */
static int follow_broker_life(const struct step_follow *f)
{
  const struct step_kind *kind = f->step->kind;
  const char *name = f->scenario->nodes[f->step->node].name;
  bool *down = &f->story->down[f->step->node], *frozen = &f->story->frozen[f->step->node];
  if (!scenario_broker_is(f->scenario, BROKER_OWNED))
    return step_story_fail(
        f, "",
        "'%s' works on local brokers only: have it done elsewhere and wait for it with 'prompt'",
        kind->name);
  if (*down && kind != &step_start_broker)
    return step_story_fail(
        f, "", "'%s' finds broker %s down already: put 'start-broker: {node: %s}' above it",
        kind->name, name, name);
  if (!*down && kind == &step_start_broker)
    return step_story_fail(
        f, "", "broker %s runs already: put 'kill-broker' or 'stop-broker' above this step", name);
  if (kind == &step_thaw_broker && !*frozen)
    return step_story_fail(
        f, "", "broker %s is not frozen: put 'freeze-broker: {node: %s}' above this step", name,
        name);
  *down = kind == &step_kill_broker || kind == &step_stop_broker;
  *frozen = kind == &step_freeze_broker;
  return 0;
}

static uint64_t longest_broker_life(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  (void) step;
  return PRINT_BROKER_MS;
}

/* What it missed is made up: a restart at most, looks at two listeners and as a client under each
   root. */
static uint64_t longest_return(const struct scenario *s, const struct scenario_step *step)
{
  (void) step;
  return 2 * PRINT_BROKER_MS + (2 + s->roots.count) * LOOKS_WITHIN_MS;
}

static void print_kill(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "kill (SIGKILL)", out);
}

static void print_stop(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "stop (SIGTERM)", out);
}

static void print_freeze(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "freeze (SIGSTOP)", out);
}

static void print_thaw(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "thaw (SIGCONT)", out);
}

static void print_start(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "start", out);
}

/* kill-broker: {node: a}: SIGKILL, nothing is saved */
const struct step_kind step_kill_broker = {
    .name = "kill-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_one_node,
    .follow = follow_broker_life,
    .print = print_kill,
    .longest_ms = longest_broker_life,
    .foretells = STEP_STOPS_BROKER,
    .undo = undo_by_start,
    .run = run_kill_broker,
};

/* stop-broker: {node: a}: SIGTERM, it says goodbye and saves its sessions */
const struct step_kind step_stop_broker = {
    .name = "stop-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_one_node,
    .follow = follow_broker_life,
    .print = print_stop,
    .longest_ms = longest_broker_life,
    .foretells = STEP_STOPS_BROKER,
    .undo = undo_by_start,
    .run = run_stop_broker,
};

/* freeze-broker: {node: a}: SIGSTOP, its connections stay open and nobody answers */
const struct step_kind step_freeze_broker = {
    .name = "freeze-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_one_node,
    .follow = follow_broker_life,
    .print = print_freeze,
    .longest_ms = longest_broker_life,
    .foretells = STEP_STOPS_BROKER,
    .undo = undo_by_thaw,
    .run = run_freeze_broker,
};

/* thaw-broker: {node: a}: SIGCONT */
const struct step_kind step_thaw_broker = {
    .name = "thaw-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_one_node,
    .follow = follow_broker_life,
    .print = print_thaw,
    .longest_ms = longest_return,
    .foretells = STEP_STOPS_BROKER,
    .run = run_thaw_broker,
};

/* start-broker: {node: a}: one that was killed or stopped, on its old ports */
const struct step_kind step_start_broker = {
    .name = "start-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_one_node,
    .follow = follow_broker_life,
    .print = print_start,
    .longest_ms = longest_return,
    .foretells = STEP_STOPS_BROKER,
    .run = run_start_broker,
};
