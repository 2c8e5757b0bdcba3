/* shelf, wake, clock: devices that are switched off while the others learn, and devices whose clock
   is wrong. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/state.h"

static bool all_off(struct run *run, void *ctx)
{
  (void) ctx;
  for (size_t i = 0; i < fleet_size(run->fleet); i++) {
    const struct fleet_facts *facts = fleet_facts(run->fleet, i);
    if (facts->shelved && facts->powered) return false;
  }
  return true;
}

enum step_outcome step_shelf(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run, &(struct scenario_step){.kind = STEP_WAKE, .rate = 200});
  size_t count;
  struct scenario_who candidates = step->who;
  candidates.share = 1;
  uint32_t *devices = targets_of(run, TARGETS_AWAKE, &candidates, &count);
  if (devices == NULL) return STEP_ABORTED;
  /* from the end of the order: waves begin at its start, so that a first wave is not all on the
     shelf */
  size_t shelved = targets_count(run, &step->who);
  if (shelved > count) shelved = count;
  fleet_shelve(run->fleet, devices + (count - shelved), shelved);
  free(devices);
  enum run_waited waited = run_wait(run, all_off, NULL, step->within_ms);
  if (waited != RUN_TIMED_OUT) return waited == RUN_REACHED ? STEP_DONE : STEP_ABORTED;
  error_set(&run->error, EXIT_CODE_FAIL, "some of %zu devices are not off after %.3g s", shelved,
            (double) step->within_ms / 1000.0);
  return STEP_FAILED;
}

enum step_outcome step_wake(struct run *run, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(run, TARGETS_SHELVED, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_wake(run->fleet, devices, count, step->rate);
  free(devices);
  return STEP_DONE;
}

enum step_outcome step_clock(struct run *run, const struct scenario_step *step)
{
  run_undo_with(run,
                &(struct scenario_step){.kind = STEP_CLOCK, .who = step->who, .clock_right = true});
  size_t count;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_set_clock(run->fleet, devices, count, step->clock_right, step->clock_unix_s);
  free(devices);
  return STEP_DONE;
}
