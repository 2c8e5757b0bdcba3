/* Two reports side by side: each kind of change is found, nothing where nothing changed, and what is
 * worse ends with 1. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/text.h"
#include "report_samples.h"

static struct report_sample a, b;

static int begin(void **state)
{
  (void) state;
  report_sample_begin(&a);
  report_sample_begin(&b);
  return 0;
}

static int finish(void **state)
{
  (void) state;
  report_sample_end(&a);
  report_sample_end(&b);
  return 0;
}

static json_t *compared(void)
{
  json_t *tree_a = report_json(&a.report), *tree_b = report_json(&b.report);
  json_t *comparison = report_compare(tree_a, "out/a", tree_b, "out/b");
  assert_non_null(comparison);
  json_decref(tree_a);
  json_decref(tree_b);
  return comparison;
}

static char *shown(void)
{
  char *text = NULL;
  size_t size;
  json_t *comparison = compared();
  FILE *out = open_memstream(&text, &size);
  report_compare_print(comparison, out, false);
  fclose(out);
  json_decref(comparison);
  for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
    if (strcspn(line, "\n") > 80) fail_msg("wider than a screen: %.120s", line);
  return text;
}

static void expect_part(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void expect_shown(const char *part)
{
  char *text = shown();
  expect_part(text, part);
  free(text);
}

static void expect_verdict(const char *verdict, int code)
{
  json_t *comparison = compared();
  assert_string_equal(report_json_text(comparison, "verdict"), verdict);
  assert_int_equal(report_json_number(comparison, "exit_code"), code);
  json_decref(comparison);
}

static void nothing_changed_between_equal_ones(void **state)
{
  (void) state;
  json_t *comparison = compared();
  assert_string_equal(report_json_text(comparison, "schema"), "fleetsim-gauntlet-comparison/1");
  static const char *const lists[] = {"trials",    "hello", "stands_out", "only_in_a",
                                      "only_in_b", "only",  "unlike",     "warnings"};
  for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
    if (json_array_size(json_object_get(comparison, lists[l])) != 0)
      fail_msg("%s is not empty", lists[l]);
  json_decref(comparison);
  expect_verdict("same", 0);
  expect_shown("SAME  nothing that was tried in both went another way\n");
}

static void a_new_failure_is_worse(void **state)
{
  (void) state;
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_fail(&b, "another-name", 13, CONDUCT_ACCEPTED);
  expect_verdict("worse", 1);
  expect_shown("WORSE  2 worse\n");
  expect_shown("x high    1.2, 1.3   another name\n                     newly failed\n"
               "                     CONNECT went to a server that it should have refused\n");
}

static void a_failure_that_is_gone_is_better(void **state)
{
  (void) state;
  report_sample_fail(&a, "another-name", 12, CONDUCT_ACCEPTED);
  expect_verdict("better", 0);
  expect_shown("+ high    1.2        another name\n                     mended\n");
}

static void one_mended_does_not_hide_one_that_is_worse(void **state)
{
  (void) state;
  report_sample_fail(&a, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_fail(&b, "expired-leaf", 12, CONDUCT_ACCEPTED);
  expect_verdict("worse", 1);
  expect_shown("WORSE  1 worse, 1 better\n");
}

static void a_failure_that_is_not_shown_any_more_is_not_mended(void **state)
{
  (void) state;
  report_sample_fail(&a, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_trial(&b, "another-name", 12)->verdict = VERDICT_NOT_SHOWN;
  expect_verdict("unclear", 0);
  expect_shown("? high    1.2        another name\n                     not shown any more\n");
}

static void what_neither_shows_is_no_change(void **state)
{
  (void) state;
  report_sample_trial(&a, "another-name", 12)->verdict = VERDICT_NOT_SHOWN;
  report_sample_trial(&b, "another-name", 12)->verdict = VERDICT_SKIPPED;
  expect_verdict("same", 0);
  report_sample_trial(&b, "another-name", 12)->verdict = VERDICT_PASS;
  expect_verdict("changed", 0);
  expect_shown("~ high    1.2        another name\n                     shown now\n");
}

static void a_version_that_is_not_offered_any_more_is_unclear(void **state)
{
  (void) state;
  report_sample_trial(&b, "another-name", 12)->verdict = VERDICT_NOT_OFFERED;
  expect_verdict("unclear", 0);
  expect_shown("not offered any more\n");
}

static void a_warning_is_between_pass_and_fail(void **state)
{
  (void) state;
  report_sample_trial(&a, "another-name", 12)->verdict = VERDICT_WARN;
  expect_verdict("better", 0);
  report_sample_trial(&b, "expired-leaf", 12)->verdict = VERDICT_WARN;
  expect_verdict("worse", 1);
  expect_shown("newly warned of\n");
}

static void what_failed_in_both_is_no_change(void **state)
{
  (void) state;
  report_sample_fail(&a, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  expect_verdict("same", 0);
}

static void another_alert_is_a_change(void **state)
{
  (void) state;
  report_sample_trial(&b, "another-name", 12)->seen.alert = 42;
  expect_verdict("changed", 0);
  expect_shown("~ high    1.2        another name\n                     alert 42, was alert 48\n");
  report_sample_trial(&b, "another-name", 12)->seen.alerted = false;
  expect_shown("no alert, was alert 48\n");
}

static void another_conduct_is_a_change(void **state)
{
  (void) state;
  report_sample_fail(&a, "silence-after-the-hello", 12, CONDUCT_ACCEPTED);
  report_sample_fail(&b, "silence-after-the-hello", 12, CONDUCT_HUNG);
  expect_verdict("changed", 0);
  expect_shown("did not give up, was accepted\n");
}

static void set_patience(struct report_sample *sample, double ms)
{
  struct trial_result *trial = report_sample_trial(sample, "silence-after-the-hello", 12);
  trial->seen.ended_ms = trial->seen.said_ms + ms;
}

static void more_patience_by_a_factor_of_two_is_a_change(void **state)
{
  (void) state;
  set_patience(&a, 5000);
  set_patience(&b, 9900);
  expect_verdict("same", 0);
  set_patience(&b, 10100);
  expect_verdict("changed", 0);
  expect_shown("gives up after 10.10 s, was 5.00 s\n");
  set_patience(&a, 10);
  set_patience(&b, 500);
  expect_verdict("same", 0); /* what a busy machine adds */
  set_patience(&b, 520);
  expect_verdict("changed", 0);
}

