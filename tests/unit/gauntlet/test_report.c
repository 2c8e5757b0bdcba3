/* What trials add up to: counts, score, exit code, and the one sentence that the owner reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report_samples.h"

static struct report_sample *const one = &report_sample;

static void expect_headline(const char *expected)
{
  char line[640];
  report_headline(&one->report, line, sizeof line);
  assert_string_equal(line, expected);
}

static void expect_exit(enum exit_code expected)
{
  assert_int_equal(report_exit_code(&one->report), expected);
}

static unsigned sum_of(const struct report_tally *tally, enum verdict verdict)
{
  unsigned sum = 0;
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++) sum += tally->of[verdict][s];
  return sum;
}

static void fail_both(const char *id, enum conduct conduct)
{
  report_sample_fail(one, id, 12, conduct);
  report_sample_fail(one, id, 13, conduct);
}

static void counts_add_up(void **state)
{
  (void) state;
  struct report_tally tally;
  unsigned all = 0;
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  report_tally(&one->report, &tally);
  for (enum verdict v = 0; v < VERDICT_COUNT; v++) all += sum_of(&tally, v);
  assert_int_equal(all, tally.trials);
  assert_int_equal(tally.trials, 15);
  assert_int_equal(tally.of[VERDICT_FAIL][CASE_HIGH], 1);
  assert_int_equal(sum_of(&tally, VERDICT_FAIL), 1);
  assert_int_equal(tally.of[VERDICT_WARN][CASE_LOW], 2);
  assert_int_equal(tally.of[VERDICT_NOT_OFFERED][CASE_LOW], 1);
  assert_int_equal(tally.of[VERDICT_PASS][CASE_HIGH], 5);
  assert_int_equal(tally.of[VERDICT_PASS][CASE_MEDIUM], 4);
}

static void a_careful_client_passes(void **state)
{
  (void) state;
  expect_exit(EXIT_CODE_PASS);
  expect_headline("none of 10 lies was believed");
  assert_true(report_proven(&one->report));
}

/* 6 of high, 4 of medium and 2 of low passed; 2 of low are warnings. */
static void the_score_weighs_by_severity(void **state)
{
  (void) state;
  assert_int_equal(report_score(&one->report), 100 * (60 + 12 + 2) / (60 + 12 + 4));
  report_sample_fail(one, "expired-leaf", 12, CONDUCT_ACCEPTED);
  assert_int_equal(report_score(&one->report), 100 * (60 + 9 + 2) / (60 + 12 + 4));
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  assert_int_equal(report_score(&one->report), 100 * (50 + 9 + 2) / (60 + 12 + 4));
}

static void a_failure_of_high_severity_ends_with_1(void **state)
{
  (void) state;
  fail_both("another-name", CONDUCT_ACCEPTED);
  expect_exit(EXIT_CODE_FAIL);
  expect_headline("2 of 10 lies were believed, 2 of high severity: anybody with a certificate for "
                  "another name can be "
                  "your broker");
}

static void a_failure_of_less_severity_does_not(void **state)
{
  (void) state;
  fail_both("expired-leaf", CONDUCT_ACCEPTED);
  report_sample_fail(one, "silence-after-the-hello", 12, CONDUCT_HUNG);
  expect_exit(EXIT_CODE_PASS);
  expect_headline("no lie of high severity was believed, but 2 of 10 lies were (2 medium): whoever "
                  "finds the key of an expired certificate can "
                  "be your broker");
}

static void the_worst_that_is_lacking_is_named(void **state)
{
  (void) state;
  fail_both("expired-leaf", CONDUCT_ACCEPTED);
  fail_both("another-name", CONDUCT_ACCEPTED);
  fail_both("self-signed-leaf", CONDUCT_ACCEPTED);
  expect_headline("6 of 10 lies were believed, 4 of high severity: anybody who makes a certificate "
                  "himself can be your "
                  "broker");
}

