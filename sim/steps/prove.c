/* prove: one full handshake per device against the prove listener, which presents the chain in
 * question.
 *
 * A device that refuses says why; either way it goes back to the main listener. Where devices
 * should refuse, the phase's gate or expectations say so: refused(not_trusted).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/apart.h"
#include "stage/apply.h"
#include "stage/foresight.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

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

static bool has_accepted(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return fleet_facts(stage->fleet, device)->proof == DEVICE_FAIL_NONE;
}

/* Whether every device has accepted the chain; of the first that has not the reason is told. */
static enum step_outcome judge(struct stage *stage, const struct scenario_step *step,
                               const struct proof *proof)
{
  const struct fleet_facts *first = NULL;
  char name[NAMES_TEXT];
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
              "%zu of %zu devices accepted the chain under %s; %s did not: %s (%s)", accepted,
              proof->count, step->chain.root, names_text(stage->names, first->id, name),
              device_failure_name(first->proof), device_failure_sentence(first->proof));
  return shortfall_of(stage, proof->devices, proof->count, has_accepted, NULL);
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

/* At the second listener, and there only. */
static enum step_outcome present(struct stage *stage, const struct scenario_step *step)
{
  struct stage_leaves before;
  if (stage_apart_look(stage, &before) != STEP_DONE) return STEP_ABORTED;
  enum step_outcome outcome = stage_present(stage, BROKER_PROVE, &step->chain, step->apply);
  return outcome == STEP_DONE ? stage_apart_check(stage, &before) : outcome;
}

static enum step_outcome run_prove(struct stage *stage, const struct scenario_step *step)
{
  enum step_outcome outcome = present(stage, step);
  if (outcome != STEP_DONE) return outcome;
  struct proof proof;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &proof.count);
  if (devices == NULL) return STEP_ABORTED;
  proof.devices = devices;
  outcome = prove_all(stage, step, &proof);
  free(devices);
  return outcome;
}

static int take_prove(const struct step_take *w)
{
  w->out->within_ms = 60000;
  w->out->apply = scenario_default_apply(w->scenario, SCENARIO_FILES_CHAIN);
  if (step_take_chain(w) != 0 || step_take_rate(w) != 0) return -1;
  /* a proof that says how long it may take has it for its second listener, too */
  return step_take_within(w) != 0 ? -1 : step_take_broker_within(w);
}

static int follow_prove(const struct step_follow *f)
{
  if (step_story_online(f) != 0 || step_story_up(f, 0) != 0) return -1;
  if (!scenario_broker_is(f->scenario, BROKER_OWNED) && f->scenario->prove_port == 0)
    return step_story_fail(
        f, "", "'prove' needs a second listener: add 'prove-url: mqtts://host:8884' to 'broker'");
  return step_story_hook(f, HOOK_PRESENT) != 0 ? -1 : step_story_apply(f, f->step->apply);
}

static void print_prove(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  fprintf(out, "try every device at %.6g/s on the second listener against ", step->rate);
  print_chain(&step->chain, out);
}

static uint64_t longest_prove(const struct scenario *s, const struct scenario_step *step)
{
  /* the main listeners are looked at before and after */
  uint64_t apart_ms =
      scenario_broker_is(s, BROKER_HOOKED) ? 2 * s->node_count * scenario_look_ms(s) : 0;
  return PRINT_BROKER_MS + print_hook_ms(s) + step->broker_ms + 2 * step->within_ms + apart_ms;
}

static bool is_about_prove(const struct scenario *s, const struct scenario_step *step,
                           const char *name, const char *argument)
{
  (void) s;
  bool of_root = strcmp(name, "proven") == 0;
  return of_root ? strcmp(step->chain.root, argument) == 0 : step_kind_connects(name, argument);
}

/* prove: {root: B, cross: A, intermediate: yes, rate: 200/s, within: 60s}, or {root: B, chain: FILE,
 * key: FILE, ..} */
const struct step_kind step_prove = {
    .name = "prove",
    .arguments = {STEP_ARG("root"), STEP_ARG("cross"), STEP_ARG("intermediate"),
                  STEP_ARG("cross-expired"), STEP_ARG("leaf-expired"), STEP_ARG("chain"),
                  STEP_ARG("key"), STEP_ARG("password-file"), STEP_ARG("rate"), STEP_ARG("within")},
    .take = take_prove,
    .follow = follow_prove,
    .print = print_prove,
    .longest_ms = longest_prove,
    .judged = {{"proven", STEP_DOERS},
               {"refused", STEP_OTHERS},
               {"failures", STEP_COUNTS},
               {"connect.failed", STEP_COUNTS}},
    .is_about = is_about_prove,
    .issues = true,
    .needs = stage_need_chain,
    .run = run_prove,
};
