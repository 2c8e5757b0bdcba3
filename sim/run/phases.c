/* Phases: steps in order, then the gate, then the phase's expectations; on failure stop, roll back
   or go on. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/parts.h"
#include "stage/gauges.h"
#include "stage/heard.h"
#include "stage/nodes.h"
#include "stage/quantities.h"
#include "stage/shortfall.h"
#include "stage/undo.h"
#include "stage/wait.h"

#define ROLLBACK_WITHIN_MS 60000u

static double seconds(const struct stage *stage)
{
  return (double) stage_elapsed_ms(stage) / 1000.0;
}

/* --- The failures that a phase foretells ------------------------------------------------------ */

/* An upper limit puts up with a failure and does not wish for it. */
static bool wants_some(const struct expr *expr)
{
  bool limits = expr->op == EXPR_LT || expr->op == EXPR_LE;
  return !limits && (expr->value != 0 || expr->op == EXPR_GT || expr->op == EXPR_NE);
}

static void add_foretold_by(const struct expr *expr, struct failure_set *set)
{
  char name[96];
  if (!wants_some(expr) ||
      (strcmp(expr->name, "refused") != 0 && strcmp(expr->name, "failures") != 0))
    return;
  if (strcmp(expr->name, "refused") == 0)
    snprintf(name, sizeof name, "connect.tls.%s", expr->argument);
  else
    snprintf(name, sizeof name, "%s", expr->argument);
  for (int f = 1; f < DEVICE_FAIL_COUNT; f++)
    if (strcmp(device_failure_name((enum device_failure) f), name) == 0)
      failure_set_add(set, (enum device_failure) f);
}

/* What a step brings about: bits of enum step_foretold. */
static unsigned brought_about_by(const struct scenario_step *step)
{
  bool may_restart = step->apply == SCENARIO_APPLY_RESTART || step->apply == SCENARIO_APPLY_HOOK;
  unsigned all = step->kind->foretells;
  if ((all & STEP_ENDS_BY_APPLY) != 0 && may_restart) all |= STEP_ENDS_SESSIONS | STEP_ENDS_BROKER;
  return all;
}

static unsigned brought_about(const struct stage *stage, const struct scenario_phase *phase)
{
  unsigned all = 0;
  for (size_t s = 0; s < phase->step_count; s++) all |= brought_about_by(&phase->steps[s]);
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (!stage_is_reachable(stage, n)) all |= STEP_STOPS_BROKER; /* since an earlier phase */
  return all;
}

static void add(struct failure_set *set, size_t count, const enum device_failure failures[])
{
  for (size_t f = 0; f < count; f++) failure_set_add(set, failures[f]);
}
#define ADD(set, failures) add(set, sizeof(failures) / sizeof *(failures), failures)

static struct failure_set foretold(const struct stage *stage, const struct scenario_phase *phase)
{
  static const enum device_failure
      ends[] = {DEVICE_FAIL_SESSION_CLOSED,     DEVICE_FAIL_SESSION_RESET,
                DEVICE_FAIL_SESSION_DISCONNECT, DEVICE_FAIL_TCP_REFUSED,
                DEVICE_FAIL_TCP_CLOSED,         DEVICE_FAIL_TCP_RESET},
      mute[] = {DEVICE_FAIL_TLS_CLOSED, DEVICE_FAIL_TLS_RESET},
      names[] = {DEVICE_FAIL_NAME_NOT_FOUND, DEVICE_FAIL_TCP_TIMEOUT},
      silence[] = {DEVICE_FAIL_SESSION_PING, DEVICE_FAIL_SESSION_ACK, DEVICE_FAIL_SESSION_BACKLOG,
                   DEVICE_FAIL_TCP_TIMEOUT,  DEVICE_FAIL_TLS_TIMEOUT, DEVICE_FAIL_MQTT_TIMEOUT};
  struct failure_set set = {0};
  const struct failure_set network = fleet_network_failures();
  unsigned about = brought_about(stage, phase);
  bool ended = (about & STEP_ENDS_SESSIONS) != 0, stopped = (about & STEP_STOPS_BROKER) != 0;
  if (phase->has_until) add_foretold_by(&phase->until, &set);
  for (size_t e = 0; e < phase->expect_count; e++) add_foretold_by(&phase->expect[e], &set);
  if ((about & STEP_CHANGES_LINES) != 0) failure_set_add_all(&set, &network);
  if (ended || stopped) ADD(&set, ends);
  if ((ended && (about & STEP_PUBLISHES_LIST) == 0) || stopped) ADD(&set, mute);
  if ((about & STEP_MOVES_NAME) != 0) ADD(&set, names);
  if (stopped) ADD(&set, silence);
  return set;
}

/* What takes its broker away from the back office. What ends the sessions of devices alone is no
   reason for it to be away, nor is what is done to a broker where it is not. */
