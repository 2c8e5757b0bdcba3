/* What steps about revocation will need, asked before anything is sent. Each refusal says where the
 * step is and what to do instead. */
#define _POSIX_C_SOURCE 200809L
#include "stage/foresight.h"

#include "base/names.h"
#include "stage/apply.h"
#include "stage/crls.h"

#define WAY_OUT "publish it with 'publish-crl: {file: PATH}'"

/* Of those who come with what they were imported with. */
static int check_listed(struct stage *stage, const struct scenario_step *step,
                        const struct stage_foresight *then)
{
  struct pki_roots roots = stage_crl_roots(stage, &then->trusted);
  if (pki_check_listed(stage->pki, &roots, stage->scenario->devices, &stage->error) == 0) return 0;
  const struct error why = stage->error;
  if (why.code != EXIT_CODE_USAGE) return -1;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s': %s: import the fleet with that CA's key, too (--ca-keys), put "
                   "a 'reissue' before this step, or have its owner make the list and " WAY_OUT,
                   stage->scenario->file, step->line, step->column, scenario_step_name(step),
                   why.text);
}

int stage_foresee_list(struct stage *stage, const struct scenario_step *step,
                       const struct stage_foresight *then)
{
  const char *root = stage_lacks_crl_key(stage, &then->trusted);
  if (root == NULL && then->reissued) return 0;
  if (root == NULL) return check_listed(stage, step, then);
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s:%d:%d: '%s' makes a CRL of root '%s', and %s does not hold that root's key: "
      "import the fleet with it (--ca-keys), or have whoever holds it make the list and " WAY_OUT,
      stage->scenario->file, step->line, step->column, scenario_step_name(step), root,
      stage->options->fleet != NULL ? stage->options->fleet : "the fleet folder");
}

/* Whom a share will meet is not known yet: then one device that can be revoked is enough. */
int stage_foresee_revocable(struct stage *stage, const struct scenario_step *step)
{
  bool all = step->who.id_count > 0;
  size_t count = all ? step->who.id_count : stage->scenario->devices;
  int result = 0;
  for (size_t i = 0; i < count; i++) {
    size_t index = i;
    if (all && !names_find_name(stage->names, step->who.ids[i], &index)) continue;
    result = pki_check_revocable(stage->pki, index, &stage->error);
    if (result != 0 && stage->error.code != EXIT_CODE_USAGE) return -1;
    if ((result == 0) != all) break;
  }
  if (result == 0) return 0;
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s:%d:%d: '%s' is for certificates that this folder's own CAs issued, and those of its "
      "devices were imported: have their issuer make the list, and " WAY_OUT,
      stage->scenario->file, step->line, step->column, scenario_step_name(step));
}

int stage_need_chain(struct stage *stage, const struct scenario_step *step,
                     struct stage_foresight *then)
{
  struct pki_chain full = step->chain;
  (void) then;
  if (full.own[0] == '\0') return 0;
  stage_name_hosts(stage->scenario, &full);
  if (pki_check_own_chain(stage->pki, &full, &stage->error) == 0) return 0;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
}
