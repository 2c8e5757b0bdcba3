/* storm: every session ends at once, and the devices come back by one reconnect policy; told as one
 * row of a table.
 *
 * A broker that the run owns is killed and started again. On another one the devices' connections are broken
 * off. Whoever is not back when the time is over is brought back in an orderly way, so that the
 * next storm meets the same fleet: the broker is killed once more, for its queue of clients that
 * have left, and the devices come one after the other.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stage/apply.h"
#include "stage/nodes.h"
#include "stage/policies.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

static_assert(SCENARIO_STORMS_MAX <= RESULTS_STORMS_MAX, "each storm has its row");

#define STORM_MS       60000u
#define CRASHES_MS     60000u /* a broker that is killed and started, twice */
#define REST_RATE      0.8    /* of what the broker takes up */
#define REST_WITHIN_MS 30000u /* beside the time that the rate takes */

struct storm {
  const struct scenario_step *step;
  uint64_t began_us; /* on the fleet's clock */
  uint64_t timed_out;
  uint32_t *devices;
  size_t count;
};

static enum step_outcome fail_to_gather(struct stage *stage, const char *what, uint64_t within_ms)
{
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  error_set(&stage->error, EXIT_CODE_FAIL, "%s %zu of %zu devices are online after %.0f s", what,
            census.online, census.wanted, (double) within_ms / 1000);
  return STEP_FAILED;
}

static bool has_calmed(struct stage *stage, void *ctx)
{
  const struct storm *storm = ctx;
  const struct recovery *outage = fleet_outage(stage->fleet);
  return outage->happened && outage->began_us >= storm->began_us && !recovery_is_under_way(outage);
}

static enum step_outcome end_sessions(struct stage *stage, const struct storm *storm)
{
  if (broker_is(stage->broker, BROKER_OWNED)) return stage_broker_crash(stage);
  fleet_cut(stage->fleet, storm->devices, storm->count);
  return STEP_DONE;
}

static double back_ms(const struct recovery *outage, enum recovery_mark mark)
{
  return outage->back_us[mark] == RECOVERY_NEVER ? NAN : (double) outage->back_us[mark] / 1000;
}

static void record(struct stage *stage, const struct storm *storm)
{
  const struct recovery *outage = fleet_outage(stage->fleet);
  const struct scenario_reconnect *policy = &storm->step->reconnect;
  struct results_storm *row = &stage->results.storms[stage->results.storm_count++];
  *row = (struct results_storm){.base_ms = policy->base_ms,
                                .cap_ms = policy->cap_ms,
                                .within_ms = storm->step->within_ms,
                                .devices = storm->count,
                                .online = outage->online,
                                .p50_ms = back_ms(outage, RECOVERY_P50),
                                .p90_ms = back_ms(outage, RECOVERY_P90),
                                .p99_ms = back_ms(outage, RECOVERY_P99),
                                .all_ms = back_ms(outage, RECOVERY_ALL),
                                .handshakes = outage->begun.total,
                                .wasted = outage->wasted.total,
                                .peak_per_s = outage->begun.peak,
                                .wasted_peak_per_s = outage->wasted.peak,
                                .timed_out = stage_timed_out(stage) - storm->timed_out};
  snprintf(row->policy, sizeof row->policy, "%s", scenario_policy_name(policy->policy));
}

static bool is_back(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return fleet_facts(stage->fleet, device)->online;
}

static enum step_outcome bring_back(struct stage *stage, const struct storm *storm)
{
  double rate = storm->step->rate;
  uint64_t within_ms = (uint64_t) ((double) storm->count / rate * 1000) + REST_WITHIN_MS;
  /* whoever still tried while the broker is away would be in its queue as it comes back, and the
     storm would go on */
  fleet_recall(stage->fleet, storm->devices, storm->count, rate);
  enum step_outcome crashed =
      broker_is(stage->broker, BROKER_OWNED) ? stage_broker_crash(stage) : STEP_DONE;
  if (crashed != STEP_DONE) return crashed;
  switch (stage_wait(stage, stage_is_complete, NULL, within_ms)) {
  case STAGE_REACHED: return STEP_DONE;
  case STAGE_ABORTED: return STEP_ABORTED;
  case STAGE_TIMED_OUT: break;
  }
  return fail_to_gather(
      stage, "after the storm the devices were brought back one after the other, and", within_ms);
}