static void a_trial_of_one_only_is_named(void **state)
{
  (void) state;
  b.report.count--;
  json_t *comparison = compared();
  const json_t *only = json_object_get(comparison, "only_in_a");
  assert_int_equal(json_array_size(only), 1);
  assert_string_equal(json_string_value(json_array_get(only, 0)), "connack-refuses, TLS 1.3");
  assert_int_equal(json_array_size(json_object_get(comparison, "only_in_b")), 0);
  json_decref(comparison);
}

/* --- Trials of one of the two ----------------------------------------------------------------- */

static void drop_trial(struct report_sample *sample, const char *id, uint8_t tls)
{
  struct trial_result *trial = report_sample_trial(sample, id, tls);
  size_t behind = (size_t) (sample->trial + sample->report.count - (trial + 1));
  memmove(trial, trial + 1, behind * sizeof *trial);
  sample->report.count--;
}

/* Whether A would have failed it nobody knows; but no gate may let it pass for that. */
static void a_grave_failure_that_only_b_has_tried_ends_with_1(void **state)
{
  (void) state;
  drop_trial(&a, "another-name", 12);
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  expect_verdict("unclear", 1);
  expect_shown("UNCLEAR  1 unclear; 1 trial of high severity was failed that A has not tried:\n"
               "         whether B is worse cannot be known");
  expect_shown("? high    1.2        another name\n                     failed, and A has not "
               "tried it\n                     CONNECT went to a server that it should have "
               "refused\n");
  expect_shown("  1 trial in B only: 1 failed\n");
}

static void a_lesser_failure_that_only_b_has_tried_is_unclear(void **state)
{
  (void) state;
  drop_trial(&a, "expired-leaf", 12);
  report_sample_fail(&b, "expired-leaf", 12, CONDUCT_ACCEPTED);
  expect_verdict("unclear", 0);
  expect_shown("UNCLEAR  1 unclear\n");
  expect_shown("? medium  1.2        expired leaf\n                     failed, and A has not "
               "tried it\n");
}

