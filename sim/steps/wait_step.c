/* wait: nothing is done for a while. */
#define _POSIX_C_SOURCE 200809L
#include "stage/wait.h"
#include "steps/steps.h"

enum step_outcome step_wait(struct stage *stage, const struct scenario_step *step)
{
  return stage_pause(stage, step->within_ms) ? STEP_DONE : STEP_ABORTED;
}
