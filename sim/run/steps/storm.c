/* storm: every session ends at once, and the devices come back by one reconnect policy; told as one
 * row of a table.
 *
 * A local broker is killed and started again. On a remote one the devices' connections are broken
 * off. Whoever is not back when the time is over is brought back in an orderly way, so that the
 * next storm meets the same fleet: the broker is killed once more, for its queue of clients that
 * have left, and the devices come one after the other.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/state.h"

static_assert(SCENARIO_STORMS_MAX <= RESULTS_STORMS_MAX, "each storm has its row");

#define REST_WITHIN_MS 30000u /* beside the time that the rate takes */

struct storm {
  const struct scenario_step *step;
  uint64_t began_us; /* on the fleet's clock */
  uint64_t timed_out;
  uint32_t *devices;
  size_t count;
};

static enum step_outcome fail(struct run *run, const char *what, uint64_t within_ms)
{
  struct fleet_census census;
  fleet_census(run->fleet, &census);
  error_set(&run->error, EXIT_CODE_FAIL, "%s %zu of %zu devices are online after %.0f s", what,
            census.online, census.wanted, (double) within_ms / 1000);
  return STEP_FAILED;
}

static bool is_over(struct run *run, void *ctx)
{
  const struct storm *storm = ctx;
  const struct recovery *outage = fleet_outage(run->fleet);
  return outage->happened && outage->began_us >= storm->began_us && !recovery_is_under_way(outage);
}

static enum step_outcome end_sessions(struct run *run, const struct storm *storm)
{
  if (broker_is_local(run->broker)) return run_broker_crash(run);
  fleet_cut(run->fleet, storm->devices, storm->count);
  return STEP_DONE;
}

static double back_ms(const struct recovery *outage, enum recovery_mark mark)
{
  return outage->back_us[mark] == RECOVERY_NEVER ? NAN : (double) outage->back_us[mark] / 1000;
}

static void record(struct run *run, const struct storm *storm)
{
  const struct recovery *outage = fleet_outage(run->fleet);
  const struct scenario_reconnect *policy = &storm->step->reconnect;
  struct results_storm *row = &run->results.storms[run->results.storm_count++];
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
                                .timed_out = run_timed_out(run) - storm->timed_out};
  snprintf(row->policy, sizeof row->policy, "%s", scenario_policy_name(policy->policy));
}

static enum step_outcome bring_back(struct run *run, const struct storm *storm)
{
  double rate = storm->step->rate;
  uint64_t within_ms = (uint64_t) ((double) storm->count / rate * 1000) + REST_WITHIN_MS;
  /* whoever still tried while the broker is away would be in its queue as it comes back, and the
     storm would go on */
  fleet_recall(run->fleet, storm->devices, storm->count, rate);
  if (broker_is_local(run->broker) && run_broker_crash(run) != STEP_DONE) return STEP_ABORTED;
  switch (run_wait(run, run_is_complete, NULL, within_ms)) {
  case RUN_REACHED: return STEP_DONE;
  case RUN_ABORTED: return STEP_ABORTED;
  case RUN_TIMED_OUT: break;
  }
  return fail(run, "after the storm the devices were brought back one after the other, and",
              within_ms);
}

static enum step_outcome rage(struct run *run, struct storm *storm)
{
  uint64_t until_ms = run_elapsed_ms(run) + storm->step->within_ms;
  storm->began_us = fleet_clock_us(run->fleet);
  storm->timed_out = run_timed_out(run);
  enum step_outcome outcome = end_sessions(run, storm);
  if (outcome != STEP_DONE) return outcome;
  uint64_t now_ms = run_elapsed_ms(run);
  enum run_waited waited = run_wait(run, is_over, storm, until_ms > now_ms ? until_ms - now_ms : 0);
  fleet_close_outage(run->fleet);
  record(run, storm);
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  if (waited == RUN_REACHED) return STEP_DONE;
  size_t online = fleet_outage(run->fleet)->online;
  enum step_outcome rest = bring_back(run, storm);
  if (rest != STEP_DONE) return rest;
  error_set(&run->error, EXIT_CODE_FAIL,
            "only %zu of %zu devices came back by themselves within %.3g s", online, storm->count,
            (double) storm->step->within_ms / 1000);
  return STEP_SHORT;
}

enum step_outcome step_storm(struct run *run, const struct scenario_step *step)
{
  static const struct scenario_who everybody = {.share = 1};
  struct storm storm = {.step = step};
  switch (run_wait(run, run_is_complete, NULL, step->within_ms)) {
  case RUN_REACHED: break;
  case RUN_ABORTED: return STEP_ABORTED;
  case RUN_TIMED_OUT:
    return fail(run, "a storm begins with a fleet that is online, but", step->within_ms);
  }
  if (run_set_policy(run, &everybody, &step->reconnect) != 0) return STEP_ABORTED;
  storm.devices = targets_list(run, TARGETS_AWAKE, &storm.count);
  if (storm.devices == NULL) return STEP_ABORTED;
  enum step_outcome outcome = rage(run, &storm);
  free(storm.devices);
  return outcome;
}
