/* revoke-broker: a certificate that the main listener presents counts no longer. The broker goes on
 * presenting it, as whoever stole its key would: devices learn of it from the next trust bundle
 * with crls: yes. */
#define _POSIX_C_SOURCE 200809L
#include "run/state.h"

enum step_outcome step_revoke_broker(struct run *run, const struct scenario_step *step)
{
  const struct pki_chain *chain = &run->presented[BROKER_MAIN];
  char path[FILES_PATH_MAX];
  int result = broker_path(run->broker, "main.crt", path) != 0
                   ? error_set(&run->error, EXIT_CODE_SETUP,
                               "the broker's folder has too long a path; use a shorter --out")
               : step->take_back ? pki_unrevoke_part(run->pki, chain, step->part, path, &run->error)
                                 : pki_revoke_part(run->pki, chain, step->part, path, &run->error);
  if (result != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  struct scenario_step inverse = *step;
  inverse.take_back = !step->take_back;
  run_undo_with(run, &inverse);
  return STEP_DONE;
}