static void what_is_worse_stands_before_what_nobody_knows(void **state)
{
  (void) state;
  drop_trial(&a, "another-name", 12);
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_fail(&b, "expired-leaf", 12, CONDUCT_ACCEPTED);
  char *text = shown(), *worse = strstr(text, "\nx medium"), *unclear = strstr(text, "\n? high");
  if (worse == NULL || unclear == NULL || unclear < worse) fail_msg("%s", text);
  free(text);
}

static void what_only_b_has_passed_is_told_and_no_change(void **state)
{
  (void) state;
  drop_trial(&a, "another-name", 12);
  drop_trial(&a, "name-in-cn-only", 13);
  expect_verdict("same", 0);
  expect_shown("  2 trials in B only: 1 passed, 1 warned of\n    another-name, TLS 1.2: passed\n"
               "    name-in-cn-only, TLS 1.3: warned of\n");
}

/* B proves less than A. */
static void what_was_passed_and_is_not_tried_any_more_is_unclear(void **state)
{
  (void) state;
  drop_trial(&b, "another-name", 12);
  expect_verdict("unclear", 0);
  expect_shown("UNCLEAR  1 unclear\n");
  expect_shown("? 1 trial of A is not tried any more, 1 of high severity: 1 passed\n"
               "    another-name, TLS 1.2: passed\n");
}

static void what_was_failed_and_is_not_tried_any_more_is_not_mended(void **state)
{
  (void) state;
  report_sample_fail(&a, "expired-leaf", 12, CONDUCT_ACCEPTED);
  drop_trial(&b, "expired-leaf", 12);
  expect_verdict("unclear", 0);
  expect_shown("? 1 trial of A is not tried any more, 0 of high severity: 1 failed\n");
}

static void what_showed_nothing_and_is_not_tried_any_more_is_no_change(void **state)
{
  (void) state;
  report_sample_trial(&a, "another-name", 12)->verdict = VERDICT_NOT_SHOWN;
  drop_trial(&b, "another-name", 12);
  expect_verdict("same", 0);
}

static void many_trials_of_one_are_counted(void **state)
{
  (void) state;
  while (b.report.count > 2) drop_trial(&b, b.trial[2].c->id, b.trial[2].tls);
  b.trial[2] = a.trial[2];
  b.report.count = 3;
  expect_shown("? 11 trials of A are not tried any more, 3 of high severity: 9 passed, 2 "
               "warned\n  of\n    self-signed-leaf, TLS 1.3: passed\n");
}

static void a_program_is_told_what_only_one_has_tried(void **state)
{
  (void) state;
  drop_trial(&a, "another-name", 12);
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  drop_trial(&b, "expired-leaf", 13);
  json_t *comparison = compared();
  const json_t *only = json_object_get(comparison, "only");
  assert_int_equal(json_array_size(only), 2);
  const json_t *first = json_array_get(only, 0), *second = json_array_get(only, 1);
  assert_string_equal(report_json_text(first, "in"), "b");
  assert_string_equal(report_json_text(first, "trial"), "another-name, TLS 1.2");
  assert_string_equal(report_json_text(first, "verdict"), "fail");
  assert_string_equal(report_json_text(first, "state"), "unclear");
  assert_string_equal(report_json_text(second, "in"), "a");
  assert_string_equal(report_json_text(second, "verdict"), "pass");
  assert_string_equal(report_json_text(second, "severity"), "medium");
  assert_int_equal(report_json_number(json_object_get(comparison, "counts"), "unclear"), 2);
  assert_true(json_is_string(json_object_get(comparison, "alarm")));
  json_decref(comparison);
}

/* --- Whether they can be compared ------------------------------------------------------------- */

static void expect_unlike(const char *part)
{
  json_t *comparison = compared();
  const json_t *unlike = json_object_get(comparison, "unlike");
  assert_int_equal(json_array_size(unlike), 1);
  expect_part(json_string_value(json_array_get(unlike, 0)), part);
  json_decref(comparison);
}

static void a_downloader_is_no_mqtt_client(void **state)
{
  (void) state;
  a.report.protocol = "mqtt";
  b.report.protocol = "https";
  expect_unlike("A speaks MQTT, and B downloads by HTTPS");
  expect_shown("! not alike:   A speaks MQTT, and B downloads by HTTPS");
  b.report.protocol = "both";
  expect_verdict("same", 0);
}

