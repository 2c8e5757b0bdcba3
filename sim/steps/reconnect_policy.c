/* reconnect-policy: how devices try again, from here on. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/policies.h"
#include "steps/steps.h"

enum step_outcome step_reconnect_policy(struct stage *stage, const struct scenario_step *step)
{
  return stage_set_policy(stage, &step->who, &step->reconnect) == 0 ? STEP_DONE : STEP_ABORTED;
}
