/* push-trust: the operator sends a new signed trust bundle, in waves, and waits for the devices'
   acknowledgements. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "fleetsim/nvm.h"
#include "stage/folder.h"
#include "stage/targets.h"
#include "stage/undo.h"
#include "stage/waves.h"
#include "steps/steps.h"

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

enum step_outcome step_push_trust(struct stage *stage, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.roots = stage->bundle[stage->bundle_version];
  inverse.crls = stage->bundle_crls[stage->bundle_version];
  inverse.waves.count = 0;
  stage_undo_with(stage, &inverse);

  struct bundle bundle;
  size_t count;
  if (make(stage, step, &bundle) != 0) {
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
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
