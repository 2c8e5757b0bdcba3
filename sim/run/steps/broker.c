/* present, trust-clients, reload-broker, restart-broker: what is done to the broker's side of the hierarchy. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "run/state.h"

enum step_outcome step_present(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.chain = run->presented[BROKER_MAIN];
  if (inverse.apply == SCENARIO_APPLY_NONE)
    inverse.apply = scenario_default_apply(run->scenario, SCENARIO_APPLY_RELOAD);
  run_undo_with(run, &inverse);
  return run_present(run, BROKER_MAIN, &step->chain, step->apply);
}

/* mosquitto 2.0 was measured to read its CA file at start only, unless it has CRLs: a reload that changes nothing must
 * not look like one that did. */
static void note_reload(struct run *run, const struct scenario_step *step)
{
  struct results_phase *phase = &run->results.phases[run->phase];
  if (broker_is_local(run->broker) && !run->scenario->crl && step->apply != SCENARIO_APPLY_RESTART)
    snprintf(
        phase->note, sizeof phase->note,
        "the CA file for device certificates was written, but mosquitto reads it at start only: use apply: restart");
}

enum step_outcome step_trust_clients(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.roots = run->client_roots;
  if (inverse.apply == SCENARIO_APPLY_NONE)
    inverse.apply = scenario_default_apply(run->scenario, SCENARIO_APPLY_RESTART);
  run_undo_with(run, &inverse);

  if (run_write_client_ca(run, &step->roots) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  note_reload(run, step);
  if (run_wait_broker(run, broker_clients_trusted, 70000) != 0) return STEP_ABORTED;
  return run_broker_apply(run, step->apply, -1);
}

enum step_outcome step_reload(struct run *run, const struct scenario_step *step)
{
  return run_broker_apply(run, SCENARIO_APPLY_RELOAD, step->node);
}

enum step_outcome step_restart(struct run *run, const struct scenario_step *step)
{
  return run_broker_apply(run, SCENARIO_APPLY_RESTART, step->node);
}
