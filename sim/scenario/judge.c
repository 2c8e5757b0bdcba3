/* Who judges what a step came to. A step fails where not every device did what it says; where that
 * is what a scenario wants to see, the phase's own gate or an expectation of it speaks of it, and
 * then decides. One that held before the step began speaks of it only where the step would have
 * ended that, had all devices done what it says. */
#include <string.h>

#include "scenario/scenario.h"

#define NAMES_MAX 12

/* What becomes of a quantity where every device does what a step says. */
enum effect {
  KEEPS, /* nothing: it counts what goes wrong, or who is at it */
  FILLS, /* it becomes its whole, if it is of what the step is about */
  ADDS,  /* it grows by one for each device */
  RISES, /* it grows by one */
  FRESH, /* the step ends what was so before: what holds afterwards has come true again */
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
      {"trust.refused", KEEPS}}},
    {STEP_REISSUE,
     {{"identified", FILLS}, {"certificate.committed", ADDS}, {"certificate.refused", KEEPS}}},
    {STEP_PROVE,
     {{"proven", FILLS}, {"refused", KEEPS}, {"failures", KEEPS}, {"connect.failed", KEEPS}}},
    {STEP_RECONNECT,
     {{"reconnected", FRESH},
      {"online", FRESH},
      {"on", FRESH},
      {"refused", KEEPS},
      {"failures", KEEPS},
      {"fleet.online", FRESH},
      {"devices.lost", FRESH},
      {"connect.failed", KEEPS},
      {"revoke.refusals", KEEPS},
      {"revoke.accepts", KEEPS},
      {"revoke.collateral", KEEPS}}},
    {STEP_TRESPASS, {{"trespass.attempts", ADDS}}},
    {STEP_STORM,
     {{"recover.online", FRESH},
      {"recover.p50_ms", FRESH},
      {"recover.p90_ms", FRESH},
      {"recover.p99_ms", FRESH},
      {"recover.all_ms", FRESH}}},
    {STEP_OTA_ROLLOUT,
     {{"updated", FILLS},
      {"touched", FILLS},
      {"ota", FILLS},
      {"reported", FILLS},
      {"ota.offered", ADDS},
      {"ota.updated", ADDS},
      {"ota.refused", KEEPS},
      {"ota.rolled_back", KEEPS},
      {"ota.power_cuts", KEEPS}}},
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

static bool is_about_step(const struct success *s, const char *name, const char *argument)
{
  switch (s->step->kind) {
  case STEP_PUSH_TRUST: return pki_roots_include(&s->step->roots, argument);
  case STEP_REISSUE: return strcmp(s->step->root, argument) == 0;
  case STEP_PROVE: return strcmp(s->step->chain.root, argument) == 0;
  case STEP_OTA_ROLLOUT:
    if (strcmp(name, "updated") != 0 && strcmp(name, "touched") != 0)
      return strcmp(argument, "confirmed") == 0;
    return strcmp(s->scenario->ota.images[s->step->image].name, argument) == 0;
  default: return false;
  }
}

/* Who comes to trust other roots, or to run another image, leaves the old ones behind. */
static bool is_left_behind(const char *name)
{
  return strcmp(name, "trusting") == 0 || strcmp(name, "updated") == 0;
}

static double fill(const struct success *s, const struct expr_quantity *now)
{
  double whole = now->whole > 0 ? now->whole : 1; /* a step that is done by nobody is not done */
  if (is_about_step(s, s->expr->name, s->expr->argument)) return whole;
  return is_left_behind(s->expr->name) ? 0 : now->value;
}

static double add(const struct success *s, const struct expr_quantity *now)
{
  struct expr_quantity awake = {.value = 0};
  (void) s->lookup(s->ctx, "awake", "", &awake);
  return now->value + (awake.value > 0 ? awake.value : 1);
}

static int look_at_success(void *ctx, const char *name, const char *argument,
                           struct expr_quantity *out)
{
  struct success *s = ctx;
  if (s->lookup(s->ctx, name, argument, out) != 0) return -1;
  if (strcmp(name, s->expr->name) != 0 || strcmp(argument, s->expr->argument) != 0) return 0;
  double now = out->value;
  if (s->effect == FILLS) out->value = fill(s, out);
  if (s->effect == ADDS) out->value = add(s, out);
  if (s->effect == RISES) out->value += 1;
  s->change = out->value - now;
  return 0;
}

/* Whether it holds now, and would hold as well had the step not been taken or gone well: then it
 * tells nothing of it. 'trust.committed == 20' that held before was hardly written to say that
 * nobody should commit anything now. */
static bool is_idle(struct success *s)
{
  char observed[120];
  const struct expr *expr = s->expr;
  if (s->effect == FRESH || !expr_eval(expr, s->lookup, s->ctx, observed, sizeof observed))
    return false;
  if (expr_eval(expr, look_at_success, s, observed, sizeof observed)) return true;
  return expr->op == EXPR_EQ && expr->value > 0 && s->change > 0;
}

bool scenario_judges(const struct scenario *scenario, const struct scenario_phase *phase,
                     const struct scenario_step *step, expr_lookup lookup, void *ctx,
                     const struct expr **idle)
{
  const struct judged *j = find_judged(step->kind);
  *idle = NULL;
  for (size_t i = 0; j != NULL && i < phase->expect_count + phase->has_until; i++) {
    const struct expr *expr = i < phase->expect_count ? &phase->expect[i] : &phase->until;
    const struct judged_name *name = find_name(j, expr->name);
    if (name == NULL) continue;
    struct success success = {scenario, step, expr, name->effect, lookup, ctx, 0};
    if (!is_idle(&success)) return true;
    *idle = expr;
  }
  return false;
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