/* As the reports of an older version. */
static void who_downloads_is_known_by_cases_and_command_too(void **state)
{
  (void) state;
  b.report.command = "curl --cacert {ca} {url}";
  drop_trial(&b, "connack-refuses", 13);
  drop_trial(&b, "connack-refuses", 12);
  expect_unlike("A speaks MQTT, and B downloads by HTTPS");
}

static void without_a_case_in_common_there_is_nothing_to_compare(void **state)
{
  (void) state;
  a.report.count = 4; /* the control, and one case */
  for (size_t i = 4; i < b.report.count; i++) b.trial[i - 2] = b.trial[i];
  b.report.count -= 2;
  expect_unlike("no case was tried in both, but for the control");
}

static void expect_warning(const char *part)
{
  json_t *comparison = compared();
  const json_t *warnings = json_object_get(comparison, "warnings");
  assert_int_equal(json_array_size(json_object_get(comparison, "unlike")), 0);
  assert_int_equal(json_array_size(warnings), 1);
  expect_part(json_string_value(json_array_get(warnings, 0)), part);
  json_decref(comparison);
}

static void one_that_was_interrupted_is_told(void **state)
{
  (void) state;
  b.report.interrupted = true;
  expect_warning("B was interrupted before all was tried: ");
  expect_shown("! beware:      B was interrupted before all was tried: ");
  a.report.interrupted = true;
  b.report.interrupted = false;
  expect_warning("A was interrupted before all was tried: ");
}

static void another_kind_of_target_is_told(void **state)
{
  (void) state;
  b.report.target = "listen";
  expect_warning("A was tried by --exec, and B by --listen");
}

static void another_version_of_the_program_is_told(void **state)
{
  (void) state;
  b.report.version = "0.2.0";
  expect_warning("A was tried by fleetsim 0.1.0, and B by 0.2.0");
}

