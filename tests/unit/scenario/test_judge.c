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
  snprintf(text, sizeof text,
           "name: t\nfleet: {devices: 9}\npki: {roots: [A, B]}\nota: {}\nphases:\n%s", rest);
  if (load_text(text, strlen(text), NULL, 0, &scenario, &error) != 0) fail_msg("%s", error.text);
  return scenario;
}

/* A step of nine devices, of which some fell short, as a quantity sees it. */
struct story {
  double before, after; /* the step */
  size_t missed;
  double counted; /* of those missed */
  double done;    /* of those who have done it */
  size_t left;    /* of those missed, whom a share is not of any more */
  double besides; /* of those whom the step spared */
};

struct sight {
  double value, whole;
};

static int look(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  const struct sight *sight = ctx;
  (void) argument;
  bool whole = strcmp(name, "awake") == 0 || strcmp(name, "all") == 0;
  *out =
      (struct expr_quantity){.value = whole ? sight->whole : sight->value, .whole = sight->whole};
  return 0;
}

static struct scenario_step step_of(const struct step_kind *kind)
{
  struct scenario_step step = {
      .kind = kind, .root = "B", .chain = {.root = "B"}, .roots = {.count = 2}, .image = 1};
  strcpy(step.roots.name[0], "B");
  strcpy(step.roots.name[1], "spare");
  return step;
}

/* What the one expression says of such a step; "": it accounts for those missed, "unheard": it is
   about something else. */
static const char *says(const char *expr, const struct step_kind *kind, struct story story)
{
  static char why[200];
  struct sight before = {story.before, 9}, after = {story.after, 9 - (double) story.left};
  char text[500];
  snprintf(text, sizeof text,
           "  - name: p\n    do: [connect: {}, ota.publish: {image: v2, "
           "version: 1.1.0}]\n    until: %s\n",
           expr);
  struct scenario *scenario = load(text);
  struct scenario_phase *phase = &scenario->phases[0];
  static struct scenario_judge judge;
  phase->steps[0] = step_of(kind);
  scenario_judge_begin(&judge, scenario, phase, phase->steps, look, &before);
  scenario_judge_end(&judge, look, &after);
  strcpy(why, judge.count == 0 ? "unheard" : "");
  const struct scenario_missed missed = {.devices = story.missed,
                                         .counted = story.counted,
                                         .besides = story.besides,
                                         .done = story.done,
                                         .left = story.left,
                                         .outage = story.missed > 0};
  if (judge.count > 0) scenario_judge_account(&judge.of[0], &missed, look, &after, why, sizeof why);
  scenario_free(scenario);
  return why;
}

#define OF(b, a, m, c)                                         \
  {                                                            \
    .before = (b), .after = (a), .missed = (m), .counted = (c) \
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
      {"trusting(B) == 100%", &step_push_trust, OF(2, 9, 7, 7), "counts 7 of the 7 devices"},
      {"trusting(B) == 100%", &step_push_trust, OF(2, 9, 7, 0), ""},
      {"trusting(B) == 2", &step_push_trust, OF(0, 2, 7, 0), ""},
      {"trusting(B) == 0", &step_push_trust, OF(0, 0, 9, 0), ""},
      {"trusting(B) < 100%", &step_push_trust, OF(0, 5, 4, 0), ""},
      {"trusting(B) >= 50%", &step_push_trust, OF(2, 9, 7, 2), ""},
      {"trusting(B) >= 50%", &step_push_trust, OF(2, 9, 7, 5), "counts 5 of the 7 devices"},
      {"proven(B) == 100%", &step_prove, OF(8, 9, 7, 7), "counts 7 of the 7 devices"},
      {"identified(B) == 100%", &step_reissue, OF(5, 9, 4, 4), "counts 4 of the 4 devices"},
      {"reconnected == 100%", &step_reconnect, OF(4, 9, 5, 4), "counts 4 of the 5 devices"},
      {"trust.committed == 11", &step_push_trust, OF(9, 11, 7, 0), ""},
      {"trust.committed <= 9", &step_push_trust, OF(9, 9, 9, 0), ""},
      {"trespass.attempts == 9", &step_trespass, OF(0, 9, 1, 2), "counts 2 of the 1 devices"},
  };
  CHECK(cases);
}

