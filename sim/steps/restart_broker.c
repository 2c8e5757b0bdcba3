/* reload-broker, restart-broker: the broker reads its files again, or starts again. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"
#include "steps/internal.h"

static enum step_outcome run_reload(struct stage *stage, const struct scenario_step *step)
{
  return stage_broker_apply(stage, SCENARIO_APPLY_RELOAD, step->node);
}

static enum step_outcome run_restart(struct stage *stage, const struct scenario_step *step)
{
  return stage_broker_apply(stage, SCENARIO_APPLY_RESTART, step->node);
}

static int take_any_node(const struct step_take *w)
{
  return step_take_node(w, true);
}

static int follow_reload(const struct step_follow *f)
{
  return step_story_up(f, f->step->node) != 0 ? -1 : step_story_apply(f, SCENARIO_APPLY_RELOAD);
}

static int follow_restart(const struct step_follow *f)
{
  return step_story_up(f, f->step->node) != 0 ? -1 : step_story_apply(f, SCENARIO_APPLY_RESTART);
}

static void print_reload(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "reload", out);
}

static void print_restart(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  print_node(s, step, "restart", out);
}

static uint64_t longest_reload(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  (void) step;
  return PRINT_BROKER_MS;
}

/* reload-broker: {node: a} ; without it all that run */
const struct step_kind step_reload_broker = {
    .name = "reload-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_any_node,
    .follow = follow_reload,
    .print = print_reload,
    .longest_ms = longest_reload,
    .run = run_reload,
};

/* restart-broker: {node: a} ; likewise */
const struct step_kind step_restart_broker = {
    .name = "restart-broker",
    .arguments = {STEP_ARG("node")},
    .take = take_any_node,
    .follow = follow_restart,
    .print = print_restart,
    .longest_ms = print_restart_ms,
    .foretells = STEP_ENDS_SESSIONS | STEP_ENDS_BROKER,
    .run = run_restart,
};
