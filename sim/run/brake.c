/* The safety brake: once a second the expression is judged over that second. Counters and
 * histograms count what came in it, everything else stands as it is. While it holds, the fleet
 * thins its starts. A percentile of a second in which nothing came says nothing, and leaves the
 * brake as it was.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/state.h"

#define LOOK_MS 1000u

int run_set_brake(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct results_brake *brake = &run->results.brake;
  if (!scenario->has_brake) return 0;
  brake->set = true;
  brake->rate = scenario->brake_rate;
  snprintf(brake->when, sizeof brake->when, "%s", scenario->brake_when.text);
  if (!metrics_known(scenario->brake_when.name) ||
      metrics_watch(run->metrics, scenario->brake_when.name) == 0)
    return 0;
  return error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory for the brake's histogram");
}

static int look_up(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  struct run *run = ctx;
  if (run_lookup(run, name, argument, out) != 0) return -1;
  bool watched = argument[0] == '\0' && metrics_known(name) &&
                 strcmp(name, run->scenario->brake_when.name) == 0;
  if (watched) out->value = metrics_recent(run->metrics);
  return 0;
}

static bool says_nothing(struct run *run, const struct expr *when)
{
  struct expr_quantity quantity;
  return look_up(run, when->name, when->argument, &quantity) != 0 || isnan(quantity.value);
}

static void come_on(struct run *run, const char *observed)
{
  struct results_brake *brake = &run->results.brake;
  if (brake->acted++ == 0) {
    brake->first_s = (double) run_elapsed_ms(run) / 1000;
    snprintf(brake->observed, sizeof brake->observed, "%s", observed);
  }
  metrics_add(run->metrics, METRIC_BRAKE_ACTED, 1);
}

static void judge(struct run *run)
{
  char observed[160];
  const struct expr *when = &run->scenario->brake_when;
  if (says_nothing(run, when)) return;
  bool holds = expr_eval(when, look_up, run, observed, sizeof observed);
  if (holds == run->braking) return;
  run->braking = holds;
  fleet_brake(run->fleet, holds ? run->scenario->brake_rate : 1);
  if (holds) come_on(run, observed);
  run_emit(run, (struct event){.kind = EVENT_BRAKE, .brake = {holds}});
}

void run_look_at_brake(struct run *run)
{
  if (!run->scenario->has_brake || run->fleet == NULL || run->events == NULL) return;
  /* judged: what was counted then is what is written */
  if (run->results.expectations != NULL) return;
  uint64_t now_ms = run_elapsed_ms(run);
  if (now_ms - run->brake_look_ms < LOOK_MS) return;
  struct results_brake *brake = &run->results.brake;
  if (run->braking) brake->on_s += (double) (now_ms - run->brake_look_ms) / 1000;
  run->brake_look_ms = now_ms;
  run_gauges(run);
  judge(run);
  metrics_look(run->metrics);
  metrics_set(run->metrics, METRIC_BRAKE_ON, brake->on_s);
  brake->held = (uint64_t) metrics_value(run->metrics, METRIC_BRAKE_HELD);
}