static void what_holds_anyway_says_nothing(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 100%", &step_push_trust, OF(9, 9, 9, 9), HELD},
      {"trusting(B) >= 50%", &step_push_trust, OF(9, 9, 2, 2), HELD},
      {"trusting(B) >= 50%", &step_push_trust, {9, 9, 6, 6, .done = 3}, HELD},
      {"touched(v2) >= 50%", &step_ota_rollout, OF(0, 9, 4, 4), "holds as well"},
      {"touched(v2) <= 100%", &step_ota_rollout, OF(0, 3, 9, 3), HELD},
      {"ota.offered == 9", &step_ota_rollout, OF(0, 9, 4, 4), "holds as well"},
      {"trusting(B) <= 100%", &step_push_trust, OF(0, 5, 4, 0), HELD},
      {"trusting(B) != 3", &step_push_trust, OF(0, 5, 4, 0), HELD},
      {"trust.committed == 9", &step_push_trust, OF(9, 9, 9, 0), HELD},
      {"trust.version_acked >= 1", &step_push_trust, OF(1, 1, 9, 0), HELD},
      {"trust.refused == 0", &step_push_trust, OF(0, 0, 9, 0), HELD},
      {"refused == 0", &step_prove, OF(0, 0, 9, 0), HELD},
      {"refused <= 9", &step_prove, OF(0, 9, 9, 9), HELD},
      {"connect.failed <= 100", &step_reconnect, OF(0, 9, 9, 0), HELD},
      {"failures(connect.tls.expired) >= 1", &step_reconnect, OF(3, 12, 9, 0), HELD},
  };
  CHECK(cases);
}

static void who_has_not_done_it_must_be_all_who_fell_short(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"refused == 1", &step_prove, OF(0, 1, 9, 1), "counts 1 of the 9 devices that did not"},
      {"refused == 1", &step_prove, OF(0, 1, 1, 1), ""},
      {"refused(not_trusted) == 100%", &step_prove, OF(0, 9, 9, 9), ""},
      {"refused == 5", &step_reconnect, OF(0, 5, 5, 4), "counts 4 of the 5 devices"},
      {"connect.failed >= 1", &step_prove, OF(0, 1, 9, 9), "counts 1 of the 9 devices"},
      {"connect.failed >= 1", &step_prove, OF(0, 30, 9, 9), ""},
      {"trust.refused == 9", &step_push_trust, OF(0, 9, 9, 9), ""},
      /* one that tries again and again does not stand for the others */
      {"revoke.refusals >= 1", &step_reconnect, OF(0, 15, 5, 1), "counts 1 of the 5 devices"},
      /* who is to leave the old root has not */
      {"trusting(A) == 100%", &step_push_trust, OF(9, 9, 9, 9), ""},
      {"trusting(A) == 100%", &step_push_trust, OF(9, 9, 9, 8), "counts 8 of the 9 devices"},
      {"trusting(A) == 0", &step_push_trust, OF(9, 0, 4, 0), "holds as well"},
  };
  CHECK(cases);
}

static void presence_is_of_those_who_came_back(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"online == 100%", &step_reconnect, OF(9, 9, 5, 5), "counts 5 of the 5 devices"},
      {"online == 100%", &step_reconnect, OF(9, 9, 0, 0), ""}, /* they came late */
      {"online == 0", &step_reconnect, OF(9, 0, 9, 0), ""},
      {"online <= 100%", &step_reconnect, OF(9, 4, 5, 0), HELD},
      {"devices.lost == 0", &step_reconnect, OF(0, 0, 5, 0), HELD},
      {"devices.lost == 0", &step_reconnect, OF(0, 0, 0, 0), ""},
      {"devices.lost == 5", &step_reconnect, OF(0, 5, 5, 5), ""},
      {"devices.lost == 3", &step_reconnect, OF(0, 3, 5, 3), "counts 2 of the 5 devices"},
  };
  CHECK(cases);
}

static void the_times_of_an_outage_are_of_this_one(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"recover.online < 100% of all", &step_storm, OF(0, 4, 5, 0), ""},
      {"recover.online < 100% of all", &step_storm, OF(NAN, 0, 9, 0), ""},
      {"recover.online == 4", &step_storm, OF(4, 4, 5, 0), ""}, /* as the storm before */
      {"recover.online == 4", &step_storm, OF(4, 3, 5, 0), "did not hold as the step ended"},
      {"recover.online == 4", &step_storm, OF(4, 4, 0, 0), "is of an earlier outage"},
  };
  CHECK(cases);
}

