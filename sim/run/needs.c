/* What the steps will need of the fleet folder, asked at the start: a staging broker is not to be
 * changed by half. Each refusal says where the step is and what to do instead. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "fleetsim/nvm.h"
#include "run/parts.h"
#include "stage/crls.h"
#include "stage/folder.h"

#define WAY_OUT "publish it with 'publish-crl: {file: PATH}'"

/* --- Certificates ----------------------------------------------------------------------------- */

/* Refuses a step whose certificates cannot be made in this folder, before anything is sent. */
static int check_step_roots(struct stage *stage, const struct scenario_step *step)
{
  bool issues =
      step->kind == STEP_PRESENT || step->kind == STEP_PROVE || step->kind == STEP_REISSUE;
  if (!issues || pki_can_issue(stage->pki, step->root)) return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s' needs a certificate under root '%s', and %s does not hold that "
                   "root's key: leave the step out, or use a root that 'fleetsim pki make' made",
                   stage->scenario->file, step->line, step->column, scenario_step_name(step->kind),
                   step->root, stage->options->fleet);
}

int run_check_roots(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_roots(stage, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* --- Revocations and lists -------------------------------------------------------------------- */

/* What will have come about by the time of a step. */
struct foresight {
  struct pki_crl_history history;
  struct pki_roots trusted; /* whose clients the broker trusts */
  bool reissued;            /* some devices have a certificate of ours then */
};

static void tell_warning(void *ctx, const char *sentence)
{
  const struct scenario_step *step = ctx;
  fprintf(stderr, "fleetsim: warning: line %d: %s\n", step->line, sentence);
}

/* What 'unchecked' lets through is said all the same, with what will come of it. */
static int check_file(struct stage *stage, const struct scenario_step *step,
                      struct pki_crl_history *history)
{
  struct error *error = &stage->error;
  /* what brokers of other kinds might think of it is of no interest to our own mosquitto */
  void (*warn)(void *, const char *) = stage->scenario->remote ? tell_warning : NULL;
  if (pki_check_crl_secrets(step->crl.file, error) != 0)
    return error_wrap(error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
  if (pki_check_crls(stage->pki, step->crl.file, history, warn, (void *) (uintptr_t) step, error) ==
      0)
    return 0;
  if (step->crl.unchecked && error->code == EXIT_CODE_USAGE) {
    tell_warning((void *) (uintptr_t) step, error->text);
    return 0;
  }
  return error_wrap(error, "%s:%d:%d%s", stage->scenario->file, step->line, step->column,
                    error->code == EXIT_CODE_USAGE ? " ('unchecked: yes' publishes it all the same)"
                                                   : "");
}

static int check_list(struct stage *stage, const struct scenario_step *step,
                      const struct pki_roots *trusted)
{
  const char *root = stage_lacks_crl_key(stage, trusted);
  if (root == NULL) return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s' makes a CRL of root '%s', and %s does not hold that root's key: "
                   "have whoever holds it make the list, and " WAY_OUT,
                   stage->scenario->file, step->line, step->column, scenario_step_name(step->kind),
                   root,
                   stage->options->fleet != NULL ? stage->options->fleet : "the fleet folder");
}

/* Whom a share will meet is not known yet: then one device that can be revoked is enough. */
static int check_devices(struct stage *stage, const struct scenario_step *step)
{
  bool all = step->who.id_count > 0;
  size_t count = all ? step->who.id_count : stage->scenario->devices;
  int result = 0;
  for (size_t i = 0; i < count; i++) {
    size_t index = i;
    if (all && !pki_find_device(stage->pki, step->who.ids[i], &index)) continue;
    result = pki_check_revocable(stage->pki, index, &stage->error);
    if (result != 0 && stage->error.code != EXIT_CODE_USAGE) return -1;
    if ((result == 0) != all) break;
  }
  if (result == 0) return 0;
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s:%d:%d: '%s' is for certificates that this folder's own CAs issued, and those of its "
      "devices were imported: have their issuer make the list, and " WAY_OUT,
      stage->scenario->file, step->line, step->column, scenario_step_name(step->kind));
}

static int check_step(struct stage *stage, const struct scenario_step *step, struct foresight *then)
{
  bool changes = step->kind == STEP_REVOKE || step->kind == STEP_UNREVOKE;
  if (step->kind == STEP_TRUST_CLIENTS) then->trusted = step->roots;
  if (step->kind == STEP_REISSUE) then->reissued = true;
  if (step->kind == STEP_PUBLISH_CRL && step->crl.file[0] != '\0')
    return check_file(stage, step, &then->history);
  bool publishes = step->kind == STEP_PUBLISH_CRL || (changes && step->publish);
  if (publishes && check_list(stage, step, &then->trusted) != 0) return -1;
  if (changes && !then->reissued && check_devices(stage, step) != 0) return -1;
  if (publishes) pki_crl_history_ours(&then->history);
  return 0;
}

static int check_crls(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct foresight then = {.trusted = scenario->client_roots};
  int result = 0;
  for (size_t p = 0; p < scenario->phase_count && result == 0; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count && result == 0; s++)
      result = check_step(stage, &scenario->phases[p].steps[s], &then);
  pki_crl_history_free(&then.history);
  return result;
}

/* --- Devices and bundles ---------------------------------------------------------------------- */

static bool is_in_fleet(const struct stage *stage, uint32_t id)
{
  for (size_t i = 0; i < stage->scenario->devices; i++)
    if (stage->ids[i] == id) return true;
  return false;
}

static int check_step_ids(struct stage *stage, const struct scenario_step *step)
{
  for (size_t i = 0; i < step->who.id_count; i++)
    if (!is_in_fleet(stage, step->who.ids[i]))
      return error_set(
          &stage->error, EXIT_CODE_USAGE,
          "%s:%d:%d: no device of this fleet has the id %08x; its ids go from %08x to %08x",
          stage->scenario->file, step->line, step->column, step->who.ids[i], stage->ids[0],
          stage->ids[stage->scenario->devices - 1]);
  return 0;
}

static int check_ids(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_ids(stage, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* Whether its bundle fits the devices' memory: a list that the run fills may still outgrow it. */
static int check_step_bundle(struct stage *stage, const struct scenario_step *step)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  size_t size;
  if (step->kind != STEP_PUSH_TRUST) return 0;
  if (pki_make_bundle_with_lists(stage->pki, 1, &step->roots,
                                 stage_lists(stage->scenario, step->crls), bytes, sizeof bytes,
                                 &size, &stage->error) == 0)
    return 0;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
}

static int check_bundles(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_bundle(stage, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

int run_check_needs(struct stage *stage)
{
  return check_ids(stage) != 0 || check_crls(stage) != 0 ? -1 : check_bundles(stage);
}
