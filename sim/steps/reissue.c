/* reissue: new device certificates from the CSRs that were kept, under another root; no private key
   is touched. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "fleetsim/nvm.h"
#include "stage/chains.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "stage/waves.h"
#include "steps/steps.h"

#define BATCH 16u

struct reissue {
  const char *root;
};

static int push_one(struct stage *stage, uint32_t device, const struct reissue *reissue)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  if (pki_reissue(stage->pki, device, reissue->root, chain, sizeof chain, &size, &stage->error) !=
      0)
    return -1;
  if (office_push(stage->office, device, "cert", chain, size, &stage->error) != 0) return -1;
  stage->identity[device].pushed = stage_chain_mark(chain, size);
  stage->identity[device].acked = false;
  metrics_add(stage->metrics, METRIC_CERT_PUSHED, 1);
  return 0;
}

static int push_batch(struct stage *stage, const uint32_t *devices, size_t count,
                      const struct reissue *reissue)
{
  if (pki_begin(stage->pki, &stage->error) != 0) return -1;
  for (size_t i = 0; i < count; i++)
    if (push_one(stage, devices[i], reissue) != 0) return -1;
  return pki_commit(stage->pki, &stage->error);
}

/* The devices that are online go on living between the batches: a certificate takes half a
   millisecond. */
static int push_certificates(struct stage *stage, const uint32_t *devices, size_t count, void *ctx)
{
  for (size_t begun = 0; begun < count; begun += BATCH) {
    size_t left = count - begun;
    if (push_batch(stage, devices + begun, left < BATCH ? left : BATCH, ctx) != 0 ||
        !stage_yield(stage))
      return -1;
  }
  return 0;
}

static bool has_acknowledged(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return stage->identity[device].acked;
}

enum step_outcome step_reissue(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct reissue reissue = {.root = step->root};
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = push_certificates,
                        .done = has_acknowledged,
                        .ctx = &reissue,
                        .what = "acknowledged their new certificate"};
  enum step_outcome outcome = waves_run(stage, &waves, devices, count);
  free(devices);
  return outcome;
}