static enum step_outcome rage(struct stage *stage, struct storm *storm)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + storm->step->within_ms;
  storm->began_us = fleet_clock_us(stage->fleet);
  storm->timed_out = stage_timed_out(stage);
  enum step_outcome outcome = end_sessions(stage, storm);
  if (outcome != STEP_DONE) return outcome;
  uint64_t now_ms = stage_elapsed_ms(stage);
  enum stage_waited waited =
      stage_wait(stage, has_calmed, storm, until_ms > now_ms ? until_ms - now_ms : 0);
  fleet_close_outage(stage->fleet);
  record(stage, storm);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited == STAGE_REACHED) return STEP_DONE;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "only %zu of %zu devices came back by themselves within %.3g s",
            fleet_outage(stage->fleet)->online, storm->count,
            (double) storm->step->within_ms / 1000);
  enum step_outcome fell = shortfall_of(stage, storm->devices, storm->count, is_back, NULL);
  enum step_outcome rest = fell == STEP_SHORT ? bring_back(stage, storm) : fell;
  return rest == STEP_DONE ? STEP_SHORT : rest;
}

static enum step_outcome run_storm(struct stage *stage, const struct scenario_step *step)
{
  static const struct scenario_who everybody = {.share = 1};
  struct storm storm = {.step = step};
  switch (stage_wait(stage, stage_is_complete, NULL, step->within_ms)) {
  case STAGE_REACHED: break;
  case STAGE_ABORTED: return STEP_ABORTED;
  case STAGE_TIMED_OUT:
    return fail_to_gather(stage, "a storm begins with a fleet that is online, but",
                          step->within_ms);
  }
  if (stage_set_policy(stage, &everybody, &step->reconnect) != 0) return STEP_ABORTED;
  storm.devices = targets_list(stage, TARGETS_AWAKE, &storm.count);
  if (storm.devices == NULL) return STEP_ABORTED;
  enum step_outcome outcome = rage(stage, &storm);
  free(storm.devices);
  return outcome;
}

/* Who is left over is brought back at a rate that the broker surely has. */
static int take_storm(const struct step_take *w)
{
  double most = w->scenario->broker_handshake_rate;
  w->out->within_ms = STORM_MS;
  w->out->rate = most > 0 ? most * REST_RATE : STEP_RATE_PER_S;
  if (step_take_policy(w) != 0 || step_take_within(w) != 0) return -1;
  return step_take_rate(w);
}

static int follow_storm(const struct step_follow *f)
{
  if (++f->story->storms > SCENARIO_STORMS_MAX)
    return step_story_fail(f, "", "a run has at most %d storms; make two scenarios of this one",
                           SCENARIO_STORMS_MAX);
  return step_story_online(f);
}

static void print_storm(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  fprintf(out, "end every session at once%s, come back by ",
          scenario_broker_is(s, BROKER_OWNED) ? ""
                                              : " (they are cut here; the broker is left alone)");
  print_policy(&step->reconnect, out);
  fprintf(out, "; then bring back who is not, at %.6g/s", step->rate);
}

static uint64_t longest_storm(const struct scenario *s, const struct scenario_step *step)
{
  return CRASHES_MS + 3 * step->within_ms + print_ramp_ms(s, 1, step->rate);
}

/* storm: {policy: fixed, base: 5s, cap: 30s, within: 60s, rate: 100/s} */
const struct step_kind step_storm = {
    .name = "storm",
    .arguments = {STEP_ARG("policy"), STEP_ARG("base"), STEP_ARG("cap"), STEP_ARG("within"),
                  STEP_ARG("rate")},
    .take = take_storm,
    .follow = follow_storm,
    .print = print_storm,
    .longest_ms = longest_storm,
    .foretells = STEP_ENDS_SESSIONS | STEP_ENDS_LOCAL | STEP_CHANGES_LINES,
    .judged = {{"recover.online", STEP_TIMES},
               {"recover.p50_ms", STEP_TIMES},
               {"recover.p90_ms", STEP_TIMES},
               {"recover.p99_ms", STEP_TIMES},
               {"recover.all_ms", STEP_TIMES}},
    .run = run_storm,
};
