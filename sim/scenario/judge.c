/* Who judges what a step came to. A step that falls short of some devices is excused only by an
 * expression of its phase that accounts for them. One that counts who has done it must hold with
 * them taken out; one that counts who has not must count each of them. And it must say something:
 * not hold anyway. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scenario/scenario.h"
#include "scenario/step_kind.h"

static const struct step_judged *find_name(const struct step_kind *kind, const char *name)
{
  for (const struct step_judged *j = kind->judged; j->name != NULL; j++)
    if (strcmp(j->name, name) == 0) return j;
  return NULL;
}

bool step_kind_connects(const char *name, const char *argument)
{
  return strcmp(name, "failures") != 0 || strncmp(argument, "connect.", 8) == 0;
}

static double value_of(const struct expr *expr, expr_lookup lookup, void *ctx)
{
  struct expr_quantity now;
  return lookup(ctx, expr->name, expr->argument, &now) == 0 ? now.value : NAN;
}

/* --- Which expressions ------------------------------------------------------------------------ */

static enum step_effect effect_on(const struct scenario *scenario, const struct scenario_step *step,
                                  const struct expr *expr)
{
  const struct step_judged *name = find_name(step->kind, expr->name);
  if (name == NULL) return STEP_SAYS_NOTHING;
  /* in the step's own file */
  bool about = expr->argument[0] == '\0' || step->kind->is_about == NULL ||
               step->kind->is_about(scenario, step, expr->name, expr->argument);
  return about ? name->effect : name->otherwise;
}

void scenario_judge_begin(struct scenario_judge *judge, const struct scenario *scenario,
                          const struct scenario_phase *phase, const struct scenario_step *step,
                          expr_lookup lookup, void *ctx)
{
  char observed[120];
  judge->count = 0;
  for (size_t i = 0; i < phase->expect_count + phase->has_until; i++) {
    const struct expr *expr = i < phase->expect_count ? &phase->expect[i] : &phase->until;
    enum step_effect effect = effect_on(scenario, step, expr);
    if (effect == STEP_SAYS_NOTHING || judge->count == SCENARIO_JUDGES_MAX) continue;
    double value = value_of(expr, lookup, ctx);
    judge->of[judge->count++] =
        (struct scenario_judge_of){.expr = expr,
                                   .effect = effect,
                                   .held = expr_eval(expr, lookup, ctx, observed, sizeof observed),
                                   .before = value,
                                   .after = value};
  }
}

void scenario_judge_end(struct scenario_judge *judge, expr_lookup lookup, void *ctx)
{
  for (size_t i = 0; i < judge->count; i++)
    judge->of[i].after = value_of(judge->of[i].expr, lookup, ctx);
}

/* --- What it would be ------------------------------------------------------------------------- */

/* Things as they are, but for the expression's own quantity. */
struct supposed {
  const struct expr *expr;
  expr_lookup lookup;
  void *ctx;
  double value;
};

static int look_at_supposed(void *ctx, const char *name, const char *argument,
                            struct expr_quantity *out)
{
  const struct supposed *s = ctx;
  if (s->lookup(s->ctx, name, argument, out) != 0) return -1;
  if (strcmp(name, s->expr->name) == 0 && strcmp(argument, s->expr->argument) == 0)
    out->value = s->value;
  return 0;
}

static bool holds_at(struct supposed s, double value)
{
  char observed[120];
  s.value = value;
  return expr_eval(s.expr, look_at_supposed, &s, observed, sizeof observed);
}

/* It asks for something that is done, not for what is not. */
static bool asks(const struct expr *expr)
{
  return expr->op == EXPR_GE || expr->op == EXPR_GT || (expr->op == EXPR_EQ && expr->value > 0);
}

/* --- What it says ----------------------------------------------------------------------------- */

#define HELD       "held before the step began, so it says nothing of it"
#define HOLDS_WELL "holds as well where the step goes well, so it says nothing of it"

static enum scenario_account of_time(const struct scenario_judge_of *of, char *why, size_t size)
{
  if (isnan(of->after) || of->after != of->before) return SCENARIO_ACCOUNTS;
  snprintf(why, size, "is of an earlier step: it counted nothing while this one was under way");
  return SCENARIO_SAYS_NOTHING;
}

/* It counts who has not done it. */
static enum scenario_account of_others(const struct scenario_judge_of *of, double counted,
                                       size_t devices, struct supposed now, char *why, size_t size)
{
  bool counter = of->effect == STEP_COUNTS;
  double wanted = devices > 0 ? (double) devices : 1; /* nobody at all has not done it either */
  /* it counts attempts: those of one device do not stand for another */
  if (counter && devices > 0) counted = fmin(counted, of->after - of->before);
  if (counter && devices == 0) counted = of->after - of->before;
  if (holds_at(now, counter ? of->before : now.value - counted)) {
    snprintf(why, size, "%s", of->held ? HELD : HOLDS_WELL);
    return counter ? SCENARIO_SAYS_NOTHING : SCENARIO_NOT_YET;
  }
  if (counted >= wanted) return SCENARIO_ACCOUNTS;
  snprintf(why, size, "counts %.6g of the %zu devices that did not%s", counted, devices,
           counter ? ", while the step was under way" : "");
  return counter ? SCENARIO_SAYS_NOTHING : SCENARIO_NOT_YET;
}

/* It counts who has done it, or, of presence, who is not there. */
static enum scenario_account of_doers(const struct scenario_judge_of *of,
                                      const struct scenario_missed *missed, struct supposed now,
                                      char *why, size_t size)
{
  bool missing = of->effect == STEP_MISSING, presence = missing || of->effect == STEP_PRESENT;
  double left = (double) missed->devices,
         wrongly = missing ? left - missed->counted : missed->counted;
  double without = missing ? now.value + wrongly : now.value - wrongly;
  double well = missing ? now.value - missed->counted : without + (left > 0 ? left : 1);
  bool idle =
      missing || !asks(of->expr) ? holds_at(now, well) : holds_at(now, presence ? 0 : of->before);
  if (idle && !(missing && left == 0)) {
    snprintf(why, size, "%s", of->held ? HELD : HOLDS_WELL);
    return SCENARIO_SAYS_NOTHING;
  }
  if (holds_at(now, without)) return SCENARIO_ACCOUNTS;
  snprintf(why, size,
           "counts %.6g of the %zu devices that did not, by what they were before or by another "
           "step",
           wrongly, missed->devices);
  return SCENARIO_NOT_YET;
}

enum scenario_account scenario_judge_account(const struct scenario_judge_of *of,
                                             const struct scenario_missed *missed,
                                             expr_lookup lookup, void *ctx, char *why, size_t size)
{
  struct supposed now = {of->expr, lookup, ctx, value_of(of->expr, lookup, ctx)};
  switch (of->effect) {
  case STEP_TIMES: return of_time(of, why, size);
  case STEP_OTHERS:
  case STEP_COUNTS: return of_others(of, missed->counted, missed->devices, now, why, size);
  default: return of_doers(of, missed, now, why, size);
  }
}

/* --- Without a run ---------------------------------------------------------------------------- */

const char *scenario_judging(const struct scenario_step *step)
{
  return step->kind->judged[0].name;
}

bool scenario_is_judged(const struct scenario *scenario)
{
  bool any = scenario->expect_count > 0;
  for (size_t p = 0; p < scenario->phase_count; p++)
    any = any || scenario->phases[p].has_until || scenario->phases[p].expect_count > 0;
  return any;
}
