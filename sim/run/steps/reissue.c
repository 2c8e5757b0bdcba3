/* reissue: new device certificates from the CSRs that were kept, under another root; no private key
   is touched. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "device/nvm.h"
#include "run/state.h"

#define BATCH 16u

struct reissue {
  const char *root;
};

static int push_one(struct run *run, uint32_t device, const struct reissue *reissue)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  if (pki_reissue(run->pki, device, reissue->root, chain, sizeof chain, &size, &run->error) != 0)
    return -1;
  if (office_push(run->office, device, "cert", chain, size, &run->error) != 0) return -1;
  run->identity[device].pushed = run_chain_mark(chain, size);
  run->identity[device].acked = false;
  metrics_add(run->metrics, METRIC_CERT_PUSHED, 1);
  return 0;
}

static int push_batch(struct run *run, const uint32_t *devices, size_t count,
                      const struct reissue *reissue)
{
  if (pki_begin(run->pki, &run->error) != 0) return -1;
  for (size_t i = 0; i < count; i++)
    if (push_one(run, devices[i], reissue) != 0) return -1;
  return pki_commit(run->pki, &run->error);
}

/* The devices that are online go on living between the batches: a certificate takes half a
   millisecond. */
static int push(struct run *run, const uint32_t *devices, size_t count, void *ctx)
{
  for (size_t begun = 0; begun < count; begun += BATCH) {
    size_t left = count - begun;
    if (push_batch(run, devices + begun, left < BATCH ? left : BATCH, ctx) != 0 || !run_yield(run))
      return -1;
  }
  return 0;
}

static bool acknowledged(struct run *run, uint32_t device, void *ctx)
{
  (void) ctx;
  return run->identity[device].acked;
}

enum step_outcome step_reissue(struct run *run, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(run, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct reissue reissue = {.root = step->root};
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = push,
                        .done = acknowledged,
                        .ctx = &reissue,
                        .what = "acknowledged their new certificate"};
  enum step_outcome outcome = waves_run(run, &waves, devices, count);
  free(devices);
  return outcome;
}
