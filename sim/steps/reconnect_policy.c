/* reconnect-policy: how devices try again, from here on. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/policies.h"
#include "steps/internal.h"

static enum step_outcome run_reconnect_policy(struct stage *stage, const struct scenario_step *step)
{
  return stage_set_policy(stage, &step->who, &step->reconnect) == 0 ? STEP_DONE : STEP_ABORTED;
}

static int take_reconnect_policy(const struct step_take *w)
{
  return step_take_policy(w) != 0 ? -1 : step_take_who(w, false);
}

static void print_reconnect_policy(const struct scenario *s, const struct scenario_step *step,
                                   FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "from here on let %s try again by ", who);
  print_policy(&step->reconnect, out);
}

/* reconnect-policy: {policy: fixed, base: 5s, cap: 30s, WHO} */
const struct step_kind step_reconnect_policy = {
    .name = "reconnect-policy",
    .arguments = {STEP_ARG("policy"), STEP_ARG("base"), STEP_ARG("cap"), STEP_WHO},
    .take = take_reconnect_policy,
    .print = print_reconnect_policy,
    .run = run_reconnect_policy,
};
