/* The end of a run: let what is under way arrive, count, check what was expected, write it down. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "run/ota.h"

#define SETTLE_MS     5000u
#define DISCONNECT_MS 3000u
#define OFFICE_MS     10000u

static bool is_settled(struct run *run, void *ctx)
{
  (void) ctx;
  return run_unsettled(run) == 0 && run_ota_is_quiet(run);
}

/* A broker that came back at the end of the plan has its back office again a second later. */
static bool is_heard(struct run *run, void *ctx)
{
  (void) ctx;
  return run->office_online || run->office_gave_up || !run_has_broker(run);
}

/* What never came back has no time: no comparison holds for it. */
static void recovery_gauges(struct run *run)
{
  static const enum metric gauges[RECOVERY_MARKS] = {METRIC_RECOVER_P50, METRIC_RECOVER_P90,
                                                     METRIC_RECOVER_P99, METRIC_RECOVER_ALL};
  const struct recovery *outage = fleet_deepest_outage(run->fleet);
  metrics_set(run->metrics, METRIC_RECOVER_MISSING, (double) outage->missing);
  metrics_set(run->metrics, METRIC_RECOVER_ONLINE,
              outage->happened ? (double) outage->online : NAN);
  metrics_set(run->metrics, METRIC_RECOVER_PEAK, outage->begun.peak);
  metrics_set(run->metrics, METRIC_RECOVER_WASTED, (double) outage->wasted.total);
  metrics_set(run->metrics, METRIC_RECOVER_WASTED_PEAK, outage->wasted.peak);
  for (int mark = 0; mark < RECOVERY_MARKS; mark++) {
    bool known = outage->happened && outage->back_us[mark] != RECOVERY_NEVER;
    metrics_set(run->metrics, gauges[mark], known ? (double) outage->back_us[mark] / 1000.0 : NAN);
  }
}

void run_gauges(struct run *run)
{
  size_t lost = 0, unproven = 0;
  uint32_t version = UINT32_MAX;
  struct fleet_census census;
  fleet_census(run->fleet, &census);
  for (size_t i = 0; i < fleet_size(run->fleet); i++) {
    const struct fleet_facts *facts = fleet_facts(run->fleet, i);
    lost += facts->dead || (facts->wanted && !facts->online && !facts->revoked);
    unproven += facts->online && !fleet_is_proven(run->fleet, i);
    if (facts->wanted && run->acked_version[i] < version) version = run->acked_version[i];
  }
  struct metrics *metrics = run->metrics;
  metrics_set(metrics, METRIC_FLEET_ONLINE, (double) census.online);
  metrics_set(metrics, METRIC_FLEET_SHELVED, (double) census.shelved);
  metrics_set(metrics, METRIC_CONNECT_OPEN, (double) census.attempts_open);
  metrics_set(metrics, METRIC_DEVICES_LOST, (double) lost);
  metrics_set(metrics, METRIC_DEVICES_UNPROVEN, (double) unproven);
  metrics_set(metrics, METRIC_TRUST_VERSION, version == UINT32_MAX ? 0 : version);
  fleet_measure_revoked(run->fleet, false);
  run_measure_clones(run);
  metrics_set(metrics, METRIC_BROKER_TIMEOUTS, (double) run_timed_out(run));
  run_ota_gauges(run);
  recovery_gauges(run);
  run_count_tally(run);
  run_office_gauges(run);
}

static void process_gauges(struct run *run)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu_s = (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  double peak = (double) usage.ru_maxrss * 1024.0;
  double growth = peak - (double) run->rss_before;
  metrics_set(run->metrics, METRIC_PROCESS_CPU, cpu_s);
  metrics_set(run->metrics, METRIC_PROCESS_RSS, peak);
  metrics_set(run->metrics, METRIC_PROCESS_RSS_DEVICE,
              growth > 0 ? growth / (double) run->scenario->devices : 0);
}

static bool all_offline(struct run *run, void *ctx)
{
  (void) ctx;
  struct fleet_census census;
  fleet_census(run->fleet, &census);
  return census.online == 0 && census.attempts_open == 0;
}

static void check(struct run *run, const struct expr *expr)
{
  struct results_check *result = &run->results.expectations[run->results.expectation_count++];
  snprintf(result->expr, sizeof result->expr, "%s", expr->text);
  result->pass = expr_eval(expr, run_lookup, run, result->observed, sizeof result->observed);
}

static void check_expectations(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  run->results.expectations =
      calloc(scenario->expect_count + RUN_IMPLIED_MAX, sizeof *run->results.expectations);
  if (run->results.expectations == NULL) {
    run_abort(run, &(struct error){EXIT_CODE_INTERNAL, "out of memory"});
    return;
  }
  for (size_t e = 0; e < scenario->expect_count; e++) check(run, &scenario->expect[e]);
  run_check_implied(run, check);
}

/* An orderly end. Attempts that it cuts short are booked as stopped, so what is open is counted
   again. */
static void say_goodbye(struct run *run)
{
  struct fleet_census census;
  fleet_disconnect_all(run->fleet);
  run_wait(run, all_offline, NULL, DISCONNECT_MS);
  run_ota_withdraw(run, false);
  fleet_census(run->fleet, &census);
  metrics_set(run->metrics, METRIC_CONNECT_OPEN, (double) census.attempts_open);
}

void run_settle(struct run *run)
{
  run_stop_clones(run);
  fleet_set_telemetry(run->fleet, &(struct fleet_telemetry){.on = false});
  if (!run->aborted) run_wait(run, is_settled, NULL, SETTLE_MS);
  if (!run->aborted) run_wait(run, is_heard, NULL, OFFICE_MS);
  run_collect(run);
  run_gauges(run);
  run_close_books(run);
  fleet_measure_revoked(run->fleet, true);
  process_gauges(run);
  run_ota_results(run);
  check_expectations(run);
  if (!run->aborted) say_goodbye(run);
}

/* --- The verdict ------------------------------------------------------------------------------ */

static const char *first_failure(const struct run *run, char *out, size_t size)
{
  const struct results *results = &run->results;
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

static enum exit_code decide(struct run *run)
{
  struct results *results = &run->results;
  if (run->interrupted) {
    results->verdict = "interrupted";
    snprintf(results->message, sizeof results->message, "%s", run->error.text);
    return EXIT_CODE_INTERRUPTED;
  }
  if (run->aborted) {
    results->verdict = run->error.code == EXIT_CODE_FAIL ? "fail" : "error";
    snprintf(results->message, sizeof results->message, "%s", run->error.text);
    return run->error.code;
  }
  bool failed = first_failure(run, results->message, sizeof results->message) != NULL;
  results->verdict = failed ? "fail" : "pass";
  return failed ? EXIT_CODE_FAIL : EXIT_CODE_PASS;
}

enum exit_code run_verdict(struct run *run)
{
  struct results *results = &run->results;
  if (run->progress != NULL) progress_destroy(run->progress);
  run->progress = NULL;
  results->exit_code = decide(run);
  results->duration_s = (double) run_elapsed_ms(run) / 1000.0;
  /* the folder cannot be used: the error is all there is */
  if (run->events == NULL) return results->exit_code;
  struct error error;
  struct events *events = run->events;
  run->events = NULL; /* the tick flushes them, and ticks on until the broker has ended */
  if (results_conclude(results, events, run_event_s(run), run->options->out, &error) != 0) {
    run->error = error;
    return error.code;
  }
  run->results_written = true;
  if (!run->options->quiet) {
    results_print(results, stdout, isatty(STDOUT_FILENO) != 0);
    run->error.text[0] = '\0'; /* told */
  }
  return results->exit_code;
}
