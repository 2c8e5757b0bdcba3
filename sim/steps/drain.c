/* drain: no new telemetry; wait until all of it is acknowledged to the devices and has reached the
   operator, if there is one that could tell. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/books.h"
#include "stage/wait.h"
#include "steps/internal.h"

static bool settled(struct stage *stage, void *ctx)
{
  (void) ctx;
  return stage_unsettled(stage) == 0;
}

static enum step_outcome run_drain(struct stage *stage, const struct scenario_step *step)
{
  fleet_set_telemetry(stage->fleet, &(struct fleet_telemetry){.on = false});
  enum stage_waited waited = stage_wait(stage, settled, NULL, step->within_ms);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  uint64_t refused = stage_refused(stage), acknowledged,
           missing = stage_missing(stage, &acknowledged);
  if (waited == STAGE_REACHED && refused == 0) return STEP_DONE;
  if (waited == STAGE_REACHED)
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%llu telemetry messages do not arrive: a broker refused them",
              (unsigned long long) refused);
  else if (stage->unnumbered)
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%llu telemetry messages were not acknowledged after %.0f s, and a broker refused "
              "%llu",
              (unsigned long long) missing, (double) step->within_ms / 1000.0,
              (unsigned long long) refused);
  else if (missing == 0)
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%llu telemetry messages were not acknowledged after %.0f s, although all have "
              "arrived",
              (unsigned long long) stage_unsettled(stage), (double) step->within_ms / 1000.0);
  else
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%llu telemetry messages have not arrived after %.0f s: a broker acknowledged %llu "
              "of them and refused %llu%s",
              (unsigned long long) missing, (double) step->within_ms / 1000.0,
              (unsigned long long) acknowledged, (unsigned long long) refused,
              acknowledged > 0 && stage->restarted_elsewhere ? "; " STAGE_KEEPS_NOTHING : "");
  return STEP_FAILED;
}

static void print_drain(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) step;
  fprintf(out, "stop telemetry and wait until all of it %s",
          scenario_is_numbered(s) && !s->operator.none ? "has arrived" : "is acknowledged");
}

/* drain: {within: 10s}: stop telemetry, wait until all of it is acknowledged and delivered */
const struct step_kind step_drain = {
    .name = "drain",
    .arguments = {STEP_ARG("within")},
    .take = step_take_within,
    .follow = step_story_online,
    .print = print_drain,
    .longest_ms = print_within_ms,
    .run = run_drain,
};
