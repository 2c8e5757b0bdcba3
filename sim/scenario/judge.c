/* Who judges what a step came to. A step fails where not every device did what it says; where that
 * is what a scenario wants to see, the phase's own gate or an expectation of it speaks of it, and
 * then decides. It must speak of this very step: be about its root or image, not have held before
 * the step began unless the step would have ended that, and not be fed by a later step of its kind;
 * what only counts must have counted something while the step was under way. */
#include <math.h>
#include <string.h>

#include "scenario/scenario.h"

#define NAMES_MAX 12

/* What becomes of a quantity where every device does what a step says. */
enum effect {
  FILLS,  /* it becomes its whole, if it is of what the step is about */
  ADDS,   /* it grows by one for each device */
  RISES,  /* it grows by one */
  ALL,    /* it becomes its whole, which it may have been before: who is back, or never went */
  NOBODY, /* it becomes 0, which it may have been before */
  COUNTS, /* nothing: it counts what goes wrong */
  TIMES,  /* something else each time: what it was before, it was of an earlier step */
};

/* What an expression must name to be about the outcome of such a step: quantities and metrics. */
static const struct judged {
  enum scenario_step_kind kind;
  struct judged_name {
    const char *name;
    enum effect effect;
  } names[NAMES_MAX];
} judged[] = {
    {STEP_PUSH_TRUST,
     {{"trusting", FILLS},
      {"trust.version_acked", RISES},
      {"trust.committed", ADDS},
      {"trust.refused", COUNTS}}},
    {STEP_REISSUE,
     {{"identified", FILLS}, {"certificate.committed", ADDS}, {"certificate.refused", COUNTS}}},
    {STEP_PROVE,
     {{"proven", FILLS}, {"refused", COUNTS}, {"failures", COUNTS}, {"connect.failed", COUNTS}}},
    {STEP_RECONNECT,
     {{"reconnected", FILLS},
      {"online", ALL},
      {"on", ALL},
      {"refused", COUNTS},
      {"failures", COUNTS},
      {"fleet.online", ALL},
      {"devices.lost", NOBODY},
      {"connect.failed", COUNTS},
      {"revoke.refusals", COUNTS},
      {"revoke.accepts", COUNTS},
      {"revoke.collateral", COUNTS}}},
    {STEP_TRESPASS, {{"trespass.attempts", ADDS}}},
    {STEP_STORM,
     {{"recover.online", TIMES},
      {"recover.p50_ms", TIMES},
      {"recover.p90_ms", TIMES},
      {"recover.p99_ms", TIMES},
      {"recover.all_ms", TIMES}}},
    {STEP_OTA_ROLLOUT,
     {{"updated", FILLS},
      {"touched", FILLS},
      {"ota", FILLS},
      {"reported", FILLS},
      {"ota.offered", ADDS},
      {"ota.updated", ADDS},
      {"ota.refused", COUNTS},
      {"ota.rolled_back", COUNTS},
      {"ota.power_cuts", COUNTS}}},
};

static const struct judged *find_judged(enum scenario_step_kind kind)
{
  for (size_t i = 0; i < sizeof judged / sizeof *judged; i++)
    if (judged[i].kind == kind) return &judged[i];
  return NULL;
}

static const struct judged_name *find_name(const struct judged *j, const char *name)
{
  for (size_t n = 0; n < NAMES_MAX && j->names[n].name != NULL; n++)
    if (strcmp(j->names[n].name, name) == 0) return &j->names[n];
  return NULL;
}

/* Things as they would be, had all devices done what the step says. */
struct success {
  const struct scenario *scenario;
  const struct scenario_step *step;
  const struct expr *expr;
  enum effect effect;
  expr_lookup lookup;
  void *ctx;
  double change; /* of the expression's quantity */
};

