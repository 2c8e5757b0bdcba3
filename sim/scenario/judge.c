/* Who judges what a step came to. A step fails where not every device did what it says; where that is what a scenario
 * wants to see, the phase's own gate or an expectation of it speaks of it, and then decides. */
#include <string.h>

#include "scenario/scenario.h"

#define NAMES_MAX 16

/* What an expression must name to be about the outcome of such a step: quantities and metrics. */
static const struct judged {
  enum scenario_step_kind kind;
  const char *names[NAMES_MAX];
} judged[] = {
    {STEP_PUSH_TRUST, {"trusting", "trust.version_acked", "trust.committed", "trust.refused"}},
    {STEP_REISSUE, {"identified", "certificate.committed", "certificate.refused"}},
    {STEP_PROVE, {"proven", "refused", "failures", "connect.failed"}},
    {STEP_RECONNECT,
     {"reconnected", "online", "on", "refused", "failures", "fleet.online", "devices.lost", "connect.failed",
      "revoke.refusals", "revoke.accepts", "revoke.collateral"}},
    {STEP_TRESPASS, {"trespass.attempts"}},
    {STEP_STORM, {"recover.online", "recover.p50_ms", "recover.p90_ms", "recover.p99_ms", "recover.all_ms"}},
    {STEP_OTA_ROLLOUT,
     {"updated", "touched", "ota", "reported", "ota.offered", "ota.updated", "ota.refused", "ota.rolled_back",
      "ota.power_cuts"}},
};

static bool is_about(const struct judged *j, const char *name)
{
  for (size_t n = 0; n < NAMES_MAX && j->names[n] != NULL; n++)
    if (strcmp(j->names[n], name) == 0) return true;
  return false;
}

bool scenario_judges(const struct scenario_phase *phase, enum scenario_step_kind kind)
{
  for (size_t i = 0; i < sizeof judged / sizeof *judged; i++) {
    const struct judged *j = &judged[i];
    if (j->kind != kind) continue;
    if (phase->has_until && is_about(j, phase->until.name)) return true;
    for (size_t e = 0; e < phase->expect_count; e++)
      if (is_about(j, phase->expect[e].name)) return true;
  }
  return false;
}

const char *scenario_judging(enum scenario_step_kind kind)
{
  for (size_t i = 0; i < sizeof judged / sizeof *judged; i++)
    if (judged[i].kind == kind) return judged[i].names[0];
  return NULL;
}

bool scenario_is_judged(const struct scenario *scenario)
{
  bool any = scenario->expect_count > 0;
  for (size_t p = 0; p < scenario->phase_count; p++)
    any = any || scenario->phases[p].has_until || scenario->phases[p].expect_count > 0;
  return any;
}