/* What two steps in a row come to may be the same. */
static void who_has_done_it_again_counts(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"proven(B) == 4", &step_prove, {4, 4, 5, 0, .done = 4}, ""},
      {"trusting(B) >= 50%", &step_push_trust, {5, 5, 4, 0, .done = 5}, ""},
      {"trusting(B) == 5", &step_push_trust, {5, 5, 8, 4, .done = 1}, HELD},
  };
  CHECK(cases);
}

/* A share does not grow by those who are missing in it. */
static void who_fell_short_stays_in_the_whole(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 100%", &step_push_trust, {0, 5, 4, .left = 4}, "4 of the 4 devices"},
      {"trusting(B) >= 50%", &step_push_trust, {0, 5, 4, .left = 4}, ""},
      {"trusting(B) < 100% of awake", &step_push_trust, {0, 5, 4, .left = 3}, ""},
      {"reconnected == 100% of awake", &step_reconnect, {0, 5, 4, .left = 4}, "share of those who"},
      {"refused == 100% of awake", &step_reconnect, {0, 5, 5, 5, .left = 4}, "share of those who"},
      {"online == 100%", &step_reconnect, {9, 5, 4, .left = 4}, "share of those who"},
  };
  CHECK(cases);
}

/* An abort spares the others: who says how many failed says what came of it. */
static void a_rollout_that_stops_by_itself_is_told_by_who_failed(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"touched(v2) == 3", &step_ota_rollout, OF(0, 3, 9, 3), ""},
      {"touched(v2) <= 50%", &step_ota_rollout, OF(0, 3, 9, 3), ""},
      {"touched(v2) < 100%", &step_ota_rollout, OF(0, 3, 9, 3), ""},
      {"ota.offered == 3", &step_ota_rollout, OF(0, 3, 9, 3), ""},
      {"ota(self_test) == 3", &step_ota_rollout, OF(0, 3, 3, 3), ""},
      {"ota(self_test) >= 2", &step_ota_rollout, OF(0, 2, 3, 2), "counts 2 of the 3 devices"},
      {"updated(factory) >= 50%", &step_ota_rollout, {9, 9, 3, 3, .besides = 6}, ""},
  };
  CHECK(cases);
}

/* There is no device that could be missed. */
static void a_step_that_nobody_does_is_not_done(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"trusting(B) == 0", &step_push_trust, OF(0, 0, 0, 0), ""},
      {"trust.committed == 0", &step_push_trust, OF(0, 0, 0, 0), ""},
      {"refused == 1", &step_prove, OF(0, 1, 0, 0), "holds as well"},
  };
  CHECK(cases);
}

static void only_what_speaks_of_a_step_is_heard(void **state)
{
  (void) state;
  static const struct judgement cases[] = {
      {"online == 100%", &step_prove, OF(0, 9, 9, 9), "unheard"},
      {"proven(A) == 100%", &step_prove, OF(0, 9, 9, 9), "unheard"},
      {"failures(session.closed) >= 1", &step_prove, OF(0, 9, 9, 9), "unheard"},
      {"connect.total_ms.p99 < 2s", &step_prove, OF(0, 9, 9, 9), "unheard"},
      {"identified(A) == 100%", &step_reissue, OF(0, 9, 9, 9), "unheard"},
      {"identified(A) == 100%", &step_reconnect, OF(0, 9, 9, 9), "unheard"},
      {"online == 100%", &step_push_trust, OF(0, 9, 9, 9), "unheard"},
      {"online == 100%", &step_storm, OF(0, 9, 9, 9), "unheard"},
      {"online == 100%", &step_connect, OF(0, 9, 9, 9), "unheard"},
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
      cmocka_unit_test(who_has_done_it_again_counts),
      cmocka_unit_test(who_fell_short_stays_in_the_whole),
      cmocka_unit_test(a_rollout_that_stops_by_itself_is_told_by_who_failed),
      cmocka_unit_test(a_step_that_nobody_does_is_not_done),
      cmocka_unit_test(a_scenario_without_gate_and_expectation_is_judged_by_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
