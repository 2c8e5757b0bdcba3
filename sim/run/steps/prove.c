/* prove: one full handshake per device against the prove listener, which presents the chain in question.
 *
 * A device that refuses says why; either way it goes back to the main listener. What the outcome should have been is
 * for the phase's gate and expectations: proven(B), refused(not_trusted).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

struct proof {
  const uint32_t *devices;
  size_t count;
};

static bool all_tried(struct run *run, void *ctx)
{
  const struct proof *proof = ctx;
  for (size_t i = 0; i < proof->count; i++)
    if (fleet_facts(run->fleet, proof->devices[i])->proof_pending) return false;
  return true;
}

static enum step_outcome prove_all(struct run *run, const struct scenario_step *step, struct proof *proof)
{
  fleet_prove(run->fleet, proof->devices, proof->count, step->rate);
  if (run_wait(run, all_tried, proof, step->within_ms) == RUN_ABORTED) return STEP_ABORTED;
  fleet_end_proofs(run->fleet);
  return run_wait(run, run_is_complete, NULL, step->within_ms) == RUN_ABORTED ? STEP_ABORTED : STEP_DONE;
}

enum step_outcome step_prove(struct run *run, const struct scenario_step *step)
{
  enum step_outcome outcome = run_present(run, BROKER_PROVE, &step->chain, step->apply);
  if (outcome != STEP_DONE) return outcome;
  struct proof proof;
  uint32_t *devices = targets_list(run, TARGETS_AWAKE, &proof.count);
  if (devices == NULL) return STEP_ABORTED;
  proof.devices = devices;
  outcome = prove_all(run, step, &proof);
  free(devices);
  return outcome;
}
