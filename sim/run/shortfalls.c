/* The steps of a phase that fell short, from their end until the phase's. One that no expression of
 * the phase can account for fails at once; the others are looked at while the gate is waited for,
 * and when all of the phase has been judged. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/parts.h"
#include "scenario/step_kind.h"
#include "stage/quantities.h"
#include "stage/shortfall.h"

/* A step that may fall short owns what comes: it does not make up for an earlier one. */
int run_shortfalls_begin(struct stage *stage, const struct scenario_step *step)
{
  if (step->kind->judged[0].name == NULL) return 0;
  for (struct shortfall *s = stage->shortfalls; s != NULL; s = s->earlier) {
    shortfall_look(stage, s);
    s->over = true;
  }
  return shortfall_begin(stage);
}

enum scenario_account run_shortfall_accounts(struct stage *stage, const struct shortfall *shortfall,
                                             const struct scenario_judge_of *of, char *why,
                                             size_t size)
{
  struct scenario_missed missed = shortfall_missed(stage, shortfall, of);
  return scenario_judge_account(of, &missed, stage_lookup, stage, why, size);
}

/* The best that an expression of the phase says of it. */
static enum scenario_account best(struct stage *stage, const struct shortfall *shortfall)
{
  char why[160];
  enum scenario_account best = SCENARIO_SAYS_NOTHING;
  for (size_t i = 0; i < shortfall->judge.count && best != SCENARIO_ACCOUNTS; i++) {
    enum scenario_account account =
        run_shortfall_accounts(stage, shortfall, &shortfall->judge.of[i], why, sizeof why);
    if (account < best) best = account;
  }
  return best;
}

bool run_shortfalls_add(struct stage *stage, const struct scenario_step *step,
                        struct scenario_judge *judge)
{
  struct shortfall *shortfall = stage->fell_short;
  scenario_judge_end(judge, stage_lookup, stage);
  shortfall->step = step;
  shortfall->judge = *judge;
  shortfall->earlier = stage->shortfalls;
  stage->shortfalls = shortfall;
  stage->fell_short = NULL;
  return best(stage, shortfall) != SCENARIO_SAYS_NOTHING;
}

bool run_shortfalls_open(struct stage *stage)
{
  for (struct shortfall *s = stage->shortfalls; s != NULL; s = s->earlier) {
    shortfall_look(stage, s);
    if (!s->over && s->step->kind->is_late != NULL && best(stage, s) != SCENARIO_ACCOUNTS)
      return true;
  }
  return false;
}

const struct shortfall *run_shortfalls_unjudged(struct stage *stage)
{
  const struct shortfall *first = NULL;
  for (struct shortfall *s = stage->shortfalls; s != NULL; s = s->earlier) {
    shortfall_look(stage, s);
    if (best(stage, s) != SCENARIO_ACCOUNTS) first = s;
  }
  return first;
}

void run_forget_shortfalls(struct stage *stage)
{
  while (stage->shortfalls != NULL) {
    struct shortfall *s = stage->shortfalls;
    stage->shortfalls = s->earlier;
    shortfall_free(s);
  }
  shortfall_free(stage->fell_short);
  stage->fell_short = NULL;
}
