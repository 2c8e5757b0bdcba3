/* push-trust: the operator sends a new signed trust bundle, in waves, and waits for the devices'
   acknowledgements. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "fleetsim/nvm.h"
#include "stage/folder.h"
#include "stage/foresight.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/waves.h"
#include "steps/internal.h"

struct bundle {
  uint32_t version;
  uint8_t data[4096];
  size_t size;
};

static int push_bundle(struct stage *stage, const uint32_t *devices, size_t count, void *ctx)
{
  const struct bundle *bundle = ctx;
  for (size_t i = 0; i < count; i++) {
    if (office_push(stage->office, devices[i], "trust", bundle->data, bundle->size,
                    &stage->error) != 0)
      return -1;
    metrics_add(stage->metrics, METRIC_TRUST_PUSHED, 1);
  }
  return 0;
}

static bool has_bundle(struct stage *stage, uint32_t device, void *ctx)
{
  const struct bundle *bundle = ctx;
  return stage->acked_version[device] >= bundle->version;
}

static int make(struct stage *stage, const struct scenario_step *step, struct bundle *bundle)
{
  if (stage->bundle_version + 1 >= STAGE_VERSIONS_MAX)
    return error_set(&stage->error, EXIT_CODE_USAGE, "a run can push at most %d trust bundles",
                     STAGE_VERSIONS_MAX - 1);
  bundle->version = stage->bundle_version + 1;
  if (pki_make_bundle_with_lists(stage->pki, bundle->version, &step->roots,
                                 stage_lists(stage->scenario, step->crls), bundle->data,
                                 sizeof bundle->data, &bundle->size, &stage->error) != 0)
    return -1;
  stage->bundle[bundle->version] = step->roots;
  stage->bundle_crls[bundle->version] = step->crls;
  stage->bundle_crc[bundle->version] = device_nvm_crc(bundle->data, bundle->size);
  stage->bundle_version = bundle->version;
  return 0;
}

static enum step_outcome run_push_trust(struct stage *stage, const struct scenario_step *step)
{
  struct bundle bundle;
  size_t count;
  if (make(stage, step, &bundle) != 0) return stage_give_up(stage);
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = push_bundle,
                        .done = has_bundle,
                        .ctx = &bundle,
                        .what = "acknowledged the trust bundle"};
  enum step_outcome outcome = waves_run(stage, &waves, devices, count);
  free(devices);
  return outcome;
}

static bool undo_push_trust(const struct stage *stage, const struct scenario_step *step,
                            struct scenario_step *inverse)
{
  *inverse = *step;
  inverse->roots = stage->bundle[stage->bundle_version];
  inverse->crls = stage->bundle_crls[stage->bundle_version];
  inverse->waves.count = 0;
  return true;
}

/* Whether its bundle fits the devices' memory: a list that the run fills may still outgrow it. */
static int need_push_trust(struct stage *stage, const struct scenario_step *step,
                           struct stage_foresight *then)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  size_t size;
  (void) then;
  if (pki_make_bundle_with_lists(stage->pki, 1, &step->roots,
                                 stage_lists(stage->scenario, step->crls), bytes, sizeof bytes,
                                 &size, &stage->error) == 0)
    return 0;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
}

static int take_push_trust(const struct step_take *w)
{
  if (step_take_roots(w, 2) != 0 || step_take_flag(w, "crls", &w->out->crls) != 0) return -1;
  return step_take_waves(w) != 0 ? -1 : step_take_within(w);
}

static void print_push_trust(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[300], roots[300];
  fprintf(out, "teach the devices to trust %s%s, %s",
          take_list_roots(&step->roots, roots, sizeof roots),
          step->crls ? ", with revocation lists" : "",
          print_waves(&step->waves, text, sizeof text));
}

static bool is_about_push_trust(const struct scenario *s, const struct scenario_step *step,
                                const char *name, const char *argument)
{
  (void) s, (void) name;
  return pki_roots_include(&step->roots, argument);
}

/* The bundle names itself: none that was sent before it or since. */
static bool is_late_push_trust(const struct stage *stage, const struct shortfall *shortfall,
                               size_t device)
{
  uint32_t index = shortfall->device[device].index;
  return stage->acked_version[index] >= shortfall->bundle_version;
}

/* push-trust: {roots: [A, B, spare], crls: no, waves: [1%, 10%, 100%], within: 30s} */
const struct step_kind step_push_trust = {
    .name = "push-trust",
    .arguments = {STEP_ROOTS, STEP_WAVES, STEP_ARG("crls"), STEP_ARG("within")},
    .take = take_push_trust,
    .follow = step_story_online,
    .print = print_push_trust,
    .longest_ms = print_waves_ms,
    .judged = {{"trusting", STEP_DOERS, STEP_OTHERS},
               {"trust.version_acked", STEP_ADDS},
               {"trust.committed", STEP_ADDS},
               {"trust.refused", STEP_COUNTS}},
    .is_about = is_about_push_trust,
    .is_late = is_late_push_trust,
    .needs = need_push_trust,
    .undo = undo_push_trust,
    .operated = true,
    .run = run_push_trust,
};
