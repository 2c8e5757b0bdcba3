/* power-cut: the power of devices fails in the midst of what they write. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/targets.h"
#include "steps/internal.h"

#define CUT_EVERY     50u
#define CUT_EVERY_MAX 1000000u
#define CUT_TIMES     3u
#define CUT_TIMES_MAX 10000u

static enum step_outcome run_power_cut(struct stage *stage, const struct scenario_step *step)
{
  const struct scenario_power_cut *from = &step->power_cut;
  const struct fleet_power_cuts cuts = {.at = from->every_operation ? FLEET_CUTS_EACH
                                                                    : FLEET_CUTS_RANDOM,
                                        .every = from->every,
                                        .times = from->times};
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  fleet_power_cut(stage->fleet, devices, count, &cuts);
  free(devices);
  return STEP_DONE;
}

static int take_power_cut(const struct step_take *w)
{
  static const char *const words[] = {"random", "every-operation", NULL};
  struct scenario_power_cut *out = &w->out->power_cut;
  int at = 0;
  *out = (struct scenario_power_cut){.every = CUT_EVERY, .times = CUT_TIMES};
  if (step_take_ota(w) != 0 || step_take_who(w, true) != 0 ||
      step_take_word(w, "at", words, &at) != 0 ||
      step_take_number(w, "every", 1, CUT_EVERY_MAX, &out->every) != 0 ||
      step_take_number(w, "times", 1, CUT_TIMES_MAX, &out->times) != 0)
    return -1;
  out->every_operation = at == 1;
  if (!out->every_operation || step_take_text(w, "every") == NULL) return 0;
  return step_take_fail(w, "every",
                        "'every-operation' cuts at one operation after the other: remove this");
}

static void print_power_cut(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  const struct scenario_power_cut *cut = &step->power_cut;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "from here on cut the power of %s %u times, ", who, (unsigned) cut->times);
  if (cut->every_operation)
    fputs("each at another operation on its memory, so that none is left out", out);
  else
    fprintf(out, "at random, after some %u operations on its memory", (unsigned) cut->every);
}

/* power-cut: {WHO, at: random|every-operation, every: 50, times: 3}: cuts to come */
const struct step_kind step_power_cut = {
    .name = "power-cut",
    .arguments = {STEP_WHO, STEP_ARG("at"), STEP_ARG("every"), STEP_ARG("times")},
    .take = take_power_cut,
    .print = print_power_cut,
    .run = run_power_cut,
};
