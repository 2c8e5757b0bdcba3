/* reissue: new device certificates from the CSRs that were kept, under another root; no private key
   is touched. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleetsim/nvm.h"
#include "stage/chains.h"
#include "stage/foresight.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "stage/waves.h"
#include "steps/internal.h"

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

static enum step_outcome run_reissue(struct stage *stage, const struct scenario_step *step)
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

static int need_reissue(struct stage *stage, const struct scenario_step *step,
                        struct stage_foresight *then)
{
  (void) stage, (void) step;
  then->reissued = true;
  return 0;
}

static int take_reissue(const struct step_take *w)
{
  return step_take_root(w) != 0 || step_take_waves(w) != 0 ? -1 : step_take_within(w);
}

static void print_reissue(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[300];
  fprintf(out, "issue new device certificates under root %s, %s", step->root,
          print_waves(&step->waves, text, sizeof text));
}

static bool is_about_reissue(const struct scenario *s, const struct scenario_step *step,
                             const char *name, const char *argument)
{
  (void) s, (void) name;
  return strcmp(step->root, argument) == 0;
}

static bool is_late_reissue(const struct stage *stage, const struct shortfall *shortfall,
                            size_t device)
{
  const struct shortfall_device *of = &shortfall->device[device];
  const struct stage_identity *identity = &stage->identity[of->index];
  return identity->acked && identity->pushed == of->pushed;
}

/* reissue: {root: B, waves: [...], within: 30s} */
const struct step_kind step_reissue = {
    .name = "reissue",
    .arguments = {STEP_ARG("root"), STEP_WAVES, STEP_ARG("within")},
    .take = take_reissue,
    .follow = step_story_online,
    .print = print_reissue,
    .longest_ms = print_waves_ms,
    .judged = {{"identified", STEP_DOERS},
               {"certificate.committed", STEP_ADDS},
               {"certificate.refused", STEP_COUNTS}},
    .is_about = is_about_reissue,
    .is_late = is_late_reissue,
    .issues = true,
    .needs = need_reissue,
    .certified = true,
    .operated = true,
    .run = run_reissue,
};
