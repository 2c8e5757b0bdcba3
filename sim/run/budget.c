/* What the devices' processor is modelled on, and what the client takes up on it. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "crypto/records.h"
#include "device/trust.h"
#include "run/parts.h"

int run_load_timing(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct timing_profile *timing = &stage->timing;
  struct results_timing *out = &stage->results.timing;
  if (timing_load(scenario->timing_profile, timing, &stage->error) != 0) {
    /* the file is well formed: a profile that it names was there when it was read */
    stage->error.code = EXIT_CODE_SETUP;
    return -1;
  }
  snprintf(out->profile, sizeof out->profile, "%s", timing->name);
  out->paced = scenario->pace;
  out->clock_hz = timing->clock_hz;
  out->k_low = timing->k_low;
  out->k_nominal = timing->k_nominal;
  out->k_high = timing->k_high;
  out->rom_bytes = timing->rom_bytes;
  out->ram_peak_bytes =
      timing->ram_static_bytes + timing->heap_peak_bytes + timing->stack_peak_bytes;
  out->record_bytes = scenario->record_bytes;
  if (out->ram_peak_bytes > 0) out->ram_peak_bytes += scenario->record_bytes - CRYPTO_RECORD_MIN;
  return 0;
}

/* How many anchors, as large as the fleet's are on average, fit the slot for them in the device's
   NVM. */
static int count_anchors(struct stage *stage, uint32_t *out)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  struct device_trust_bundle bundle;
  size_t size, anchors = 0; /* bytes */
  if (pki_make_bundle(stage->pki, 1, &stage->scenario->trusted, bytes, sizeof bytes, &size,
                      &stage->error) != 0)
    return -1;
  if (device_trust_parse(bytes, size, &bundle) != DEVICE_UPDATE_COMMITTED ||
      bundle.anchor_count == 0)
    return error_set(&stage->error, EXIT_CODE_INTERNAL,
                     "a trust bundle of the fleet folder cannot be read back");
  for (uint8_t i = 0; i < bundle.anchor_count; i++) anchors += 2u + bundle.anchor[i].size;
  size_t each = anchors / bundle.anchor_count,
         fit = (sizeof bytes - (size - anchors)) / (each > 0 ? each : 1);
  *out = (uint32_t) (fit < DEVICE_ANCHORS_MAX ? fit : DEVICE_ANCHORS_MAX);
  return 0;
}

int run_count_budget(struct stage *stage)
{
  struct results_timing *out = &stage->results.timing;
  /* what another one serves is not in our files: it is not counted */
  if (broker_is(stage->broker, BROKER_FRESH))
    out->chain_bytes = pki_chain_bytes(broker_chain_place(stage->broker, BROKER_MAIN).certificate);
  return count_anchors(stage, &out->trust_anchors_max);
}
