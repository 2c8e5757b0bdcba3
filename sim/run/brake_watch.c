/* The safety brake: once a second the expression is judged over that second. Counters and
 * histograms count what came in it, everything else stands as it is. While it holds, the fleet
 * thins its starts. A percentile of a second in which nothing came says nothing, and leaves the
 * brake as it was.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/parts.h"
#include "stage/gauges.h"
#include "stage/quantities.h"
#include "stage/wait.h"

#define LOOK_MS 1000u

int run_set_brake(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct results_brake *brake = &stage->results.brake;
  if (!scenario->has_brake) return 0;
  brake->set = true;
  brake->rate = scenario->brake_rate;
  snprintf(brake->when, sizeof brake->when, "%s", scenario->brake_when.text);
  if (!metrics_known(scenario->brake_when.name) ||
      metrics_watch(stage->metrics, scenario->brake_when.name) == 0)
    return 0;
  return error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for the brake's histogram");
}

static int look_up(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  struct stage *stage = ctx;
  if (stage_lookup(stage, name, argument, out) != 0) return -1;
  bool watched = argument[0] == '\0' && metrics_known(name) &&
                 strcmp(name, stage->scenario->brake_when.name) == 0;
  if (watched) out->value = metrics_recent(stage->metrics);
  return 0;
}

static bool says_nothing(struct stage *stage, const struct expr *when)
{
  struct expr_quantity quantity;
  return look_up(stage, when->name, when->argument, &quantity) != 0 || isnan(quantity.value);
}

static void come_on(struct stage *stage, const char *observed)
{
  struct results_brake *brake = &stage->results.brake;
  if (brake->acted++ == 0) {
    brake->first_s = (double) stage_elapsed_ms(stage) / 1000;
    snprintf(brake->observed, sizeof brake->observed, "%s", observed);
  }
  metrics_add(stage->metrics, METRIC_BRAKE_ACTED, 1);
}

static void judge(struct stage *stage)
{
  char observed[160];
  const struct expr *when = &stage->scenario->brake_when;
  if (says_nothing(stage, when)) return;
  bool holds = expr_eval(when, look_up, stage, observed, sizeof observed);
  if (holds == stage->braking) return;
  stage->braking = holds;
  fleet_brake(stage->fleet, holds ? stage->scenario->brake_rate : 1);
  if (holds) come_on(stage, observed);
  stage_emit(stage, (struct event){.kind = EVENT_BRAKE, .brake = {holds}});
}

void run_look_at_brake(struct stage *stage)
{
  if (!stage->scenario->has_brake || stage->fleet == NULL || stage->events == NULL) return;
  /* judged: what was counted then is what is written */
  if (stage->results.expectations != NULL) return;
  uint64_t now_ms = stage_elapsed_ms(stage);
  if (now_ms - stage->brake_look_ms < LOOK_MS) return;
  struct results_brake *brake = &stage->results.brake;
  if (stage->braking) brake->on_s += (double) (now_ms - stage->brake_look_ms) / 1000;
  stage->brake_look_ms = now_ms;
  stage_gauges(stage);
  judge(stage);
  metrics_look(stage->metrics);
  metrics_set(stage->metrics, METRIC_BRAKE_ON, brake->on_s);
  brake->held = (uint64_t) metrics_value(stage->metrics, METRIC_BRAKE_HELD);
}
