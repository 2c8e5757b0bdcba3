/* What the scenario has checked, for results that may never come to all of it. */
#include <stdlib.h>

#include "run/parts.h"

static size_t count_expected(const struct scenario *scenario)
{
  size_t count = scenario->expect_count;
  for (size_t p = 0; p < scenario->phase_count; p++) count += scenario->phases[p].expect_count;
  return count;
}

static const char **take_texts(const char **at, const struct expr *exprs, size_t count)
{
  for (size_t e = 0; e < count; e++) *at++ = exprs[e].text;
  return at;
}

int run_tell_plan(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct results *results = &stage->results;
  stage->plan = calloc(scenario->phase_count + 1, sizeof *stage->plan);
  stage->plan_texts = calloc(count_expected(scenario) + 1, sizeof *stage->plan_texts);
  if (stage->plan == NULL || stage->plan_texts == NULL)
    return error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
  const char **texts = stage->plan_texts;
  for (size_t p = 0; p < scenario->phase_count; p++) {
    const struct scenario_phase *phase = &scenario->phases[p];
    stage->plan[p] = (struct results_plan){.name = phase->name,
                                           .gate = phase->has_until ? phase->until.text : "",
                                           .expectations = texts,
                                           .count = phase->expect_count};
    texts = take_texts(texts, phase->expect, phase->expect_count);
  }
  results->plan = stage->plan;
  results->plan_count = scenario->phase_count;
  results->plan_whole = texts;
  results->plan_whole_count = scenario->expect_count;
  (void) take_texts(texts, scenario->expect, scenario->expect_count);
  return 0;
}

void run_free_plan(struct stage *stage)
{
  free(stage->plan);
  free(stage->plan_texts);
}
