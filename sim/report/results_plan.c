/* What a run was to do, beside what it did: "planned" of results.json. Whoever reads only the phases that were
 * reached cannot tell a short scenario from one that ended early. */
#include <string.h>

#include "report/results_json.h"

static json_t *texts_of(const char *const texts[], size_t count)
{
  json_t *array = json_array();
  for (size_t t = 0; t < count; t++) array = results_json_and(array, results_json_string(texts[t]));
  return array;
}

static json_t *phase_of(const struct results_plan *phase)
{
  return json_pack("{s:o, s:o, s:o}", "name", results_json_string(phase->name), "gate",
                   phase->gate[0] != '\0' ? results_json_string(phase->gate) : json_null(),
                   "expectations", texts_of(phase->expectations, phase->count));
}

json_t *results_plan_json(const struct results *results)
{
  if (results->plan == NULL) return json_null();
  json_t *phases = json_array();
  for (size_t p = 0; p < results->plan_count; p++)
    phases = results_json_and(phases, phase_of(&results->plan[p]));
  return json_pack("{s:o, s:o}", "phases", phases, "expectations",
                   texts_of(results->plan_whole, results->plan_whole_count));
}

static bool was_checked(const json_t *checks, const char *expr, size_t nth)
{
  size_t seen = 0;
  for (size_t c = 0; c < json_array_size(checks); c++)
    seen += strcmp(results_json_text(json_array_get(checks, c), "expr"), expr) == 0;
  return seen > nth;
}

json_t *results_plan_missed(const json_t *planned, const json_t *checks)
{
  json_t *missed = json_array();
  for (size_t e = 0; e < json_array_size(planned); e++) {
    const char *expr = json_string_value(json_array_get(planned, e));
    size_t before = 0; /* in the same words */
    for (size_t other = 0; other < e; other++)
      before += json_equal(json_array_get(planned, other), json_array_get(planned, e)) ? 1 : 0;
    if (expr != NULL && !was_checked(checks, expr, before))
      missed = results_json_and(missed, results_json_string(expr));
  }
  return missed;
}
