/* What everybody expects of a run, unless its scenario says otherwise about the same quantity. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "run/parts.h"
#include "stage/nodes.h"

/* NUMBERED: messages are told apart where they arrive; UNTOLD: they are not. OPERATOR: there is
   somebody where they arrive. TOKENS: a hook renews them. LIES: devices are led to a server that
   they must not believe. */
enum of {
  OF_ALL,
  OF_TELEMETRY,
  OF_NUMBERED,
  OF_SENT,
  OF_UNTOLD,
  OF_SENT_UNTOLD,
  OF_OPERATOR,
  OF_BROKER,
  OF_UPDATES,
  OF_REPORTS,
  OF_ROLLOUTS,
  OF_LISTS,
  OF_TOKENS,
  OF_LIES,
};

/* `or`: quantities by which a scenario says otherwise too, with spaces around each; of
 * OF_ROLLOUTS in a phase as well. The books must add up whatever it says. */
static const struct {
  const char *expr;
  enum of of;
  const char * or ;
} implied[] = {
    {"devices.lost == 0", OF_ALL, ""},
    {"trespass.delivered == 0", OF_ALL, ""},
    {"telemetry.refused == 0", OF_TELEMETRY, " telemetry.declined publish "},
    {"telemetry.unheard == 0", OF_NUMBERED,
     " telemetry.lost telemetry.lost_acked telemetry.delivered "},
    {"telemetry.delivered > 0", OF_SENT, " telemetry.lost telemetry.lost_acked telemetry.unheard "},
    {"telemetry.altered == 0", OF_NUMBERED, ""},
    {"telemetry.unacked == 0", OF_UNTOLD, ""},
    {"telemetry.unnumbered > 0", OF_SENT_UNTOLD, ""},
    {"telemetry.unaccounted == 0", OF_TELEMETRY, NULL},
    {"operator.online == 1", OF_BROKER, " operator.away_s "},
    {"operator.dropped == 0", OF_OPERATOR, ""},
    {"broker.stale_leaf == 0", OF_ALL, ""},
    {"ota.bricked == 0", OF_UPDATES, ""},
    {"ota.disagree == 0", OF_REPORTS, ""},
    {"ota.unfinished == 0", OF_ROLLOUTS,
     " ota.offered ota.updated ota.refused ota.rolled_back updated touched ota reported "},
    {"revoke.unrefused == 0", OF_LISTS, ""},
    {"token.unrenewed == 0", OF_TOKENS, ""},
    {"mitm.believed == 0", OF_LIES, ""},
};
static_assert(sizeof implied / sizeof implied[0] == RUN_IMPLIED_MAX,
              "there is room for each in the results");

static bool has_telemetry(const struct stage *stage)
{
  const struct metrics *metrics = stage->metrics;
  return stage->scenario->telemetry.on || metrics_value(metrics, METRIC_TELEMETRY_SENT) > 0 ||
         metrics_value(metrics, METRIC_TELEMETRY_REFUSED) > 0;
}

/* That somebody awaits, and of which a broker has not said that it does not take it. */
static bool has_sent(const struct stage *stage)
{
  const struct metrics *metrics = stage->metrics;
  double refused = metrics_value(metrics, METRIC_TELEMETRY_REFUSED) -
                   metrics_value(metrics, METRIC_TELEMETRY_DECLINED);
  return metrics_value(metrics, METRIC_TELEMETRY_DELIVERED) > 0 ||
         metrics_value(metrics, METRIC_TELEMETRY_LOST) > refused;
}

/* Of which a broker has not said that it does not take it. */
static bool has_sent_untold(const struct stage *stage)
{
  const struct metrics *metrics = stage->metrics;
  return metrics_value(metrics, METRIC_TELEMETRY_SENT) >
         metrics_value(metrics, METRIC_TELEMETRY_REFUSED) -
             metrics_value(metrics, METRIC_TELEMETRY_DECLINED);
}

/* That a hook is asked for. */
static bool has_renewals(const struct scenario *scenario)
{
  return scenario->credentials.secret == SCENARIO_SECRET_TOKEN &&
         scenario->hook[HOOK_RENEW_TOKEN][0] != '\0';
}

static bool has_lies(const struct scenario *scenario)
{
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (scenario->phases[p].steps[s].doubted) return true;
  return false;
}

static bool applies(const struct stage *stage, enum of of)
{
  bool operated = !stage->scenario->operator.none;
  switch (of) {
  case OF_ALL: return true;
  case OF_TELEMETRY: return has_telemetry(stage);
  case OF_NUMBERED: return has_telemetry(stage) && !stage->unnumbered;
  case OF_SENT: return has_sent(stage) && !stage->unnumbered;
  case OF_UNTOLD: return has_telemetry(stage) && stage->unnumbered;
  case OF_SENT_UNTOLD: return has_sent_untold(stage) && stage->unnumbered && operated;
  case OF_OPERATOR: return operated;
  case OF_BROKER: return stage_has_broker(stage) && operated;
  case OF_UPDATES: return stage->ota != NULL;
  case OF_REPORTS:
  case OF_ROLLOUTS: return stage->ota != NULL && operated;
  case OF_LISTS: return stage->scenario->crl;
  case OF_TOKENS: return has_renewals(stage->scenario);
  case OF_LIES: return has_lies(stage->scenario);
  }
  return true;
}

/* The quantity's name; of failures(publish.x) "publish". */
static void quantity(const struct expr *expr, char out[96])
{
  bool failures = strcmp(expr->name, "failures") == 0;
  int size = failures ? (int) strcspn(expr->argument, ".") : (int) strlen(expr->name);
  snprintf(out, 96, "%.*s", size, failures ? expr->argument : expr->name);
}

static bool names(const struct expr *expr, const char *name, const char * or)
{
  char own[96], spaced[100];
  quantity(expr, own);
  snprintf(spaced, sizeof spaced, " %s ", own);
  return strcmp(own, name) == 0 || strstr(or, spaced) != NULL;
}

static bool is_named(const struct scenario *scenario, const char *name, const char * or)
{
  bool named = false;
  for (size_t e = 0; e < scenario->expect_count; e++)
    named = named || names(&scenario->expect[e], name, or);
  return named;
}

/* What a phase expects is of its own moment. */
static bool is_named_in_a_phase(const struct scenario *scenario, const char *name, const char * or)
{
  bool named = false;
  for (size_t p = 0; p < scenario->phase_count; p++) {
    const struct scenario_phase *phase = &scenario->phases[p];
    named = named || (phase->has_until && names(&phase->until, name, or));
    for (size_t e = 0; e < phase->expect_count; e++)
      named = named || names(&phase->expect[e], name, or);
  }
  return named;
}

static bool is_spoken_of(const struct scenario *scenario, size_t i, const char *name)
{
  if (is_named(scenario, name, implied[i].or)) return true;
  return implied[i].of == OF_ROLLOUTS && is_named_in_a_phase(scenario, name, implied[i].or);
}

void run_check_implied(struct stage *stage,
                       void (*check)(struct stage *stage, const struct expr *expr))
{
  for (size_t i = 0; i < RUN_IMPLIED_MAX; i++) {
    struct expr expr;
    char why[128];
    size_t column;
    int parsed = expr_parse(implied[i].expr, &expr, why, sizeof why, &column);
    assert(parsed == 0);
    (void) parsed;
    if (!applies(stage, implied[i].of)) continue;
    if (implied[i].or != NULL && is_spoken_of(stage->scenario, i, expr.name)) continue;
    check(stage, &expr);
    run_explain(stage, &expr, true,
                &stage->results.expectations[stage->results.expectation_count - 1]);
  }
}
