/* Threshold first, then whatever can tell chance from change: a model, ranks of runs, parts that do
 * not overlap; in this order, and what none of them can tell is unclear. */
#include "report/shift.h"

#include <assert.h>
#include <math.h>

#include "report/rank.h"

static double change_of(double a, double b)
{
  if (a == b) return 0;
  return a != 0 ? (b - a) / fabs(a) : copysign(INFINITY, b);
}

static void range_of(const struct shift_side *side, double *least, double *most)
{
  *least = INFINITY, *most = -INFINITY;
  for (size_t p = 0; p < side->part_count; p++) {
    *least = fmin(*least, side->parts[p]);
    *most = fmax(*most, side->parts[p]);
  }
}

/* All on one side, and on that where the medians of the runs are. */
static bool lie_apart(const struct shift_side *a, const struct shift_side *b, double change)
{
  double a_least, a_most, b_least, b_most;
  if (a->part_count < SHIFT_PARTS || b->part_count < SHIFT_PARTS) return false;
  range_of(a, &a_least, &a_most);
  range_of(b, &b_least, &b_most);
  return change > 0 ? b_least > a_most : b_most < a_least;
}

static enum shift_by told_by(const struct shift_side *a, const struct shift_side *b,
                             const struct shift_rule *rule, const struct shift *shift)
{
  if (rule->modelled) return SHIFT_BY_MODEL;
  if (!isnan(shift->p)) return SHIFT_BY_RUNS;
  return lie_apart(a, b, shift->change) ? SHIFT_BY_PARTS : SHIFT_BY_NOTHING;
}

void shift_judge(const struct shift_side *a, const struct shift_side *b,
                 const struct shift_rule *rule, struct shift *out)
{
  assert(a->run_count > 0 && b->run_count > 0 && rule->threshold > 0);
  *out = (struct shift){
      .a = rank_median(a->runs, a->run_count), .b = rank_median(b->runs, b->run_count), .p = NAN};
  out->change = change_of(out->a, out->b);
  if (rank_p_least(a->run_count, b->run_count) <= SHIFT_P)
    out->p = rank_p(a->runs, a->run_count, b->runs, b->run_count);
  /* a tenth is a tenth, whatever the last binary digit says */
  if (!(fabs(out->change) >= rule->threshold * (1 - 1e-9))) return;
  out->by = told_by(a, b, rule, out);
  if (out->by == SHIFT_BY_NOTHING)
    out->state = SHIFT_UNCLEAR;
  else if (out->by == SHIFT_BY_RUNS && !(out->p <= SHIFT_P))
    out->state = SHIFT_NOISE;
  else
    out->state = (out->change > 0) == rule->less_is_worse ? SHIFT_BETTER : SHIFT_WORSE;
}

const char *shift_word(enum shift_state state)
{
  static const char *const words[] = {"same", "noise", "unclear", "better", "worse"};
  return words[state];
}
