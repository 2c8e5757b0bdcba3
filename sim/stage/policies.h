/* Reconnect policies, as the fleet takes them. */
#ifndef FLEETSIM_STAGE_POLICIES_H
#define FLEETSIM_STAGE_POLICIES_H

#include "stage/stage.h"

struct backoff_policy stage_policy(const struct scenario_reconnect *reconnect);

/* Sets the policy of the devices that `who` names. 0, or -1 with the run aborted. */
int stage_set_policy(struct stage *stage, const struct scenario_who *who,
                     const struct scenario_reconnect *reconnect);

/* reconnect.cohorts, once the fleet is made. */
int stage_set_cohort_policies(struct stage *stage);

#endif