static bool takes_office_away(const struct stage *stage, const struct scenario_step *step)
{
  unsigned about = brought_about_by(step), of_node = STEP_ENDS_BROKER | STEP_STOPS_BROKER;
  bool owned = scenario_broker_is(stage->scenario, BROKER_OWNED);
  if (stage->office == NULL) return false;
  bool one = owned && (step->kind->foretells & of_node) != 0 && step->node >= 0; /* it is named */
  if (one && step->node + 1 != (int) stage->scenario->node_count && office_is_home(stage->office))
    return false;
  return (owned && (about & STEP_ENDS_LOCAL) != 0) || (about & of_node) != 0;
}

/* --- One phase -------------------------------------------------------------------------------- */

static void fail_gate(struct results_phase *result, const struct scenario_step *step,
                      const char *why)
{
  result->has_gate = true;
  result->gate.pass = false;
  snprintf(result->gate.expr, sizeof result->gate.expr, "step %s", scenario_step_name(step));
  snprintf(result->gate.observed, sizeof result->gate.observed, "%.*s",
           (int) sizeof result->gate.observed - 1, why);
}

static enum step_outcome take_step(struct stage *stage, const struct scenario_step *step)
{
  struct scenario_step inverse;
  stage->broker_ms = step->broker_ms;
  /* all of a kind is in its file in sim/steps */
  if (step->kind->undo != NULL && !stage->rolling_back && step->kind->undo(stage, step, &inverse) &&
      stage_undo_with(stage, &inverse) != 0)
    return STEP_ABORTED;
  bool takes = takes_office_away(stage, step);
  if (takes) stage_office_step_begins(stage);
  enum step_outcome outcome = step->kind->run(stage, step);
  bool surely =
      (step->kind->foretells & STEP_ENDS_BY_APPLY) == 0 || step->apply == SCENARIO_APPLY_RESTART;
  if (takes) stage_office_step_ends(stage, surely);
  return outcome;
}

static bool check_phase(struct stage *stage, const struct scenario_phase *phase,
                        struct results_phase *result)
{
  bool pass = true;
  stage_gauges(stage);
  for (size_t e = 0; e < phase->expect_count; e++) {
    struct results_check *check = &result->expectations[e];
    snprintf(check->expr, sizeof check->expr, "%s", phase->expect[e].text);
    check->pass =
        expr_eval(&phase->expect[e], stage_lookup, stage, check->observed, sizeof check->observed);
    run_explain(stage, &phase->expect[e], false, check);
    result->expectation_count = e + 1;
    pass = pass && check->pass;
  }
  return pass;
}

/* Says how a scenario would say that this is what it wants to see, or why what it says does not
 * account for it. */
static void fail_unjudged(struct stage *stage, const struct scenario_phase *phase,
                          const struct shortfall *shortfall)
{
  struct results_phase *result = &stage->results.phases[stage->phase];
  const struct scenario_judge_of *first = &shortfall->judge.of[0];
  const char *quantity = scenario_judging(shortfall->step);
  char text[400], why[160], observed[120]; /* of a long expression the note has the beginning */
  fail_gate(result, shortfall->step, shortfall->why.text);
  if (shortfall->judge.count == 0) {
    snprintf(text, sizeof text,
             "a phase that wants to see this says so: a gate or expectation of its own about '%s' "
             "judges it then",
             quantity != NULL ? quantity : "it");
    stage_say(stage, text);
    return;
  }
  /* the step may have broken what held before, which says more */
  if (first->held) (void) check_phase(stage, phase, result);
  if (first->held && !expr_eval(first->expr, stage_lookup, stage, observed, sizeof observed))
    return;
  run_shortfall_accounts(stage, shortfall, first, why, sizeof why);
  snprintf(text, sizeof text, "the %s '%s' %s",
           first->expr == &phase->until ? "gate" : "expectation", first->expr->text, why);
  stage_say(stage, text);
}

static bool run_steps(struct stage *stage, const struct scenario_phase *phase,
                      struct results_phase *result)
{
  for (size_t s = 0; s < phase->step_count; s++) {
    const struct scenario_step *step = &phase->steps[s];
    stage->step = scenario_step_name(step);
    stage_emit(stage, (struct event){.kind = EVENT_STEP, .step = {stage->step}});
    struct scenario_judge judge;
    stage_gauges(stage);
    if (run_shortfalls_begin(stage, step) != 0) return false;
    scenario_judge_begin(&judge, stage->scenario, phase, step, stage_lookup, stage);
    enum step_outcome outcome = take_step(stage, step);
    stage_gauges(stage);
    assert(outcome != STEP_ABORTED || stage->aborted); /* no phase ends without a word */
    if (outcome == STEP_SHORT && run_shortfalls_add(stage, step, &judge)) continue;
    if (outcome == STEP_FAILED) fail_gate(result, step, stage->error.text);
    if (outcome == STEP_SHORT) fail_unjudged(stage, phase, stage->shortfalls);
    if (outcome != STEP_DONE) return false;
  }
  return true;
}

