/* What revoke, unrevoke and publish-crl will need, asked at the start: a staging broker is not to
 * be changed by half.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "run/state.h"

#define WAY_OUT "publish it with 'publish-crl: {file: PATH}'"

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
static int check_file(struct run *run, const struct scenario_step *step,
                      struct pki_crl_history *history)
{
  struct error *error = &run->error;
  /* what brokers of other kinds might think of it is of no interest to our own mosquitto */
  void (*warn)(void *, const char *) = run->scenario->remote ? tell_warning : NULL;
  if (pki_check_crl_secrets(step->crl.file, error) != 0)
    return error_wrap(error, "%s:%d:%d", run->scenario->file, step->line, step->column);
  if (pki_check_crls(run->pki, step->crl.file, history, warn, (void *) (uintptr_t) step, error) ==
      0)
    return 0;
  if (step->crl.unchecked && error->code == EXIT_CODE_USAGE) {
    tell_warning((void *) (uintptr_t) step, error->text);
    return 0;
  }
  return error_wrap(error, "%s:%d:%d%s", run->scenario->file, step->line, step->column,
                    error->code == EXIT_CODE_USAGE ? " ('unchecked: yes' publishes it all the same)"
                                                   : "");
}

const char *run_lacks_crl_key(const struct run *run, const struct pki_roots *trusted)
{
  struct pki_roots roots = run_crl_roots(run, trusted);
  const struct pki_roots *all = &run->scenario->roots;
  for (size_t i = 0; i < all->count; i++)
    if (pki_roots_include(&roots, all->name[i]) && !pki_can_issue(run->pki, all->name[i]))
      return all->name[i];
  return NULL;
}

static int check_list(struct run *run, const struct scenario_step *step,
                      const struct pki_roots *trusted)
{
  const char *root = run_lacks_crl_key(run, trusted);
  if (root == NULL) return 0;
  return error_set(&run->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s' makes a CRL of root '%s', and %s does not hold that root's key: "
                   "have whoever holds it make the list, and " WAY_OUT,
                   run->scenario->file, step->line, step->column, scenario_step_name(step->kind),
                   root, run->options->fleet != NULL ? run->options->fleet : "the fleet folder");
}

/* Whom a share will meet is not known yet: then one device that can be revoked is enough. */
static int check_devices(struct run *run, const struct scenario_step *step)
{
  bool all = step->who.id_count > 0;
  size_t count = all ? step->who.id_count : run->scenario->devices;
  int result = 0;
  for (size_t i = 0; i < count; i++) {
    size_t index = i;
    if (all && !pki_find_device(run->pki, step->who.ids[i], &index)) continue;
    result = pki_check_revocable(run->pki, index, &run->error);
    if (result != 0 && run->error.code != EXIT_CODE_USAGE) return -1;
    if ((result == 0) != all) break;
  }
  if (result == 0) return 0;
  return error_set(
      &run->error, EXIT_CODE_USAGE,
      "%s:%d:%d: '%s' is for certificates that this folder's own CAs issued, and those of its "
      "devices were imported: have their issuer make the list, and " WAY_OUT,
      run->scenario->file, step->line, step->column, scenario_step_name(step->kind));
}

static int check_step(struct run *run, const struct scenario_step *step, struct foresight *then)
{
  bool changes = step->kind == STEP_REVOKE || step->kind == STEP_UNREVOKE;
  if (step->kind == STEP_TRUST_CLIENTS) then->trusted = step->roots;
  if (step->kind == STEP_REISSUE) then->reissued = true;
  if (step->kind == STEP_PUBLISH_CRL && step->crl.file[0] != '\0')
    return check_file(run, step, &then->history);
  bool publishes = step->kind == STEP_PUBLISH_CRL || (changes && step->publish);
  if (publishes && check_list(run, step, &then->trusted) != 0) return -1;
  if (changes && !then->reissued && check_devices(run, step) != 0) return -1;
  if (publishes) pki_crl_history_ours(&then->history);
  return 0;
}

int run_check_crls(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct foresight then = {.trusted = scenario->client_roots};
  int result = 0;
  for (size_t p = 0; p < scenario->phase_count && result == 0; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count && result == 0; s++)
      result = check_step(run, &scenario->phases[p].steps[s], &then);
  pki_crl_history_free(&then.history);
  return result;
}
