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
  char observed[120];
  for (size_t i = 0; i < judge->count; i++) {
    struct scenario_judge_of *of = &judge->of[i];
    of->after = value_of(of->expr, lookup, ctx);
    of->ended = expr_eval(of->expr, lookup, ctx, observed, sizeof observed);
  }
}

/* --- What it would be ------------------------------------------------------------------------- */

/* Things as they are, but for the expression's own quantity, and for who has left what a percentage
   is of: a share does not grow by those who are missing in it. */
struct supposed {
  const struct expr *expr;
  expr_lookup lookup;
  void *ctx;
  double value;
  size_t left;
};

static int look_at_supposed(void *ctx, const char *name, const char *argument,
                            struct expr_quantity *out)
{
  const struct supposed *s = ctx;
  if (s->lookup(s->ctx, name, argument, out) != 0) return -1;
  bool own = strcmp(name, s->expr->name) == 0 && strcmp(argument, s->expr->argument) == 0;
  if (own) out->value = s->value;
  if (own && s->expr->of[0] == '\0') out->whole += (double) s->left;
  if (!own) out->value += (double) s->left; /* it is the set that it is a share of */
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

/* What comes after the step may be another outage. */
static enum scenario_account of_time(const struct scenario_judge_of *of, bool outage, char *why,
                                     size_t size)
{
  if (outage && of->ended) return SCENARIO_ACCOUNTS;
  snprintf(why, size, "%s",
           outage ? "did not hold as the step ended"
                  : "is of an earlier outage, in which more were missing: not of this step");
  return outage ? SCENARIO_NOT_YET : SCENARIO_SAYS_NOTHING;
}

/* Only because who fell short has left what a percentage is of. */
static bool holds_of_the_rest(struct supposed now, double value)
{
  size_t left = now.left;
  if (left == 0 || holds_at(now, value)) return false;
  now.left = 0;
  return holds_at(now, value);
}

static enum scenario_account say_left(const struct scenario_missed *missed, char *why, size_t size)
{
  snprintf(why, size,
           "is a share of those who are left: %zu of the %zu devices that did not are no longer "
           "among them",
           missed->left, missed->devices);
  return SCENARIO_NOT_YET;
}

/* It counts who was told to do it. */
static enum scenario_account of_reached(const struct scenario_judge_of *of,
                                        const struct scenario_missed *missed, struct supposed now,
                                        char *why, size_t size)
{
  if (!holds_at(now, now.value + (double) missed->devices - missed->counted))
    return SCENARIO_ACCOUNTS;
  snprintf(why, size, "%s", of->held ? HELD : HOLDS_WELL);
  return SCENARIO_SAYS_NOTHING;
}

/* It counts who has not done it. */
static enum scenario_account of_others(const struct scenario_judge_of *of,
                                       const struct scenario_missed *missed, struct supposed now,
                                       char *why, size_t size)
{
  bool counter = of->effect == STEP_COUNTS;
  size_t devices = missed->devices;
  double counted = missed->counted;
  double wanted = devices > 0 ? (double) devices : 1; /* nobody at all has not done it either */
  /* it counts attempts: those of one device do not stand for another */
  if (counter && devices > 0) counted = fmin(counted, of->after - of->before);
  if (counter && devices == 0) counted = of->after - of->before;
  if (holds_at(now, counter ? of->before : now.value - counted - missed->besides)) {
    snprintf(why, size, "%s", of->held ? HELD : HOLDS_WELL);
    return counter ? SCENARIO_SAYS_NOTHING : SCENARIO_NOT_YET;
  }
  if (holds_of_the_rest(now, now.value)) return say_left(missed, why, size);
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
  /* it held before, and holds by those who have done it */
  if (of->effect == STEP_DOERS && asks(of->expr) && missed->done > 0)
    idle = idle && !holds_at(now, missed->done);
  if (idle && !(missing && left == 0)) {
    snprintf(why, size, "%s", of->held ? HELD : HOLDS_WELL);
    return SCENARIO_SAYS_NOTHING;
  }
  if (holds_at(now, without)) return SCENARIO_ACCOUNTS;
  if (holds_of_the_rest(now, without)) return say_left(missed, why, size);
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
  struct supposed now = {of->expr, lookup, ctx, value_of(of->expr, lookup, ctx), missed->left};
  switch (of->effect) {
  case STEP_TIMES: return of_time(of, missed->outage, why, size);
  case STEP_REACHED: return of_reached(of, missed, now, why, size);
  case STEP_OTHERS:
  case STEP_COUNTS: return of_others(of, missed, now, why, size);
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