/* Of a root, an image or a status that the step brings; of a failure that such a step meets. */
static bool is_about_step(const struct success *s, const char *name, const char *argument)
{
  if (argument[0] == '\0') return true;
  bool connects = strcmp(name, "failures") != 0 || strncmp(argument, "connect.", 8) == 0;
  switch (s->step->kind) {
  case STEP_PUSH_TRUST: return pki_roots_include(&s->step->roots, argument);
  case STEP_REISSUE: return strcmp(s->step->root, argument) == 0;
  case STEP_PROVE:
    if (s->effect == COUNTS) return connects;
    return strcmp(s->step->chain.root, argument) == 0;
  case STEP_RECONNECT: return connects;
  case STEP_OTA_ROLLOUT:
    if (strcmp(name, "updated") != 0 && strcmp(name, "touched") != 0) return true;
    return strcmp(s->scenario->ota.images[s->step->image].name, argument) == 0;
  default: return true;
  }
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
  case FILLS: return fill(s, now);
  case ALL: return now->whole > 0 ? now->whole : now->value;
  case NOBODY: return 0;
  case ADDS: return add(s, now);
  case RISES: return now->value + 1;
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
  bool presence = s->effect == ALL || s->effect == NOBODY;
  if (s->effect == TIMES) return false;
  if (presence) return expr_eval(expr, look_at_success, s, observed, sizeof observed);
  if (!holds(s)) return false;
  if (expr_eval(expr, look_at_success, s, observed, sizeof observed)) return true;
  return expr->op == EXPR_EQ && expr->value > 0 && s->change > 0;
}

static double value_of(const struct expr *expr, expr_lookup lookup, void *ctx)
{
  struct expr_quantity now;
  return lookup(ctx, expr->name, expr->argument, &now) == 0 ? now.value : NAN;
}

static double value_of_name(const char *name, expr_lookup lookup, void *ctx)
{
  struct expr_quantity now;
  return lookup(ctx, name, "", &now) == 0 ? now.value : NAN;
}

/* A reconnect that ran out of time has ended every session: who is online has come back in it. What
 * a phase then says of who is online is about the rest of them. */
static bool all_left(const struct scenario_judge *judge, expr_lookup lookup, void *ctx)
{
  double back = value_of_name("reconnected", lookup, ctx) - judge->reconnected;
  return judge->presence && value_of_name("online", lookup, ctx) <= back;
}

static bool is_same(double a, double b)
{
  return a == b || (isnan(a) && isnan(b));
}

/* Who comes to trust other roots, or to run another image, leaves the old ones behind: that they
   are still there is what a phase may want to see. */
static bool wants_the_old(struct success *s)
{
  char observed[120];
  if (strcmp(s->expr->name, "trusting") != 0 && strcmp(s->expr->name, "updated") != 0) return false;
  s->effect = NOBODY;
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
  const struct judged *j = find_judged(step->kind);
  judge->idle = NULL;
  judge->held = judge->presence = false;
  judge->reconnected = value_of_name("reconnected", lookup, ctx);
  judge->fed_again = NULL;
  judge->count = 0;
  for (size_t i = 0; j != NULL && i < phase->expect_count + phase->has_until; i++) {
    const struct expr *expr = i < phase->expect_count ? &phase->expect[i] : &phase->until;
    const struct judged_name *name = find_name(j, expr->name);
    if (name == NULL) continue;
    struct success success = {scenario, step, expr, name->effect, lookup, ctx, 0};
    bool about = is_about_step(&success, expr->name, expr->argument);
    if (!about && !wants_the_old(&success)) continue;
    if (about && is_idle(&success)) {
      judge->idle = expr;
      judge->held = holds(&success);
      judge->presence = judge->presence || name->effect == ALL || name->effect == NOBODY;
    } else if (comes_again(phase, step)) {
      judge->fed_again = expr;
    } else if (judge->count < SCENARIO_JUDGES_MAX) {
      bool counts = name->effect == COUNTS || name->effect == TIMES;
      judge->of[judge->count++] =
          (struct scenario_judge_of){expr, value_of(expr, lookup, ctx), counts};
    }
  }
}

bool scenario_judge_end(const struct scenario_judge *judge, expr_lookup lookup, void *ctx)
{
  for (size_t i = 0; i < judge->count; i++) {
    const struct scenario_judge_of *of = &judge->of[i];
    if (!of->counts || !is_same(value_of(of->expr, lookup, ctx), of->before)) return true;
  }
  return judge->fed_again == NULL && all_left(judge, lookup, ctx);
}

const char *scenario_judging(enum scenario_step_kind kind)
{
  const struct judged *j = find_judged(kind);
  return j != NULL ? j->names[0].name : NULL;
}

bool scenario_is_judged(const struct scenario *scenario)
{
  bool any = scenario->expect_count > 0;
  for (size_t p = 0; p < scenario->phase_count; p++)
    any = any || scenario->phases[p].has_until || scenario->phases[p].expect_count > 0;
  return any;
}
