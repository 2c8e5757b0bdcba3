/* Who judges what a step came to. A step fails where not every device did what it says; where that
 * is what a scenario wants to see, the phase's own gate or an expectation of it speaks of it, and
 * then decides. It must speak of this very step: be about its root or image, not have held before
 * the step began unless the step would have ended that, and not be fed by a later step of its kind;
 * what only counts must have counted something while the step was under way. */
#include <math.h>
#include <string.h>

#include "scenario/scenario.h"
#include "scenario/step_kind.h"

static const struct step_judged *find_name(const struct step_kind *kind, const char *name)
{
  for (const struct step_judged *j = kind->judged; j->name != NULL; j++)
    if (strcmp(j->name, name) == 0) return j;
  return NULL;
}

/* Things as they would be, had all devices done what the step says. */
struct success {
  const struct scenario *scenario;
  const struct scenario_step *step;
  const struct expr *expr;
  enum step_effect effect;
  expr_lookup lookup;
  void *ctx;
  double change; /* of the expression's quantity */
};

/* Of a root, an image or a status that the step brings; of a failure that such a step meets. */
static bool is_about_step(const struct success *s, const char *name, const char *argument)
{
  const struct step_kind *kind = s->step->kind;
  return argument[0] == '\0' || kind->is_about == NULL ||
         kind->is_about(s->scenario, s->step, name, argument);
}

bool step_kind_connects(const char *name, const char *argument)
{
  return strcmp(name, "failures") != 0 || strncmp(argument, "connect.", 8) == 0;
}

/* A rollout that all devices do ends as 'confirmed'; other statuses it empties or leaves. */
static double fill(const struct success *s, const struct expr_quantity *now)
{
  double whole = now->whole > 0 ? now->whole : 1; /* a step that is done by nobody is not done */
  bool is_status = strcmp(s->expr->name, "ota") == 0 || strcmp(s->expr->name, "reported") == 0;
  return is_status && strcmp(s->expr->argument, "confirmed") != 0 ? now->value : whole;
}

static double add(const struct success *s, const struct expr_quantity *now)
{
  struct expr_quantity awake = {.value = 0};
  (void) s->lookup(s->ctx, "awake", "", &awake);
  return now->value + (awake.value > 0 ? awake.value : 1);
}

static double succeed(const struct success *s, const struct expr_quantity *now)
{
  switch (s->effect) {
  case STEP_FILLS: return fill(s, now);
  case STEP_ALL: return now->whole > 0 ? now->whole : now->value;
  case STEP_NOBODY: return 0;
  case STEP_ADDS: return add(s, now);
  case STEP_RISES: return now->value + 1;
  default: return now->value;
  }
}

static int look_at_success(void *ctx, const char *name, const char *argument,
                           struct expr_quantity *out)
{
  struct success *s = ctx;
  if (s->lookup(s->ctx, name, argument, out) != 0) return -1;
  if (strcmp(name, s->expr->name) != 0 || strcmp(argument, s->expr->argument) != 0) return 0;
  double now = out->value;
  out->value = succeed(s, out);
  s->change = out->value - now;
  return 0;
}

static bool holds(struct success *s)
{
  char observed[120];
  return expr_eval(s->expr, s->lookup, s->ctx, observed, sizeof observed);
}

/* Whether it would hold had the step gone well, and holds now as well: then it tells nothing of
 * it. Who is online was so before, or is so whatever becomes of the step: it must want them gone,
 * or the step have left nobody there that did not come back (all_left).
 * 'trust.committed == 20' that held before was hardly written to say that nobody should commit
 * anything now. */
static bool is_idle(struct success *s)
{
  char observed[120];
  const struct expr *expr = s->expr;
  bool presence = s->effect == STEP_ALL || s->effect == STEP_NOBODY;
  if (s->effect == STEP_TIMES) return false;
  if (presence) return expr_eval(expr, look_at_success, s, observed, sizeof observed);
  if (!holds(s)) return false;
  if (expr_eval(expr, look_at_success, s, observed, sizeof observed)) return true;
  return expr->op == EXPR_EQ && expr->value > 0 && s->change > 0;
}

static double value_of(const char *name, const char *argument, expr_lookup lookup, void *ctx)
{
  struct expr_quantity now;
  return lookup(ctx, name, argument, &now) == 0 ? now.value : NAN;
}

/* A reconnect that ran out of time has ended every session: who is online has come back in it. What
 * a phase then says of who is online is about the rest of them. */
static bool all_left(const struct scenario_judge *judge, expr_lookup lookup, void *ctx)
{
  double back = value_of("reconnected", "", lookup, ctx) - judge->reconnected;
  return judge->presence && value_of("online", "", lookup, ctx) <= back;
}

/* Who comes to trust other roots, or to run another image, leaves the old ones behind: that they
   are still there is what a phase may want to see. */
static bool wants_the_old(struct success *s)
{
  char observed[120];
  if (strcmp(s->expr->name, "trusting") != 0 && strcmp(s->expr->name, "updated") != 0) return false;
  s->effect = STEP_NOBODY;
  return holds(s) && !expr_eval(s->expr, look_at_success, s, observed, sizeof observed);
}

/* What is fed by a later step of the phase as well may owe its truth to that one. */
static bool comes_again(const struct scenario_phase *phase, const struct scenario_step *step)
{
  for (const struct scenario_step *later = step + 1; later < phase->steps + phase->step_count;
       later++)
    if (later->kind == step->kind) return true;
  return false;
}

void scenario_judge_begin(struct scenario_judge *judge, const struct scenario *scenario,
                          const struct scenario_phase *phase, const struct scenario_step *step,
                          expr_lookup lookup, void *ctx)
{
  judge->idle = NULL;
  judge->held = judge->presence = false;
  judge->reconnected = value_of("reconnected", "", lookup, ctx);
  judge->fed_again = NULL;
  judge->count = 0;
  for (size_t i = 0; i < phase->expect_count + phase->has_until; i++) {
    const struct expr *expr = i < phase->expect_count ? &phase->expect[i] : &phase->until;
    const struct step_judged *name = find_name(step->kind, expr->name);
    if (name == NULL) continue;
    struct success success = {scenario, step, expr, name->effect, lookup, ctx, 0};
    bool about = is_about_step(&success, expr->name, expr->argument);
    if (!about && !wants_the_old(&success)) continue;
    if (about && is_idle(&success)) {
      judge->idle = expr;
      judge->held = holds(&success);
      judge->presence = judge->presence || name->effect == STEP_ALL || name->effect == STEP_NOBODY;
    } else if (comes_again(phase, step)) {
      judge->fed_again = expr;
    } else if (judge->count < SCENARIO_JUDGES_MAX) {
      bool counts = name->effect == STEP_COUNTS || name->effect == STEP_TIMES;
      judge->of[judge->count++] = (struct scenario_judge_of){
          expr, value_of(expr->name, expr->argument, lookup, ctx), counts};
    }
  }
}

bool scenario_judge_end(const struct scenario_judge *judge, expr_lookup lookup, void *ctx)
{
  for (size_t i = 0; i < judge->count; i++) {
    const struct scenario_judge_of *of = &judge->of[i];
    double now = value_of(of->expr->name, of->expr->argument, lookup, ctx);
    /* without a value nothing holds: it fails by its own words */
    if (!of->counts || isnan(now) || now != of->before) return true;
  }
  return judge->fed_again == NULL && all_left(judge, lookup, ctx);
}

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