/* It knows of names, and has not looked this time. */
static void a_check_with_a_hole_is_not_called_absent(void **state)
{
  (void) state;
  struct report_check check;
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  report_check(&one->report, CASE_FLAW_NAME, &check);
  assert_int_equal(check.failed, 1);
  assert_int_equal(check.judged, 2);
  assert_true(check.partly);
  expect_headline("1 of 10 lies was believed, 1 of high severity: another name");
  report_sample_fail(one, "self-signed-leaf", 12, CONDUCT_ACCEPTED);
  expect_headline(
      "2 of 10 lies were believed, 2 of high severity, the worst of them: self-signed leaf");
  fail_both("another-name", CONDUCT_ACCEPTED);
  expect_headline("3 of 10 lies were believed, 3 of high severity: anybody with a certificate for "
                  "another name can be "
                  "your broker");
  report_check(&one->report, CASE_FLAW_NAME, &check);
  assert_false(check.partly);
}

static void a_client_that_waits_for_good_believes_nothing(void **state)
{
  (void) state;
  fail_both("silence-after-the-hello", CONDUCT_HUNG);
  expect_headline("none of 10 lies was believed, but 2 of 15 trials were failed (2 medium): a "
                  "server that says nothing "
                  "can hold your device for good");
}

/* A self-signed leaf is refused for want of a root, whoever it is for. */
static void a_lie_that_another_check_finds_shows_no_check(void **state)
{
  (void) state;
  struct report_check check;
  for (size_t i = 0; i < one->cases->count; i++)
    if (one->cases->item[i]->flaws == 1u << CASE_FLAW_TRUST)
      one->cases->item[i]->flaws |= 1u << CASE_FLAW_NAME;
  fail_both("another-name", CONDUCT_ACCEPTED);
  report_check(&one->report, CASE_FLAW_NAME, &check);
  assert_int_equal(check.failed, 2);
  assert_int_equal(check.judged, 4);
  assert_false(check.partly);
}

/* At the same severity, what follows from a check that is not there says more than a case's name. */
static void a_check_that_is_not_there_comes_before_a_hole(void **state)
{
  (void) state;
  report_sample_fail(one, "self-signed-leaf", 12, CONDUCT_ACCEPTED);
  fail_both("another-name", CONDUCT_ACCEPTED);
  expect_headline("3 of 10 lies were believed, 3 of high severity: anybody with a certificate for "
                  "another name can be "
                  "your broker");
}

static void a_crash_is_told(void **state)
{
  (void) state;
  report_sample_fail(one, "connack-refuses", 12, CONDUCT_REFUSED);
  report_sample_trial(one, "connack-refuses", 12)->seen.sanitizer = true;
  expect_headline("none of 10 lies was believed, but 1 of 15 trials was failed (1 low): a server "
                  "can crash your "
                  "device by what it sends");
  report_sample_fail(one, "expired-leaf", 12, CONDUCT_REFUSED);
  report_sample_trial(one, "expired-leaf", 12)->seen.sanitizer = true;
  fail_both("silence-after-the-hello", CONDUCT_HUNG);
  expect_headline("none of 10 lies was believed, but 4 of 15 trials were failed (3 medium, 1 low): "
                  "a server can crash your "
                  "device by what it sends");
}

/* It ended with another error than it should: that is a fault, and no check that it lacks. */
static void who_refuses_otherwise_lacks_nothing(void **state)
{
  (void) state;
  fail_both("another-name", CONDUCT_REFUSED);
  assert_int_equal(report_lacking(report_sample_trial(one, "another-name", 12)), 0);
  expect_headline("none of 10 lies was believed, but 2 of 15 trials were failed (2 high), the "
                  "worst of them: another "
                  "name");
}

static void a_client_that_never_came_shows_nothing(void **state)
{
  (void) state;
  report_sample_never(one);
  expect_exit(EXIT_CODE_SETUP);
  expect_headline("nothing is shown: the client never connected");
  assert_int_equal(report_score(&one->report), -1);
  assert_false(report_proven(&one->report));
}

/* It refuses all lies, as it refuses everybody. */
static void who_passed_the_control_alone_has_no_score(void **state)
{
  (void) state;
  for (size_t i = 2; i < one->report.count; i++) one->trial[i].verdict = VERDICT_NOT_SHOWN;
  assert_false(report_proven(&one->report));
  assert_int_equal(report_score(&one->report), -1);
}

