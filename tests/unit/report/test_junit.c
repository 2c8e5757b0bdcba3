/* junit.xml as readers take it: Jenkins builds a tree of packages from class names, GitLab and
 * others keep one case of a name, and whoever sees a red case wants to know what to do. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/advice.h"
#include "sample.h"

static char *written(void)
{
  sample_conclude(&sample);
  char *xml = sample_read(&sample, "junit.xml");
  assert_non_null(xml);
  return xml;
}

static void expect_contains(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void the_root_counts_too_and_what_was_checked_is_not_skipped(void **state)
{
  (void) state;
  char *xml = written();
  expect_contains(
      xml,
      "<testsuites name=\"fleetsim\" tests=\"5\" failures=\"1\" errors=\"0\" time=\"41.200\">");
  expect_contains(xml, " skipped=\"0\" timestamp=\"2026-01-02T03:04:05Z\">");
  free(xml);
}

static const char *const of_third[] = {"trusting(B) == 100%", "devices.lost == 0"};
static const struct results_plan plan[] = {
    {.name = "baseline", .gate = "online >= 100%"},
    {.name = "drop <A> & B", .gate = "online >= 90%", .expectations = of_third, .count = 1},
    {.name = "third", .gate = "online == 100%", .expectations = of_third, .count = 2},
};
static const char *const of_all[] = {"devices.lost == 0", "telemetry.lost == 0",
                                     "handshake.wall_ms.p99 < 2s"};

/* A reader who counts cases counts the same ones of every run of a scenario. */
static void what_nobody_came_to_is_skipped_with_the_reason(void **state)
{
  (void) state;
  sample.results.plan = plan;
  sample.results.plan_count = 3;
  char *xml = written();
  expect_contains(xml, "<testsuites name=\"fleetsim\" tests=\"10\" failures=\"1\" errors=\"0\" ");
  expect_contains(xml, " skipped=\"5\" timestamp=");
  expect_contains(xml, "name=\"third: online == 100%\" time=\"0.000\">\n"
                       "      <skipped>the run did not come to this phase</skipped>\n"
                       "    </testcase>\n");
  expect_contains(xml, "name=\"third: trusting(B) == 100%\" ");
  expect_contains(xml, "name=\"third: devices.lost == 0\" ");
  expect_contains(xml, "name=\"drop &lt;A&gt; &amp; B: online &gt;= 90%\" time=\"0.000\">\n"
                       "      <skipped>its phase ended before that</skipped>\n");
  expect_contains(xml, "name=\"drop &lt;A&gt; &amp; B: trusting(B) == 100%\" ");
  assert_null(strstr(xml, "(2)"));
  free(xml);
}

static void a_run_that_was_refused_has_all_its_cases(void **state)
{
  (void) state;
  sample.results.plan = plan;
  sample.results.plan_count = 3;
  sample.results.plan_whole = of_all;
  sample.results.plan_whole_count = 3;
  sample.results.phase_count = sample.results.expectation_count = 0;
  sample.results.verdict = "error";
  sample.results.exit_code = EXIT_CODE_SETUP;
  char *xml = written();
  expect_contains(xml, " tests=\"10\" failures=\"0\" errors=\"1\" ");
  expect_contains(xml, " skipped=\"9\" ");
  expect_contains(xml, "name=\"whole run: telemetry.lost == 0\" time=\"0.000\">\n"
                       "      <skipped>the run ended before that</skipped>\n");
  free(xml);
}

static void a_dot_in_a_scenarios_name_makes_no_package(void **state)
{
  (void) state;
  strcpy(sample.results.scenario_name, "fleet 1.2 & on");
  char *xml = written();
  expect_contains(xml, "<testsuite name=\"fleet 1.2 &amp; on\"");
  expect_contains(xml, "classname=\"fleetsim.fleet 1_2 &amp; on\"");
  free(xml);
}

static void two_checks_in_the_same_words_are_two_cases(void **state)
{
  (void) state;
  sample.checks[1] = sample.checks[2] = sample.checks[0];
  sample.checks[2].pass = true;
  char *xml = written();
  expect_contains(xml, "name=\"whole run: devices.lost == 0\" ");
  expect_contains(xml, "name=\"whole run: devices.lost == 0 (2)\" ");
  expect_contains(xml, "name=\"whole run: devices.lost == 0 (3)\" time=\"0.000\"/>");
  free(xml);
}

static void what_a_step_said_stands_in_the_case_that_failed(void **state)
{
  (void) state;
  sample.phase_checks[0].pass = false;
  char *xml = written();
  expect_contains(
      xml, "expected refused == 100%, observed 10 of 10 (100%); rolled back 1 step</failure>");
  free(xml);
}

static void what_nobody_foretold_is_told_with_what_to_do(void **state)
{
  (void) state;
  char *xml = written();
  expect_contains(xml, "<system-out>connect.tcp.reset: 1 unexpected: 00000b01\n");
  expect_contains(xml, ": peer &quot;x&quot; &lt;gone&gt; &amp;  [31mred\n  to do: a full accept");
  assert_null(strstr(xml, "connect.tls.not_trusted")); /* the scenario said so */
  free(xml);
}

static void a_failure_of_another_version_has_no_advice(void **state)
{
  (void) state;
  assert_string_equal(advice_by_name("connect.of.tomorrow"), "");
  assert_string_equal(advice_by_name(""), "");
  assert_string_equal(advice_by_name("connect.tls.revoked"), advice_of(DEVICE_FAIL_TLS_REVOKED));
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(the_root_counts_too_and_what_was_checked_is_not_skipped),
      test(what_nobody_came_to_is_skipped_with_the_reason),
      test(a_run_that_was_refused_has_all_its_cases),
      test(a_dot_in_a_scenarios_name_makes_no_package),
      test(two_checks_in_the_same_words_are_two_cases),
      test(what_a_step_said_stands_in_the_case_that_failed),
      test(what_nobody_foretold_is_told_with_what_to_do),
      test(a_failure_of_another_version_has_no_advice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
