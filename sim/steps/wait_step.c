/* wait: nothing is done for a while. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/wait.h"
#include "steps/internal.h"

static enum step_outcome run_wait(struct stage *stage, const struct scenario_step *step)
{
  return stage_pause(stage, step->within_ms) ? STEP_DONE : STEP_ABORTED;
}

static int take_wait(const struct step_take *w)
{
  if (step_take_text(w, "for") == NULL)
    return step_take_fail(w, "", "this step needs a time: write 'for: 5s'");
  return step_take_duration(w, "for", 1, STEP_WITHIN_MAX_MS, &w->out->within_ms);
}

static void print_wait(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s, (void) step;
  fputs("wait", out);
}

/* wait: {for: 5s} */
const struct step_kind step_wait = {
    .name = "wait",
    .arguments = {STEP_ARG("for")},
    .take = take_wait,
    .print = print_wait,
    .longest_ms = print_within_ms,
    .run = run_wait,
};