static void a_client_that_refuses_its_broker_shows_nothing(void **state)
{
  (void) state;
  report_sample_fail(one, "leaf-and-intermediate", 12, CONDUCT_REFUSED);
  report_sample_fail(one, "leaf-and-intermediate", 13, CONDUCT_REFUSED);
  strcpy(report_sample_trial(one, "leaf-and-intermediate", 12)->why, "it refused a sound server");
  expect_exit(EXIT_CODE_SETUP);
  expect_headline("nothing is shown: it refused a sound server");
  assert_int_equal(report_score(&one->report), -1);
}

static void whom_it_told_is_shown_without_a_control(void **state)
{
  (void) state;
  report_sample_fail(one, "leaf-and-intermediate", 12, CONDUCT_REFUSED);
  report_sample_fail(one, "leaf-and-intermediate", 13, CONDUCT_REFUSED);
  fail_both("another-name", CONDUCT_ACCEPTED);
  expect_exit(EXIT_CODE_FAIL);
  expect_headline("2 of 10 lies were believed, 2 of high severity: anybody with a certificate for "
                  "another name can be "
                  "your broker");
}

static void one_version_that_lets_it_in_is_enough(void **state)
{
  (void) state;
  report_sample_trial(one, "leaf-and-intermediate", 12)->verdict = VERDICT_NOT_OFFERED;
  expect_exit(EXIT_CODE_PASS);
}

static void an_interruption_is_told_and_ends_as_such(void **state)
{
  (void) state;
  fail_both("another-name", CONDUCT_ACCEPTED);
  one->report.interrupted = true;
  expect_exit(EXIT_CODE_INTERRUPTED);
  expect_headline("interrupted before all was tried: 2 of 10 lies were believed, 2 of high "
                  "severity: anybody with a "
                  "certificate for another name can be your broker");
}

static void what_is_open_is_said_beside_what_was_not_believed(void **state)
{
  (void) state;
  struct trial_result *trial = report_sample_trial(one, "another-name", 12);
  struct gauntlet_case light = *trial->c;
  light.severity = CASE_MEDIUM;
  trial->c = &light;
  trial->verdict = VERDICT_NOT_SHOWN;
  expect_exit(EXIT_CODE_PASS);
  expect_headline("none of 9 lies was believed; trials not shown: 1 medium");
}

static void what_is_grave_and_open_is_no_pass(void **state)
{
  (void) state;
  report_sample_trial(one, "another-name", 12)->verdict = VERDICT_NOT_SHOWN;
  expect_exit(EXIT_CODE_SETUP);
  expect_headline("none of 9 lies was believed, but 1 trial of high severity did not come to it");
}

static void what_the_owner_lets_pass_was_believed_all_the_same(void **state)
{
  (void) state;
  struct trial_result *trial = report_sample_trial(one, "another-name", 12);
  trial->verdict = VERDICT_WARN;
  trial->conduct = CONDUCT_ACCEPTED;
  expect_exit(EXIT_CODE_PASS);
  expect_headline("1 of 10 lies was believed, as the client's owner decided (1 high)");
}

/* A pass says why it is one. */
static void a_pass_says_that_nothing_grave_was_believed(void **state)
{
  (void) state;
  struct trial_result *trial = report_sample_trial(one, "expired-leaf", 12);
  trial->verdict = VERDICT_WARN;
  trial->conduct = CONDUCT_ACCEPTED;
  expect_exit(EXIT_CODE_PASS);
  expect_headline("no lie of high severity was believed; 1 of 10 lies was, as the client's owner "
                  "decided (1 medium)");
}

static void what_was_skipped_is_said(void **state)
{
  (void) state;
  report_sample_trial(one, "another-name", 12)->verdict = VERDICT_SKIPPED;
  report_sample_trial(one, "another-name", 13)->verdict = VERDICT_SKIPPED;
  report_sample_trial(one, "expired-leaf", 13)->verdict = VERDICT_NOT_SHOWN;
  expect_exit(EXIT_CODE_PASS);
  expect_headline("none of 7 lies was believed; trials not shown: 1 medium; skipped: 2 high");
  report_sample_fail(one, "self-signed-leaf", 12, CONDUCT_ACCEPTED);
  expect_headline("1 of 7 lies was believed, 1 of high severity: self-signed leaf; trials not "
                  "shown: 1 medium; skipped: 2 high");
}

