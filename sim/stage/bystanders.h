/* Who was not meant and lost his session all the same, while something was done to others. */
#ifndef FLEETSIM_STAGE_BYSTANDERS_H
#define FLEETSIM_STAGE_BYSTANDERS_H

#include "stage/stage.h"

struct stage_bystanders {
  uint32_t
      *connects; /* CONNACKs of each device so far; UINT32_MAX: he is meant, or has no session */
  size_t meant;  /* who have one */
};

/* Notes who has a session and is not among `devices`. 0, or -1 with the run aborted. */
int stage_bystanders_note(struct stage *stage, const uint32_t *devices, size_t count,
                          struct stage_bystanders *out);

/* When a hook has done it: a note of the phase says how many of them have lost theirs since. FAILED
 * where these are more than were meant and nothing else in the run ends sessions. */
enum step_outcome stage_bystanders_judge(struct stage *stage,
                                         const struct stage_bystanders *bystanders);

void stage_bystanders_free(struct stage_bystanders *bystanders);

#endif
