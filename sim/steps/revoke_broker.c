/* revoke-broker: a certificate that the main listener presents counts no longer. The broker goes on
 * presenting it, as whoever stole its key would: devices learn of it from the next trust bundle
 * with crls: yes. */
#define _POSIX_C_SOURCE 200809L
#include "stage/undo.h"
#include "steps/steps.h"

enum step_outcome step_revoke_broker(struct stage *stage, const struct scenario_step *step)
{
  const struct pki_chain *chain = &stage->presented[BROKER_MAIN];
  char path[FILES_PATH_MAX];
  int result = broker_path(stage->broker, "main.crt", path) != 0
                   ? error_set(&stage->error, EXIT_CODE_SETUP,
                               "the broker's folder has too long a path; use a shorter --out")
               : step->take_back
                   ? pki_unrevoke_part(stage->pki, chain, step->part, path, &stage->error)
                   : pki_revoke_part(stage->pki, chain, step->part, path, &stage->error);
  if (result != 0) {
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
  struct scenario_step inverse = *step;
  inverse.take_back = !step->take_back;
  stage_undo_with(stage, &inverse);
  return STEP_DONE;
}
