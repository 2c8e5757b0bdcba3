/* What will have come about by the time of a step, before anything is done: a staging broker is not
 * to be changed by half. */
#ifndef FLEETSIM_STAGE_FORESIGHT_H
#define FLEETSIM_STAGE_FORESIGHT_H

#include "stage/stage.h"

struct stage_foresight {
  struct pki_crl_history history;
  struct pki_roots trusted; /* whose clients the broker trusts */
  bool reissued;            /* some devices have a certificate of ours then */
  bool renewed;             /* .. or of a CA that is not known before the run */
};

/* Whether the chain of such a step, where it is its owner's, is what the step says it is. */
int stage_need_chain(struct stage *stage, const struct scenario_step *step,
                     struct stage_foresight *then);

/* Whether a list of revocations can be made here for such a step, and whether its devices can be
 * revoked. 0, or -1 with stage->error, a sentence at the step's place. */
int stage_foresee_list(struct stage *stage, const struct scenario_step *step,
                       const struct stage_foresight *then);
int stage_foresee_revocable(struct stage *stage, const struct scenario_step *step);

#endif
