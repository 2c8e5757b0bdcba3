/* Which expressions of a phase speak of the outcome of a step, so that they judge it in the step's
   place. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load_text.h"
#include "steps/steps.h"

static struct scenario *load(const char *rest)
{
  char text[1000];
  struct scenario *scenario;
  struct error error;
  snprintf(text, sizeof text, "name: t\nfleet: {devices: 9}\npki: {roots: [A, B]}\nphases:\n%s",
           rest);
  if (load_text(text, strlen(text), NULL, 0, &scenario, &error) != 0) fail_msg("%s", error.text);
  return scenario;
}

/* What holds before the step begins: nothing that has a value, unless a case says so. */
struct before {
  double value, whole;
  double reconnected;
};

static int look(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  const struct before *before = ctx;
  (void) argument;
  bool whole = strcmp(name, "awake") == 0 || strcmp(name, "all") == 0;
  double value = strcmp(name, "reconnected") == 0 && before->reconnected > 0 ? before->reconnected
                                                                             : before->value;
  *out = (struct expr_quantity){.value = whole ? before->whole : value, .whole = before->whole};
  return 0;
}

static struct scenario_step step_of(const struct step_kind *kind)
{
  struct scenario_step step = {
      .kind = kind, .root = "B", .chain = {.root = "B"}, .roots = {.count = 2}};
  strcpy(step.roots.name[0], "B");
  strcpy(step.roots.name[1], "spare");
  return step;
}

/* Whether something of `phase` judges its first step, after which quantities are `after`. */
static bool judges_to(const char *phase, const struct step_kind *kind, struct before before,
                      struct before after, const struct step_kind *later)
{
  char text[500];
  snprintf(text, sizeof text, "  - name: p\n    do: [connect: {}, connect: {}]\n%s", phase);
  struct scenario *scenario = load(text);
  struct scenario_judge judge;
  scenario->phases[0].steps[0] = step_of(kind);
  scenario->phases[0].steps[1] = step_of(later);
  scenario_judge_begin(&judge, scenario, &scenario->phases[0], scenario->phases[0].steps, look,
                       &before);
  bool judged = scenario_judge_end(&judge, look, &after);
  scenario_free(scenario);
  return judged;
}

/* All that counts has counted something in the step. */
static bool judges_from(const char *phase, const struct step_kind *kind, struct before before)
{
  return judges_to(phase, kind, before, (struct before){7, 9, 0}, &step_wait);
}

/* Nothing holds before: there is no value. */
static bool judges(const char *phase, const struct step_kind *kind)
{
  return judges_from(phase, kind, (struct before){.value = NAN, .whole = 9});
}

