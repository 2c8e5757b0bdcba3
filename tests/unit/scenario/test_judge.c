/* Which expressions of a phase speak of the outcome of a step, so that they judge it in the step's place. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load_text.h"

static struct scenario *load(const char *rest)
{
  char text[1000];
  struct scenario *scenario;
  struct error error;
  snprintf(text, sizeof text, "name: t\nfleet: {devices: 9}\npki: {roots: [A, B]}\nphases:\n%s", rest);
  if (load_text(text, strlen(text), NULL, 0, &scenario, &error) != 0) fail_msg("%s", error.text);
  return scenario;
}

static bool judges(const char *phase, enum scenario_step_kind kind)
{
  char text[500];
  snprintf(text, sizeof text, "  - name: p\n    do: [connect: {}]\n%s", phase);
  struct scenario *scenario = load(text);
  bool judged = scenario_judges(&scenario->phases[0], kind);
  scenario_free(scenario);
  return judged;
}

static void only_what_speaks_of_a_step_judges_it(void **state)
{
  (void) state;
  static const struct {
    const char *phase;
    enum scenario_step_kind kind;
    bool judged;
  } cases[] = {
      {"", STEP_PROVE, false},
      {"    until: online == 100%\n", STEP_PROVE, false},
      {"    until: proven(B) == 0\n", STEP_PROVE, true},
      {"    expect: [online == 100%, refused(not_trusted) == 100%]\n", STEP_PROVE, true},
      {"    expect: [failures(connect.tls.not_trusted) == 9]\n", STEP_PROVE, true},
      {"    expect: [connect.total_ms.p99 < 2s]\n", STEP_PROVE, false},
      {"    until: online == 0\n", STEP_RECONNECT, true},
      {"    until: reconnected == 0\n", STEP_RECONNECT, true},
      {"    until: refused == 100%\n", STEP_RECONNECT, true},
      {"    until: identified(A) == 100%\n", STEP_RECONNECT, false},
      {"    until: proven(A) == 100%\n", STEP_RECONNECT, false},
      {"    until: trusting(B) == 0\n", STEP_PUSH_TRUST, true},
      {"    expect: [trust.refused == 9]\n", STEP_PUSH_TRUST, true},
      {"    until: online == 100%\n", STEP_PUSH_TRUST, false},
      {"    until: identified(B) == 0\n", STEP_REISSUE, true},
      {"    until: trusting(B) == 100%\n", STEP_REISSUE, false},
      {"    expect: [recover.online < 50% of all]\n", STEP_STORM, true},
      {"    until: online == 100%\n", STEP_STORM, false},
      {"    until: online == 100%\n", STEP_CONNECT, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (judges(cases[i].phase, cases[i].kind) != cases[i].judged)
      fail_msg("'%s' %s %s", cases[i].phase, cases[i].judged ? "judges" : "does not judge",
               scenario_step_name(cases[i].kind));
}

static bool is_judged(const char *rest)
{
  struct scenario *scenario = load(rest);
  bool judged = scenario_is_judged(scenario);
  scenario_free(scenario);
  return judged;
}

static void a_scenario_without_gate_and_expectation_is_judged_by_nobody(void **state)
{
  (void) state;
  assert_false(is_judged("  - name: p\n    do: [connect: {}]\n"));
  assert_true(is_judged("  - name: p\n    do: [connect: {}]\n    until: online == 100%\n"));
  assert_true(is_judged("  - name: p\n    do: [connect: {}]\n    expect: [online == 100%]\n"));
  assert_true(is_judged("  - name: p\n    do: [connect: {}]\nexpect: [telemetry.lost == 0]\n"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_what_speaks_of_a_step_judges_it),
      cmocka_unit_test(a_scenario_without_gate_and_expectation_is_judged_by_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