static void a_case_that_is_another_under_its_name_is_told(void **state)
{
  (void) state;
  struct gauntlet_case other = *report_sample_trial(&b, "expired-leaf", 12)->c;
  other.severity = CASE_HIGH;
  report_sample_trial(&b, "expired-leaf", 12)->c = &other;
  report_sample_trial(&b, "expired-leaf", 13)->c = &other;
  expect_warning("1 case is not judged alike in both (severity, layer, check, or what a client "
                 "must do): expired-leaf");
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void change_hello(struct report_sample *sample, void (*change)(struct hello *hello))
{
  for (size_t i = 0; i < sample->report.count; i++) change(&sample->trial[i].seen.hello);
}

static void add_rc4(struct hello *hello)
{
  hello->suites.value[hello->suites.count++] = 0x0005;
}

static void swap_suites(struct hello *hello)
{
  uint16_t first = hello->suites.value[0];
  hello->suites.value[0] = hello->suites.value[1];
  hello->suites.value[1] = first;
}

static void drop_name(struct hello *hello)
{
  hello->server_name[0] = '\0';
}

static void a_suite_that_came_is_told(void **state)
{
  (void) state;
  change_hello(&b, add_rc4);
  expect_shown("~ suites                   now also TLS_RSA_WITH_RC4_128_SHA\n");
}

static void a_suite_that_went_is_told(void **state)
{
  (void) state;
  change_hello(&a, add_rc4);
  expect_shown("~ suites                   no longer TLS_RSA_WITH_RC4_128_SHA\n");
}

static void another_order_of_preference_is_told(void **state)
{
  (void) state;
  change_hello(&b, swap_suites);
  expect_verdict("changed", 0);
  expect_shown("~ suites                   the same in another order\n");
}

static void a_fact_that_is_gone_is_told(void **state)
{
  (void) state;
  change_hello(&b, drop_name);
  expect_shown("~ server_name              none, was broker.test\n");
}

/* What stands out newly and is grave is worse, whatever the trials say. */
static void what_stands_out_newly_is_worse(void **state)
{
  (void) state;
  change_hello(&b, add_rc4);
  expect_verdict("worse", 1);
  expect_shown("x stands out now ");
}

static void add_ffdhe(struct hello *hello)
{
  hello->groups.value[hello->groups.count++] = 256;
}

static void what_stands_out_a_little_is_a_change(void **state)
{
  (void) state;
  change_hello(&b, add_ffdhe);
  expect_verdict("changed", 0);
  expect_shown("~ stands out now ");
}

static void what_stands_out_no_longer_is_better(void **state)
{
  (void) state;
  change_hello(&a, add_rc4);
  expect_verdict("better", 0);
  expect_shown("+ no longer so   ");
}

static void a_page_of_ci_has_the_same(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  strcpy(report_sample_trial(&b, "another-name", 12)->why, "<b>|seen|</b>");
  json_t *comparison = compared();
  assert_int_equal(files_join(path, b.folder, "summary.md", &error), 0);
  assert_int_equal(report_compare_markdown(comparison, path, &error), 0);
  char *page = report_sample_read(&b, "summary.md");
  expect_part(page, "## WORSE: 1 worse\n\n- A: out/a: mosquitto");
  expect_part(page, "| worse | high | another-name | 1.2 | newly failed | "
                    "&#60;b&#62;&#124;seen&#124;&#60;/b&#62; |\n");
  free(page);
  json_decref(comparison);
}

static void a_page_of_ci_has_what_only_one_has_tried(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  drop_trial(&a, "another-name", 12);
  report_sample_fail(&b, "another-name", 12, CONDUCT_ACCEPTED);
  drop_trial(&b, "expired-leaf", 13);
  b.report.interrupted = true;
  json_t *comparison = compared();
  assert_int_equal(files_join(path, b.folder, "summary.md", &error), 0);
  assert_int_equal(report_compare_markdown(comparison, path, &error), 0);
  char *page = report_sample_read(&b, "summary.md");
  expect_part(page, "## UNCLEAR: 2 unclear; 1 trial of high severity was failed that A has not");
  expect_part(page, "\n- **beware:** B was interrupted");
  expect_part(page, "| unclear | high | another-name | 1.2 | failed, and A has not tried it | "
                    "CONNECT went to a server that it should have refused |\n");
  expect_part(page, "- 1 trial of A is not tried any more, 0 of high severity: 1 passed\n"
                    "  - expired-leaf, TLS 1.3: passed\n");
  expect_part(page, "- 1 trial in B only: 1 failed\n");
  free(page);
  json_decref(comparison);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
  const struct CMUnitTest tests[] = {
      TEST(nothing_changed_between_equal_ones),
      TEST(a_new_failure_is_worse),
      TEST(a_failure_that_is_gone_is_better),
      TEST(one_mended_does_not_hide_one_that_is_worse),
      TEST(a_failure_that_is_not_shown_any_more_is_not_mended),
      TEST(what_neither_shows_is_no_change),
      TEST(a_version_that_is_not_offered_any_more_is_unclear),
      TEST(a_warning_is_between_pass_and_fail),
      TEST(what_failed_in_both_is_no_change),
      TEST(another_alert_is_a_change),
      TEST(another_conduct_is_a_change),
      TEST(more_patience_by_a_factor_of_two_is_a_change),
      TEST(a_trial_of_one_only_is_named),
      TEST(a_grave_failure_that_only_b_has_tried_ends_with_1),
      TEST(a_lesser_failure_that_only_b_has_tried_is_unclear),
      TEST(what_is_worse_stands_before_what_nobody_knows),
      TEST(what_only_b_has_passed_is_told_and_no_change),
      TEST(what_was_passed_and_is_not_tried_any_more_is_unclear),
      TEST(what_was_failed_and_is_not_tried_any_more_is_not_mended),
      TEST(what_showed_nothing_and_is_not_tried_any_more_is_no_change),
      TEST(many_trials_of_one_are_counted),
      TEST(a_program_is_told_what_only_one_has_tried),
      TEST(a_downloader_is_no_mqtt_client),
      TEST(who_downloads_is_known_by_cases_and_command_too),
      TEST(without_a_case_in_common_there_is_nothing_to_compare),
      TEST(one_that_was_interrupted_is_told),
      TEST(another_kind_of_target_is_told),
      TEST(another_version_of_the_program_is_told),
      TEST(a_case_that_is_another_under_its_name_is_told),
      TEST(a_suite_that_came_is_told),
      TEST(a_suite_that_went_is_told),
      TEST(another_order_of_preference_is_told),
      TEST(a_fact_that_is_gone_is_told),
      TEST(what_stands_out_newly_is_worse),
      TEST(what_stands_out_a_little_is_a_change),
      TEST(what_stands_out_no_longer_is_better),
      TEST(a_page_of_ci_has_the_same),
      TEST(a_page_of_ci_has_what_only_one_has_tried),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
