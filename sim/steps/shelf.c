/* shelf, wake, clock: devices that are switched off while the others learn, and devices whose clock
   is wrong. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/undo.h"
#include "stage/wait.h"
#include "steps/steps.h"

static bool all_off(struct stage *stage, void *ctx)
{
  (void) ctx;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, i);
    if (facts->shelved && facts->powered) return false;
  }
  return true;
}

enum step_outcome step_shelf(struct stage *stage, const struct scenario_step *step)
{
  stage_undo_with(stage, &(struct scenario_step){.kind = STEP_WAKE, .rate = 200});
  size_t count;
  struct scenario_who candidates = step->who;
  candidates.share = 1;
  uint32_t *devices = targets_of(stage, TARGETS_AWAKE, &candidates, &count);
  if (devices == NULL) return STEP_ABORTED;
  /* from the end of the order: waves begin at its start, so that a first wave is not all on the
     shelf */
  size_t shelved = targets_count(stage, &step->who);
  if (shelved > count) shelved = count;
  fleet_shelve(stage->fleet, devices + (count - shelved), shelved);
  free(devices);
  enum stage_waited waited = stage_wait(stage, all_off, NULL, step->within_ms);
  if (waited != STAGE_TIMED_OUT) return waited == STAGE_REACHED ? STEP_DONE : STEP_ABORTED;
  error_set(&stage->error, EXIT_CODE_FAIL, "some of %zu devices are not off after %.3g s", shelved,
            (double) step->within_ms / 1000.0);
  return STEP_FAILED;
}

enum step_outcome step_wake(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(stage, TARGETS_SHELVED, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_wake(stage->fleet, devices, count, step->rate);
  free(devices);
  return STEP_DONE;
}
