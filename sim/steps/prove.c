/* prove: one full handshake per device against the prove listener, which presents the chain in
 * question.
 *
 * A device that refuses says why; either way it goes back to the main listener. Where devices
 * should refuse, the phase's gate or expectations say so: refused(not_trusted).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/apply.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/steps.h"

struct proof {
  const uint32_t *devices;
  size_t count;
};

static bool all_tried(struct stage *stage, void *ctx)
{
  const struct proof *proof = ctx;
  for (size_t i = 0; i < proof->count; i++)
    if (fleet_facts(stage->fleet, proof->devices[i])->proof_pending) return false;
  return true;
}

/* Whether every device has accepted the chain; of the first that has not the reason is told. */
static enum step_outcome judge(struct stage *stage, const struct scenario_step *step,
                               const struct proof *proof)
{
  const struct fleet_facts *first = NULL;
  size_t accepted = 0;
  for (size_t i = 0; i < proof->count; i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, proof->devices[i]);
    accepted += facts->proof == DEVICE_FAIL_NONE;
    if (facts->proof != DEVICE_FAIL_NONE && first == NULL) first = facts;
  }
  if (proof->count > 0 && first == NULL) return STEP_DONE;
  if (proof->count == 0)
    error_set(&stage->error, EXIT_CODE_FAIL, "no device is switched on: nobody tried the chain");
  else
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%zu of %zu devices accepted the chain under %s; %08x did not: %s (%s)", accepted,
              proof->count, step->chain.root, first->id, device_failure_name(first->proof),
              device_failure_sentence(first->proof));
  return STEP_SHORT;
}

static enum step_outcome prove_all(struct stage *stage, const struct scenario_step *step,
                                   struct proof *proof)
{
  fleet_prove(stage->fleet, proof->devices, proof->count, step->rate);
  if (stage_wait(stage, all_tried, proof, step->within_ms) == STAGE_ABORTED) return STEP_ABORTED;
  fleet_end_proofs(stage->fleet);
  enum stage_waited back = stage_wait(stage, stage_is_complete, NULL, step->within_ms);
  return back == STAGE_ABORTED ? STEP_ABORTED : judge(stage, step, proof);
}

enum step_outcome step_prove(struct stage *stage, const struct scenario_step *step)
{
  enum step_outcome outcome = stage_present(stage, BROKER_PROVE, &step->chain, step->apply);
  if (outcome != STEP_DONE) return outcome;
  struct proof proof;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &proof.count);
  if (devices == NULL) return STEP_ABORTED;
  proof.devices = devices;
  outcome = prove_all(stage, step, &proof);
  free(devices);
  return outcome;
}
