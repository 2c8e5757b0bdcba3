/* publish-crl: the brokers' list, whatever it says, a file of somebody else's too. */
#define _POSIX_C_SOURCE 200809L
#include "stage/crls.h"
#include "stage/undo.h"
#include "steps/steps.h"

#define FIRST_CRL_S (7 * 86400)

/* Of an imported fleet only a file that was published before can come back; the broker's very first
 * one is not known.
 */
enum step_outcome step_publish_crl(struct stage *stage, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  inverse.crl = (struct scenario_crl){.next_update_s = FIRST_CRL_S};
  inverse.apply = scenario_default_apply(stage->scenario, SCENARIO_APPLY_RELOAD);
  if (stage_lacks_crl_key(stage, &stage->client_roots) == NULL)
    stage_undo_with(stage, &inverse);
  else if (stage->crl_published.crl.file[0] != '\0')
    stage_undo_with(stage, &stage->crl_published);
  if (step->crl.file[0] != '\0') stage->crl_published = *step;
  return stage_publish_crl(stage, &step->crl, step->apply);
}
