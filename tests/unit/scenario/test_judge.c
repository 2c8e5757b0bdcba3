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

/* A step of nine devices, of which some fell short, as a quantity sees it. */
struct story {
  double before, after; /* the step */
  size_t missed;
  double counted; /* of those missed */
};

static int look(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  const double *value = ctx;
  (void) argument;
  bool whole = strcmp(name, "awake") == 0 || strcmp(name, "all") == 0;
  *out = (struct expr_quantity){.value = whole ? 9 : *value, .whole = 9};
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

/* What the one expression says of such a step; "": it accounts for those missed, "unheard": it is
   about something else. */
static const char *says(const char *expr, const struct step_kind *kind, struct story story)
{
  static char why[200];
  char text[500];
  snprintf(text, sizeof text, "  - name: p\n    do: [connect: {}, connect: {}]\n    until: %s\n",
           expr);
  struct scenario *scenario = load(text);
  struct scenario_phase *phase = &scenario->phases[0];
  static struct scenario_judge judge;
  phase->steps[0] = step_of(kind);
  scenario_judge_begin(&judge, scenario, phase, phase->steps, look, &story.before);
  scenario_judge_end(&judge, look, &story.after);
  strcpy(why, judge.count == 0 ? "unheard" : "");
  const struct scenario_missed missed = {story.missed, story.counted};
  if (judge.count > 0)
    scenario_judge_account(&judge.of[0], &missed, look, &story.after, why, sizeof why);
  scenario_free(scenario);
  return why;
}

struct judgement {
  const char *expr;
  const struct step_kind *kind;
  struct story story;
  const char *says;
};

static void check(const struct judgement cases[], size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const char *seen = says(cases[i].expr, cases[i].kind, cases[i].story);
    bool as = cases[i].says[0] == '\0' ? seen[0] == '\0' : strstr(seen, cases[i].says) != NULL;
    if (!as)
      fail_msg("'%s' after %s, %g before and %g after, %zu missed and %g of them counted: '%s', "
               "expected '%s'",
               cases[i].expr, cases[i].kind->name, cases[i].story.before, cases[i].story.after,
               cases[i].story.missed, cases[i].story.counted, seen, cases[i].says);
  }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases)[0])
#define HELD         "held before the step began"

static void who_fell_short_is_taken_out_of_those_who_have_done_it(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 100%", &step_push_trust, {2, 9, 7, 7}, "counts 7 of the 7 devices"},
      {"trusting(B) == 100%", &step_push_trust, {2, 9, 7, 0}, ""},
      {"trusting(B) == 2", &step_push_trust, {0, 2, 7, 0}, ""},
      {"trusting(B) == 0", &step_push_trust, {0, 0, 9, 0}, ""},
      {"trusting(B) < 100%", &step_push_trust, {0, 5, 4, 0}, ""},
      {"trusting(B) >= 50%", &step_push_trust, {2, 9, 7, 2}, ""},
      {"trusting(B) >= 50%", &step_push_trust, {2, 9, 7, 5}, "counts 5 of the 7 devices"},
      {"proven(B) == 100%", &step_prove, {8, 9, 7, 7}, "counts 7 of the 7 devices"},
      {"identified(B) == 100%", &step_reissue, {5, 9, 4, 4}, "counts 4 of the 4 devices"},
      {"reconnected == 100%", &step_reconnect, {4, 9, 5, 4}, "counts 4 of the 5 devices"},
      {"trust.committed == 11", &step_push_trust, {9, 11, 7, 0}, ""},
      {"trust.committed <= 9", &step_push_trust, {9, 9, 9, 0}, ""},
      {"trespass.attempts == 9", &step_trespass, {0, 9, 1, 2}, "counts 2 of the 1 devices"},
  };
  CHECK(cases);
}

static void what_holds_anyway_says_nothing(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 100%", &step_push_trust, {9, 9, 9, 9}, HELD},
      {"trusting(B) >= 50%", &step_push_trust, {9, 9, 2, 2}, HELD},
      {"trusting(B) <= 100%", &step_push_trust, {0, 5, 4, 0}, HELD},
      {"trusting(B) != 3", &step_push_trust, {0, 5, 4, 0}, HELD},
      {"trust.committed == 9", &step_push_trust, {9, 9, 9, 0}, HELD},
      {"trust.version_acked >= 1", &step_push_trust, {1, 1, 9, 0}, HELD},
      {"trust.refused == 0", &step_push_trust, {0, 0, 9, 0}, HELD},
      {"refused == 0", &step_prove, {0, 0, 9, 0}, HELD},
      {"refused <= 9", &step_prove, {0, 9, 9, 9}, HELD},
      {"connect.failed <= 100", &step_reconnect, {0, 9, 9, 0}, HELD},
      {"failures(connect.tls.expired) >= 1", &step_reconnect, {3, 12, 9, 0}, HELD},
  };
  CHECK(cases);
}

