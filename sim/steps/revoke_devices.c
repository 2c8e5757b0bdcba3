/* revoke, unrevoke: certificates in the registry, and with `publish` the brokers' list of them. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/crls.h"
#include "stage/foresight.h"
#include "stage/targets.h"
#include "steps/internal.h"

/* A rollback leads back to how the phase found the device: the step may have been for some whom
 * earlier phases had revoked, or for some whom nobody had. */
static int change_one(struct stage *stage, uint32_t device, const struct scenario_step *step)
{
  struct stage_identity *identity = &stage->identity[device];
  bool revoke = step->kind != &step_unrevoke;
  if (stage->rolling_back && identity->revoked_before != revoke) return 0;
  identity->revoked = revoke;
  return revoke ? pki_revoke_device(stage->pki, device, true, step->reason, NULL, &stage->error)
                : pki_unrevoke_device(stage->pki, device, NULL, &stage->error);
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

static enum step_outcome run_revoke(struct stage *stage, const struct scenario_step *step)
{
  if (change_all(stage, step) != 0) return stage_give_up(stage);
  return step->publish ? stage_publish_crl(stage, &step->crl, step->apply) : STEP_DONE;
}

static bool undo_revoke(const struct stage *stage, const struct scenario_step *step,
                        struct scenario_step *inverse)
{
  (void) stage;
  *inverse = *step;
  inverse->kind = step->kind == &step_revoke ? &step_unrevoke : &step_revoke;
  return true;
}

static int need_revoke(struct stage *stage, const struct scenario_step *step,
                       struct stage_foresight *then)
{
  if (step->publish && stage_foresee_list(stage, step, then) != 0) return -1;
  if (!then->reissued && stage_foresee_revocable(stage, step) != 0) return -1;
  if (step->publish) pki_crl_history_ours(&then->history);
  return 0;
}

/* unrevoke has no reason. */
static int take_revoke(const struct step_take *w)
{
  struct error why;
  struct scenario_step *out = w->out;
  const char *reason = step_take_text(w, "reason");
  out->reason = PKI_REASON_KEY_COMPROMISE;
  out->publish = true;
  out->apply = scenario_default_apply(w->scenario, SCENARIO_FILES_LISTS);
  out->crl.next_update_s = SCENARIO_CRL_LIFE_S;
  if (step_take_who(w, true) != 0) return -1;
  if (reason != NULL && pki_reason_parse(reason, &out->reason, &why) != 0)
    return step_take_fail(w, "reason", "%.400s", why.text);
  return step_take_flag(w, "publish", &out->publish);
}

static int follow_revoke(const struct step_follow *f)
{
  if (!f->step->publish) return 0;
  return step_story_hook(f, HOOK_PUBLISH_CRL) != 0 ? -1 : step_story_apply(f, f->step->apply);
}

static void print_revoke(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "revoke the certificates of %s (%s)%s", who, pki_reason_name(step->reason),
          step->publish ? " and publish the CRL" : "");
}

static void print_unrevoke(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "take the revocation of %s back%s", who,
          step->publish ? " and publish the CRL" : "");
}

static uint64_t longest_revoke(const struct scenario *s, const struct scenario_step *step)
{
  return step->publish ? PRINT_BROKER_MS + print_hook_ms(s) + print_list_ms(s) : 0;
}

/* revoke: {WHO, reason: keyCompromise, publish: yes} */
const struct step_kind step_revoke = {
    .name = "revoke",
    .arguments = {STEP_WHO, STEP_ARG("reason"), STEP_ARG("publish")},
    .take = take_revoke,
    .follow = follow_revoke,
    .print = print_revoke,
    .longest_ms = longest_revoke,
    .foretells = STEP_PUBLISHES_LIST,
    .needs = need_revoke,
    .undo = undo_revoke,
    .certified = true,
    .run = run_revoke,
};

/* unrevoke: {WHO, publish: yes} */
const struct step_kind step_unrevoke = {
    .name = "unrevoke",
    .arguments = {STEP_WHO, STEP_ARG("publish")},
    .take = take_revoke,
    .follow = follow_revoke,
    .print = print_unrevoke,
    .longest_ms = longest_revoke,
    .foretells = STEP_PUBLISHES_LIST,
    .needs = need_revoke,
    .undo = undo_revoke,
    .certified = true,
    .run = run_revoke,
};