struct gate {
  const struct expr *expr;
  char observed[120];
  bool holds; /* though it may wait for those who fell short */
  struct stage_gate shown;
};

static bool gate_holds(struct stage *stage, void *ctx)
{
  struct gate *gate = ctx;
  stage_gauges(stage);
  gate->holds = expr_eval(gate->expr, stage_lookup, stage, gate->observed, sizeof gate->observed);
  return gate->holds && !run_shortfalls_open(stage);
}

static bool await_gate(struct stage *stage, const struct expr *until, struct results_phase *result)
{
  struct gate gate = {.expr = until};
  gate.shown = (struct stage_gate){.expr = until->text,
                                   .observed = gate.observed,
                                   .began_ms = stage_elapsed_ms(stage),
                                   .within_ms = until->within_ms};
  result->has_gate = true;
  snprintf(result->gate.expr, sizeof result->gate.expr, "%s", until->text);
  stage->gate = &gate.shown;
  enum stage_waited waited = stage_wait(stage, gate_holds, &gate, until->within_ms);
  stage->gate = NULL;
  result->gate.pass = waited != STAGE_ABORTED && gate.holds;
  if (!result->gate.pass && waited == STAGE_TIMED_OUT)
    snprintf(result->gate.observed, sizeof result->gate.observed, "not within %.3g s: %s",
             (double) until->within_ms / 1000.0, gate.observed);
  else
    snprintf(result->gate.observed, sizeof result->gate.observed, "%s", gate.observed);
  return result->gate.pass;
}

static bool run_phase(struct stage *stage, const struct scenario_phase *phase,
                      struct results_phase *result)
{
  snprintf(result->name, sizeof result->name, "%s", phase->name);
  result->start_s = seconds(stage);
  result->expectations = calloc(phase->expect_count + 1, sizeof *result->expectations);
  if (result->expectations == NULL)
    return stage_abort(stage, &(struct error){EXIT_CODE_INTERNAL, "out of memory"}), false;
  stage_undo_begin(stage);
  fleet_begin_phase(stage->fleet);
  /* the world is as the phase before has left it until the steps have changed it and the gate has
     seen that */
  struct failure_set either = stage->foretold;
  stage->foretold = foretold(stage, phase);
  failure_set_add_all(&either, &stage->foretold);
  fleet_expect(stage->fleet, &either);
  stage->step = "";
  metrics_set_phase(stage->metrics, (unsigned) stage->phase + 1);
  stage_emit(stage, (struct event){.kind = EVENT_PHASE, .phase = {phase->name}});

  bool pass = run_steps(stage, phase, result);
  if (pass && phase->has_until) pass = await_gate(stage, &phase->until, result);
  fleet_expect(stage->fleet, &stage->foretold);
  if (pass) pass = check_phase(stage, phase, result);
  const struct shortfall *unjudged = pass ? run_shortfalls_unjudged(stage) : NULL;
  if (unjudged != NULL) fail_unjudged(stage, phase, unjudged);
  run_forget_shortfalls(stage);
  result->duration_s = seconds(stage) - result->start_s;
  return pass && unjudged == NULL;
}

/* --- Rollback --------------------------------------------------------------------------------- */

static void roll_back(struct stage *stage)
{
  size_t count = stage->undo_count;
  stage->rolling_back = true;
  for (size_t u = count; u > 0; u--) {
    enum step_outcome outcome = take_step(stage, &stage->undo[u - 1]);
    if (outcome == STEP_ABORTED) return;
    if (outcome == STEP_FAILED || outcome == STEP_SHORT) stage_say(stage, stage->error.text);
  }
  bool back = stage_wait(stage, stage_is_complete, NULL, ROLLBACK_WITHIN_MS) == STAGE_REACHED;
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  char text[128];
  snprintf(text, sizeof text, "rolled back %zu step%s; %zu of %zu devices are online%s", count,
           count == 1 ? "" : "s", census.online, census.wanted, back ? "" : " after 60 s");
  stage_say(stage, text);
}

void run_phases(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (stage->phase = 0; stage->phase < scenario->phase_count && !stage->aborted; stage->phase++) {
    const struct scenario_phase *phase = &scenario->phases[stage->phase];
    struct results_phase *result = &stage->results.phases[stage->phase];
    stage->results.phase_count = stage->phase + 1;
    bool pass = run_phase(stage, phase, result) || stage->aborted;
    if (!pass && phase->on_fail == SCENARIO_ROLLBACK) roll_back(stage);
    if (!pass && phase->on_fail != SCENARIO_CONTINUE) break;
    run_pause(stage);
  }
  static const struct failure_set none;
  fleet_expect(stage->fleet, &none);
}
