/* shelf, wake: devices that are switched off while the others learn. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

static bool all_off(struct stage *stage, void *ctx)
{
  (void) ctx;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, i);
    if (facts->shelved && facts->powered) return false;
  }
  return true;
}

static enum step_outcome run_shelf(struct stage *stage, const struct scenario_step *step)
{
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

/* A rollback takes back its phase: who was on the shelf before stays there. */
static enum step_outcome run_wake(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  enum targets_kind kind = stage->rolling_back ? TARGETS_JUST_SHELVED : TARGETS_SHELVED;
  uint32_t *devices = targets_list(stage, kind, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_wake(stage->fleet, devices, count, step->rate);
  free(devices);
  return STEP_DONE;
}

static bool undo_shelf(const struct stage *stage, const struct scenario_step *step,
                       struct scenario_step *inverse)
{
  (void) stage, (void) step;
  *inverse = (struct scenario_step){.kind = &step_wake, .rate = STEP_RATE_PER_S};
  return true;
}

static int take_shelf(const struct step_take *w)
{
  return step_take_who(w, true);
}

static int follow_shelf(const struct step_follow *f)
{
  f->story->shelved = true;
  return step_story_online(f);
}

static int follow_wake(const struct step_follow *f)
{
  if (f->story->shelved) return 0;
  return step_story_fail(f, "", "'wake' has nobody to wake: put a 'shelf' step above it");
}

static void print_shelf(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "switch %s off", who);
}

static void print_wake(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  fprintf(out, "switch the shelved devices on at %.6g/s", step->rate);
}

/* shelf: {WHO} */
const struct step_kind step_shelf = {
    .name = "shelf",
    .arguments = {STEP_WHO},
    .take = take_shelf,
    .follow = follow_shelf,
    .print = print_shelf,
    .longest_ms = print_within_ms,
    .undo = undo_shelf,
    .run = run_shelf,
};

/* wake: {rate: 200/s} */
const struct step_kind step_wake = {
    .name = "wake",
    .arguments = {STEP_ARG("rate")},
    .take = step_take_rate,
    .follow = follow_wake,
    .print = print_wake,
    .run = run_wake,
};