static void what_is_grave_is_said_before_what_was_believed(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 12, CONDUCT_REFUSED);
  report_sample_trial(one, "another-name", 12)->seen.sanitizer = true;
  report_sample_fail(one, "expired-leaf", 12, CONDUCT_ACCEPTED);
  expect_exit(EXIT_CODE_FAIL);
  expect_headline("no lie of high severity was believed, but 2 of 15 trials were failed (1 high, 1 "
                  "medium): a server can crash your device by what it sends");
}

static void one_lie_and_none_are_told_as_people_would(void **state)
{
  (void) state;
  struct trial_result either = *report_sample_trial(one, "name-in-cn-only", 12);
  one->report.count = 3; /* the control, and one lie */
  expect_headline("the one lie was not believed");
  one->trial[2] = either;
  one->trial[2].verdict = VERDICT_PASS;
  expect_headline("no lie was told that every careful client refuses");
}

static void lies_are_counted_by_severity(void **state)
{
  (void) state;
  struct report_lies lies;
  fail_both("another-name", CONDUCT_ACCEPTED);
  report_sample_fail(one, "expired-leaf", 12, CONDUCT_ACCEPTED);
  report_lies(&one->report, &lies);
  assert_int_equal(lies.told, 10);
  assert_int_equal(lies.told_of[CASE_HIGH], 4);
  assert_int_equal(lies.told_of[CASE_MEDIUM], 4);
  assert_int_equal(lies.told_of[CASE_LOW], 2);
  assert_int_equal(lies.believed_of[CASE_HIGH], 2);
  assert_int_equal(lies.believed_of[CASE_MEDIUM], 1);
  assert_int_equal(lies.believed_of[CASE_LOW], 0);
}

static void every_check_has_a_sentence(void **state)
{
  (void) state;
  for (unsigned f = 0; f < CASE_FLAW_COUNT; f++) {
    const char *sentence = report_flaw_sentence((enum case_flaw) f);
    if (sentence == NULL || strlen(sentence) < 20)
      fail_msg("'%s' says %s", case_flaw_word((enum case_flaw) f), sentence);
  }
}

static void every_verdict_and_conduct_has_its_word(void **state)
{
  (void) state;
  assert_string_equal(verdict_word(VERDICT_PASS), "pass");
  assert_string_equal(verdict_word(VERDICT_SKIPPED), "skipped");
  assert_string_equal(verdict_sentence(VERDICT_FAIL), "it did not");
  assert_string_equal(conduct_word(CONDUCT_NONE), "never came");
  assert_string_equal(conduct_word(CONDUCT_UNCLEAR), "unclear");
}

int main(void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown(name, report_sample_set_up, report_sample_take_down)
  const struct CMUnitTest tests[] = {
      TEST(counts_add_up),
      TEST(a_careful_client_passes),
      TEST(the_score_weighs_by_severity),
      TEST(a_failure_of_high_severity_ends_with_1),
      TEST(a_failure_of_less_severity_does_not),
      TEST(the_worst_that_is_lacking_is_named),
      TEST(a_check_with_a_hole_is_not_called_absent),
      TEST(a_lie_that_another_check_finds_shows_no_check),
      TEST(a_check_that_is_not_there_comes_before_a_hole),
      TEST(a_crash_is_told),
      TEST(who_refuses_otherwise_lacks_nothing),
      TEST(a_client_that_waits_for_good_believes_nothing),
      TEST(a_client_that_never_came_shows_nothing),
      TEST(who_passed_the_control_alone_has_no_score),
      TEST(a_client_that_refuses_its_broker_shows_nothing),
      TEST(whom_it_told_is_shown_without_a_control),
      TEST(one_version_that_lets_it_in_is_enough),
      TEST(an_interruption_is_told_and_ends_as_such),
      TEST(what_is_open_is_said_beside_what_was_not_believed),
      TEST(what_is_grave_and_open_is_no_pass),
      TEST(what_the_owner_lets_pass_was_believed_all_the_same),
      TEST(a_pass_says_that_nothing_grave_was_believed),
      TEST(what_was_skipped_is_said),
      TEST(what_is_grave_is_said_before_what_was_believed),
      TEST(one_lie_and_none_are_told_as_people_would),
      TEST(lies_are_counted_by_severity),
      TEST(every_check_has_a_sentence),
      TEST(every_verdict_and_conduct_has_its_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