static void who_has_not_done_it_must_be_all_who_fell_short(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"refused == 1", &step_prove, {0, 1, 9, 1}, "counts 1 of the 9 devices that did not"},
      {"refused == 1", &step_prove, {0, 1, 1, 1}, ""},
      {"refused(not_trusted) == 100%", &step_prove, {0, 9, 9, 9}, ""},
      {"refused == 5", &step_reconnect, {0, 5, 5, 4}, "counts 4 of the 5 devices"},
      {"connect.failed >= 1", &step_prove, {0, 1, 9, 9}, "counts 1 of the 9 devices"},
      {"connect.failed >= 1", &step_prove, {0, 30, 9, 9}, ""},
      {"trust.refused == 9", &step_push_trust, {0, 9, 9, 9}, ""},
      /* one that tries again and again does not stand for the others */
      {"revoke.refusals >= 1", &step_reconnect, {0, 15, 5, 1}, "counts 1 of the 5 devices"},
      /* who is to leave the old root has not */
      {"trusting(A) == 100%", &step_push_trust, {9, 9, 9, 9}, ""},
      {"trusting(A) == 100%", &step_push_trust, {9, 9, 9, 8}, "counts 8 of the 9 devices"},
      {"trusting(A) == 0", &step_push_trust, {9, 0, 4, 0}, "holds as well"},
  };
  CHECK(cases);
}

static void presence_is_of_those_who_came_back(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"online == 100%", &step_reconnect, {9, 9, 5, 5}, "counts 5 of the 5 devices"},
      {"online == 100%", &step_reconnect, {9, 9, 0, 0}, ""}, /* they came late */
      {"online == 0", &step_reconnect, {9, 0, 9, 0}, ""},
      {"online <= 100%", &step_reconnect, {9, 4, 5, 0}, HELD},
      {"devices.lost == 0", &step_reconnect, {0, 0, 5, 0}, HELD},
      {"devices.lost == 0", &step_reconnect, {0, 0, 0, 0}, ""},
      {"devices.lost == 5", &step_reconnect, {0, 5, 5, 5}, ""},
      {"devices.lost == 3", &step_reconnect, {0, 3, 5, 3}, "counts 2 of the 5 devices"},
  };
  CHECK(cases);
}

static void the_times_of_an_outage_are_of_this_one(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"recover.online < 100% of all", &step_storm, {0, 4, 5, 0}, ""},
      {"recover.online < 100% of all", &step_storm, {NAN, 0, 9, 0}, ""},
      {"recover.online < 100% of all", &step_storm, {4, 4, 5, 0}, "counted nothing"},
  };
  CHECK(cases);
}

/* There is no device that could be missed. */
static void a_step_that_nobody_does_is_not_done(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 0", &step_push_trust, {0, 0, 0, 0}, ""},
      {"trust.committed == 0", &step_push_trust, {0, 0, 0, 0}, ""},
      {"refused == 1", &step_prove, {0, 1, 0, 0}, "holds as well"},
  };
  CHECK(cases);
}

static void only_what_speaks_of_a_step_is_heard(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"online == 100%", &step_prove, {0, 9, 9, 9}, "unheard"},
      {"proven(A) == 100%", &step_prove, {0, 9, 9, 9}, "unheard"},
      {"failures(session.closed) >= 1", &step_prove, {0, 9, 9, 9}, "unheard"},
      {"connect.total_ms.p99 < 2s", &step_prove, {0, 9, 9, 9}, "unheard"},
      {"identified(A) == 100%", &step_reissue, {0, 9, 9, 9}, "unheard"},
      {"identified(A) == 100%", &step_reconnect, {0, 9, 9, 9}, "unheard"},
      {"online == 100%", &step_push_trust, {0, 9, 9, 9}, "unheard"},
      {"online == 100%", &step_storm, {0, 9, 9, 9}, "unheard"},
      {"online == 100%", &step_connect, {0, 9, 9, 9}, "unheard"},
  };
  CHECK(cases);
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
      cmocka_unit_test(only_what_speaks_of_a_step_is_heard),
      cmocka_unit_test(who_fell_short_is_taken_out_of_those_who_have_done_it),
      cmocka_unit_test(who_has_not_done_it_must_be_all_who_fell_short),
      cmocka_unit_test(what_holds_anyway_says_nothing),
      cmocka_unit_test(presence_is_of_those_who_came_back),
      cmocka_unit_test(the_times_of_an_outage_are_of_this_one),
      cmocka_unit_test(a_step_that_nobody_does_is_not_done),
      cmocka_unit_test(a_scenario_without_gate_and_expectation_is_judged_by_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
