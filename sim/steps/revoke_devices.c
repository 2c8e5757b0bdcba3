/* revoke, unrevoke: certificates in the registry, and with `publish` the brokers' list of them. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/crls.h"
#include "stage/targets.h"
#include "stage/undo.h"
#include "steps/steps.h"

static int change_one(struct stage *stage, uint32_t device, const struct scenario_step *step)
{
  if (step->kind == STEP_UNREVOKE)
    return pki_unrevoke_device(stage->pki, device, NULL, &stage->error);
  return pki_revoke_device(stage->pki, device, true, step->reason, NULL, &stage->error);
}

static int change_all(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return -1;
  int result = pki_begin(stage->pki, &stage->error);
  for (size_t i = 0; i < count && result == 0; i++) result = change_one(stage, devices[i], step);
  if (result == 0) result = pki_commit(stage->pki, &stage->error);
  free(devices);
  return result;
}

static enum step_outcome change(struct stage *stage, const struct scenario_step *step,
                                enum scenario_step_kind inverse_kind)
{
  struct scenario_step inverse = *step;
  inverse.kind = inverse_kind;
  stage_undo_with(stage, &inverse);
  if (change_all(stage, step) != 0) {
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
  return step->publish ? stage_publish_crl(stage, &step->crl, step->apply) : STEP_DONE;
}

enum step_outcome step_revoke(struct stage *stage, const struct scenario_step *step)
{
  return change(stage, step, STEP_UNREVOKE);
}

enum step_outcome step_unrevoke(struct stage *stage, const struct scenario_step *step)
{
  return change(stage, step, STEP_REVOKE);
}
