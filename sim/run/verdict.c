/* The end of a run: let what is under way arrive, count, check what was expected, write it down. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/parts.h"
#include "stage/apply.h"
#include "stage/books.h"
#include "stage/callers.h"
#include "stage/clones.h"
#include "stage/firmware.h"
#include "stage/gauges.h"
#include "stage/heard.h"
#include "stage/list_looks.h"
#include "stage/muster.h"
#include "stage/newcomers.h"
#include "stage/nodes.h"
#include "stage/quantities.h"
#include "stage/wait.h"

#define SETTLE_MS     5000u
#define DISCONNECT_MS 3000u
#define OFFICE_MS     10000u

static bool is_settled(struct stage *stage, void *ctx)
{
  (void) ctx;
  return stage_unsettled(stage) == 0 && stage_ota_is_quiet(stage);
}

/* A broker that came back at the end of the plan has its back office again a second later. */
static bool is_heard(struct stage *stage, void *ctx)
{
  (void) ctx;
  return stage->office == NULL || stage->office_online || stage->office_gave_up ||
         !stage_has_broker(stage);
}

static bool all_offline(struct stage *stage, void *ctx)
{
  (void) ctx;
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  return census.online == 0 && census.attempts_open == 0;
}

static void check(struct stage *stage, const struct expr *expr)
{
  struct results_check *result = &stage->results.expectations[stage->results.expectation_count++];
  snprintf(result->expr, sizeof result->expr, "%s", expr->text);
  result->pass = expr_eval(expr, stage_lookup, stage, result->observed, sizeof result->observed);
}

static void check_scenario(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  stage->results.expectations =
      calloc(scenario->expect_count + RUN_IMPLIED_MAX, sizeof *stage->results.expectations);
  if (stage->results.expectations == NULL) {
    stage_abort(stage, &(struct error){EXIT_CODE_INTERNAL, "out of memory"});
    return;
  }
  for (size_t e = 0; e < scenario->expect_count; e++) {
    check(stage, &scenario->expect[e]);
    run_explain(stage, &scenario->expect[e], false, &stage->results.expectations[e]);
  }
  run_check_implied(stage, check);
}

/* An orderly end. Attempts that it cuts short are booked as stopped, so what is open is counted
   again. */
static void say_goodbye(struct stage *stage)
{
  struct fleet_census census;
  stage_muster_free(stage); /* who trusts whom stays as it was judged */
  fleet_disconnect_all(stage->fleet);
  stage_wait(stage, all_offline, NULL, DISCONNECT_MS);
  stage_ota_withdraw(stage, false);
  fleet_census(stage->fleet, &census);
  metrics_set(stage->metrics, METRIC_CONNECT_OPEN, (double) census.attempts_open);
  stage_muster_look(stage);
}

void run_settle(struct stage *stage)
{
  stage_stop_clones(stage);
  fleet_set_telemetry(stage->fleet, &(struct fleet_telemetry){.on = false});
  if (!stage->aborted) stage_wait(stage, is_settled, NULL, SETTLE_MS);
  if (!stage->aborted) stage_wait(stage, is_heard, NULL, OFFICE_MS);
  if (!stage->aborted) (void) stage_look_at_list(stage, STAGE_LIST_AT_END);
  if (!stage->aborted && (stage_newcomers_try(stage, STAGE_CHANGED_NOTHING) == STEP_FAILED ||
                          stage_callers_try_again(stage, "at the end of the run") == STEP_FAILED ||
                          stage_chains_try_again(stage) == STEP_FAILED))
    stage->at_end = stage->error;
  stage_collect(stage);
  stage_gauges(stage);
  assert(stage_muster_is_right(stage));
  stage_close_books(stage);
  stage_measure_revoked(stage, true);
  stage_ota_results(stage);
  check_scenario(stage);
  if (!stage->aborted) say_goodbye(stage);
}

/* --- The verdict ------------------------------------------------------------------------------ */

static const char *first_failure(const struct stage *stage, char *out, size_t size)
{
  const struct results *results = &stage->results;
  for (size_t p = 0; p < results->phase_count; p++) {
    const struct results_phase *phase = &results->phases[p];
    if (phase->has_gate && !phase->gate.pass) {
      snprintf(out, size, "phase \"%s\": %s: %s", phase->name, phase->gate.expr,
               phase->gate.observed);
      return out;
    }
    for (size_t e = 0; e < phase->expectation_count; e++) {
      if (phase->expectations[e].pass) continue;
      snprintf(out, size, "phase \"%s\": expected %s, observed %s", phase->name,
               phase->expectations[e].expr, phase->expectations[e].observed);
      return out;
    }
  }
  for (size_t e = 0; e < results->expectation_count; e++) {
    if (results->expectations[e].pass) continue;
    snprintf(out, size, "expected %s, observed %s", results->expectations[e].expr,
             results->expectations[e].observed);
    return out;
  }
  return NULL;
}

static enum exit_code decide(struct stage *stage)
{
  struct results *results = &stage->results;
  if (stage->interrupted) {
    results->verdict = "interrupted";
    snprintf(results->message, sizeof results->message, "%s", stage->error.text);
    return EXIT_CODE_INTERRUPTED;
  }
  if (stage->aborted) {
    results->verdict = stage->error.code == EXIT_CODE_FAIL ? "fail" : "error";
    snprintf(results->message, sizeof results->message, "%s", stage->error.text);
    return stage->error.code;
  }
  bool failed = first_failure(stage, results->message, sizeof results->message) != NULL;
  if (!failed && stage->at_end.code != 0)
    snprintf(results->message, sizeof results->message, "%s", stage->at_end.text);
  failed = failed || stage->at_end.code != 0;
  results->verdict = failed ? "fail" : "pass";
  return failed ? EXIT_CODE_FAIL : EXIT_CODE_PASS;
}

/* In a window beside it: the line that says where the results are, and the prompt of the shell. */
#define ROWS_OF_OTHERS 2u

static void print_results(const struct stage *stage)
{
  struct terminal terminal;
  struct results_extent extent = {.verdict_only = stage->options->quiet};
  extent.colour = world_terminal(stage->world, STDOUT_FILENO, &terminal);
  if (extent.colour && terminal.rows > ROWS_OF_OTHERS) extent.rows = terminal.rows - ROWS_OF_OTHERS;
  results_print(&stage->results, stdout, &extent);
}

enum exit_code run_verdict(struct stage *stage)
{
  struct results *results = &stage->results;
  if (stage->progress != NULL) progress_destroy(stage->progress);
  stage->progress = NULL;
  results->exit_code = decide(stage);
  results->duration_s = (double) stage_elapsed_ms(stage) / 1000.0;
  /* the folder cannot be used: the error is all there is */
  if (stage->events == NULL) return results->exit_code;
  struct error error;
  struct events *events = stage->events;
  stage_muster_look(stage);
  series_end(stage->series, stage->metrics, stage_elapsed_ms(stage));
  stage->events = NULL; /* the tick flushes them, and ticks on until the broker has ended */
  if (results_conclude(results, events, stage_event_s(stage), stage->options->out, &error) != 0) {
    stage->error = error;
    return error.code;
  }
  stage->results_written = true;
  run_show_end(stage);
  /* the results are whole without it, and it can be had from them */
  if (results_page(results, stage->options->out, &error) != 0)
    fprintf(stderr, "fleetsim: %s; the results are whole: 'fleetsim report --html %s' makes it\n",
            error.text, stage->options->out);
  print_results(stage);
  stage->error.text[0] = '\0'; /* told */
  return results->exit_code;
}