static void what_held_before_a_step_says_nothing_of_it(void **state)
{
  (void) state;
  static const struct {
    const char *phase;
    const struct step_kind *kind;
    double before; /* of nine devices */
    bool judged;
  } cases[] = {
      {"    until: trusting(B) == 100% of all\n", &step_push_trust, 9, false},
      {"    until: trusting(B) == 100% of all\n", &step_push_trust, 8, true},
      {"    until: trusting(B) >= 50%\n", &step_push_trust, 9, false},
      {"    until: trusting(B) == 5\n", &step_push_trust, 5, false},
      {"    until: trusting(B) <= 100%\n", &step_push_trust, 0, false},
      {"    until: trusting(B) != 3\n", &step_push_trust, 0, false},
      {"    until: trusting(B) == 0\n", &step_push_trust, 0, true},
      {"    until: trusting(B) < 100%\n", &step_push_trust, 5, true},
      {"    until: trusting(A) == 100%\n", &step_push_trust, 9, true},
      {"    until: trusting(A) == 100%\n", &step_push_trust, 8, false},
      {"    expect: [trust.refused == 0]\n", &step_push_trust, 0, false},
      {"    expect: [trust.committed == 9]\n", &step_push_trust, 9, false},
      {"    expect: [trust.committed == 0]\n", &step_push_trust, 0, true},
      {"    expect: [trust.committed <= 9]\n", &step_push_trust, 9, true},
      {"    expect: [trust.version_acked >= 1]\n", &step_push_trust, 1, false},
      {"    expect: [trust.version_acked <= 1]\n", &step_push_trust, 1, true},
      {"    expect: [trust.refused == 0, trust.committed == 0]\n", &step_push_trust, 0, true},
      {"    until: identified(B) == 100%\n", &step_reissue, 9, false},
      {"    until: identified(A) == 0\n", &step_reissue, 0, false},
      {"    until: identified(B) == 0\n", &step_reissue, 0, true},
      {"    until: proven(B) == 100%\n", &step_prove, 9, false},
      {"    until: proven(B) == 0\n", &step_prove, 0, true},
      {"    until: refused == 0\n", &step_prove, 0, false},
      {"    expect: [failures(connect.tls.not_trusted) == 0]\n", &step_prove, 0, false},
      {"    expect: [connect.failed == 0]\n", &step_reconnect, 0, false},
      {"    until: online == 100%\n", &step_reconnect, 9, false},
      {"    until: online >= 50%\n", &step_reconnect, 8, false},
      {"    until: online < 50%\n", &step_reconnect, 9, true},
      {"    until: reconnected == 100%\n", &step_reconnect, 9, false},
      {"    until: reconnected == 100%\n", &step_reconnect, 0, true},
      {"    until: reconnected == 0\n", &step_reconnect, 0, true},
      {"    expect: [devices.lost == 0]\n", &step_reconnect, 3, false},
      {"    expect: [devices.lost == 9]\n", &step_reconnect, 0, true},
      {"    expect: [trespass.attempts >= 0]\n", &step_trespass, 0, false},
      {"    expect: [trespass.attempts == 0]\n", &step_trespass, 0, true},
      {"    expect: [recover.online < 50% of all]\n", &step_storm, 0, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (judges_from(cases[i].phase, cases[i].kind, (struct before){cases[i].before, 9, 0}) !=
        cases[i].judged)
      fail_msg("'%s' with %g before %s %s", cases[i].phase, cases[i].before,
               cases[i].judged ? "judges" : "does not judge", cases[i].kind->name);
}

/* What is of something else, of an earlier step or fed by a later one. */
static void it_must_be_of_this_step(void **state)
{
  (void) state;
  const struct before none = {0, 9, 0}, some = {7, 9, 0};
  const char *refused = "    expect: [failures(connect.tls.not_trusted) == 7]\n";
  assert_true(judges_to(refused, &step_prove, none, some, &step_wait));
  assert_false(judges_to(refused, &step_prove, none, none, &step_restart_broker));
  assert_false(judges_to("    expect: [failures(session.closed) > 0]\n", &step_prove, none, some,
                         &step_restart_broker));
  assert_false(judges_to("    until: proven(A) == 7\n", &step_prove, none, some, &step_wait));
  assert_false(
      judges_to("    until: trusting(A) == 7\n", &step_push_trust, none, some, &step_wait));
  assert_false(judges_to("    until: identified(A) == 7\n", &step_reissue, none, some, &step_wait));

  const char *back = "    until: reconnected == 100%\n";
  assert_true(judges_to(back, &step_reconnect, none, some, &step_wait));
  assert_false(judges_to(back, &step_reconnect, none, some, &step_reconnect));

  /* who never went is online as well; where all went, it is about those who are to come */
  const char *online = "    until: online == 100%\n";
  const struct before all = {9, 9, 1};
  assert_false(judges_to(online, &step_reconnect, all, (struct before){9, 9, 4}, &step_wait));
  assert_false(judges_to(online, &step_reconnect, all, (struct before){4, 9, 4}, &step_wait));
  assert_true(judges_to(online, &step_reconnect, all, (struct before){3, 9, 4}, &step_wait));

  const char *recovered = "    expect: [recover.online < 100% of all]\n";
  assert_true(judges_to(recovered, &step_storm, none, some, &step_wait));
  assert_true(judges_to(recovered, &step_storm, (struct before){NAN, 9, 0}, none, &step_wait));
  assert_false(judges_to(recovered, &step_storm, some, some, &step_wait));
  assert_true(judges_to(recovered, &step_storm, (struct before){NAN, 9, 0},
                        (struct before){NAN, 9, 0}, &step_wait));
}

static void a_step_that_nobody_does_is_not_done(void **state)
{
  (void) state;
  const struct before nobody = {0, 0, 0};
  assert_true(judges_from("    expect: [trusting(B) == 0]\n", &step_push_trust, nobody));
  assert_true(judges_from("    expect: [trust.committed == 0]\n", &step_push_trust, nobody));
}

static void only_what_speaks_of_a_step_judges_it(void **state)
{
  (void) state;
  static const struct {
    const char *phase;
    const struct step_kind *kind;
    bool judged;
  } cases[] = {
      {"", &step_prove, false},
      {"    until: online == 100%\n", &step_prove, false},
      {"    until: proven(B) == 0\n", &step_prove, true},
      {"    expect: [online == 100%, refused(not_trusted) == 100%]\n", &step_prove, true},
      {"    expect: [failures(connect.tls.not_trusted) == 9]\n", &step_prove, true},
      {"    expect: [connect.total_ms.p99 < 2s]\n", &step_prove, false},
      {"    until: online == 0\n", &step_reconnect, true},
      {"    until: reconnected == 0\n", &step_reconnect, true},
      {"    until: refused == 100%\n", &step_reconnect, true},
      {"    until: identified(A) == 100%\n", &step_reconnect, false},
      {"    until: proven(A) == 100%\n", &step_reconnect, false},
      {"    until: trusting(B) == 0\n", &step_push_trust, true},
      {"    expect: [trust.refused == 9]\n", &step_push_trust, true},
      {"    until: online == 100%\n", &step_push_trust, false},
      {"    until: identified(B) == 0\n", &step_reissue, true},
      {"    until: trusting(B) == 100%\n", &step_reissue, false},
      {"    expect: [recover.online < 50% of all]\n", &step_storm, true},
      {"    until: online == 100%\n", &step_storm, false},
      {"    until: online == 100%\n", &step_connect, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (judges(cases[i].phase, cases[i].kind) != cases[i].judged)
      fail_msg("'%s' %s %s", cases[i].phase, cases[i].judged ? "judges" : "does not judge",
               cases[i].kind->name);
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
      cmocka_unit_test(what_held_before_a_step_says_nothing_of_it),
      cmocka_unit_test(it_must_be_of_this_step),
      cmocka_unit_test(a_step_that_nobody_does_is_not_done),
      cmocka_unit_test(a_scenario_without_gate_and_expectation_is_judged_by_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
