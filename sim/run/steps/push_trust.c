/* push-trust: the operator sends a new signed trust bundle, in waves, and waits for the devices'
   acknowledgements. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "device/nvm.h"
#include "run/state.h"

struct bundle {
  uint32_t version;
  uint8_t data[4096];
  size_t size;
};

static int push(struct run *run, const uint32_t *devices, size_t count, void *ctx)
{
  const struct bundle *bundle = ctx;
  for (size_t i = 0; i < count; i++) {
    if (office_push(run->office, devices[i], "trust", bundle->data, bundle->size, &run->error) != 0)
      return -1;
    metrics_add(run->metrics, METRIC_TRUST_PUSHED, 1);
  }
  return 0;
}

static bool acknowledged(struct run *run, uint32_t device, void *ctx)
{
  const struct bundle *bundle = ctx;
  return run->acked_version[device] >= bundle->version;
}

static int make(struct run *run, const struct scenario_step *step, struct bundle *bundle)
{
  if (run->bundle_version + 1 >= RUN_VERSIONS_MAX)
    return error_set(&run->error, EXIT_CODE_USAGE, "a run can push at most %d trust bundles",
                     RUN_VERSIONS_MAX - 1);
  bundle->version = run->bundle_version + 1;
  if (pki_make_bundle_with_lists(run->pki, bundle->version, &step->roots,
                                 run_lists(run->scenario, step->crls), bundle->data,
                                 sizeof bundle->data, &bundle->size, &run->error) != 0)
    return -1;
  run->bundle[bundle->version] = step->roots;
  run->bundle_crls[bundle->version] = step->crls;
  run->bundle_crc[bundle->version] = device_nvm_crc(bundle->data, bundle->size);
  run->bundle_version = bundle->version;
  return 0;
}

enum step_outcome step_push_trust(struct run *run, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.roots = run->bundle[run->bundle_version];
  inverse.crls = run->bundle_crls[run->bundle_version];
  inverse.waves.count = 0;
  run_undo_with(run, &inverse);

  struct bundle bundle;
  size_t count;
  if (make(run, step, &bundle) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  uint32_t *devices = targets_list(run, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = push,
                        .done = acknowledged,
                        .ctx = &bundle,
                        .what = "acknowledged the trust bundle"};
  enum step_outcome outcome = waves_run(run, &waves, devices, count);
  free(devices);
  return outcome;
}
