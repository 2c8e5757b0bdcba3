/* A report on a terminal: no line is wider than a screen, what must be known stands first, and one
 * case is one line. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "report_samples.h"

static struct report_sample *const one = &report_sample;

static char *printed(bool verbose)
{
  return report_sample_printed(one, &(struct report_extent){.verbose = verbose});
}

static void expect_part(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void expect_no_part(const char *text, const char *part)
{
  if (strstr(text, part) != NULL) fail_msg("\"%s\" in:\n%s", part, text);
}

static void expect_narrow(const char *text)
{
  for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
    char copy[1024];
    snprintf(copy, sizeof copy, "%.*s", (int) strcspn(line, "\n"), line);
    if (text_columns(copy) > 80) fail_msg("%zu columns: %s", text_columns(copy), copy);
    for (const char *c = copy; *c != '\0'; c++)
      if ((unsigned char) *c < 0x20) fail_msg("byte 0x%02x in: %s", (unsigned) *c, copy);
    if (line[strcspn(line, "\n")] == '\0') break;
  }
}

static void fail_two(void)
{
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  report_sample_fail(one, "another-name", 13, CONDUCT_ACCEPTED);
  report_sample_fail(one, "silence-after-the-hello", 13, CONDUCT_HUNG);
}

static void the_sentence_comes_first(void **state)
{
  (void) state;
  fail_two();
  char *text = printed(false);
  assert_int_equal(
      strncmp(text, "FAIL  2 of 10 lies were believed, 2 of high severity: anybody with a", 67), 0);
  expect_narrow(text);
  free(text);
}

static void a_case_in_two_versions_is_one_line(void **state)
{
  (void) state;
  fail_two();
  char *text = printed(false);
  expect_part(text, "\nx high    1.2, 1.3   another name\n");
  expect_part(text, "\nx medium  1.3        silence after the hello\n");
  expect_part(text, "\n! low     1.2, 1.3   name in CN only\n");
  expect_no_part(text, "self-signed"); /* it was passed */
  free(text);
}

static void nothing_to_attend_to_leaves_no_hole(void **state)
{
  (void) state;
  one->report.count = 3; /* the control, and one lie that was passed */
  char *text = printed(false);
  expect_part(text, "  tried        3 trials of 2 cases in");
  expect_no_part(text, "\n\n\n");
  free(text);
  one->report.count = 1;
  text = printed(false);
  expect_part(text, "  tried        1 trial of 1 case in");
  free(text);
}

static void counts_stand_by_severity(void **state)
{
  (void) state;
  fail_two();
  char *text = printed(false);
  expect_part(text, "  score 67 of 100              high   medium      low      all\n"
                    "  passed                          4        3        2        9\n"
                    "x failed                          2        1        0        3\n");
  expect_part(text, "  not offered                     0        0        1        1\n");
  expect_no_part(text, "skipped");
  free(text);
}

static void what_is_lacking_is_told_with_what_follows(void **state)
{
  (void) state;
  fail_two();
  char *text = printed(false);
  expect_part(text, "x does not check  name         anybody with");
  expect_part(text, "x checks partly   deadline     1 of 2 trials that need it were failed\n");
  expect_part(text,
              "x password     it was sent to a server that should have been refused (2 trials)");
  free(text);
}

static void a_password_that_the_broker_got_is_none_that_was_told(void **state)
{
  (void) state;
  report_sample_trial(one, "leaf-and-intermediate", 12)->seen.has_password = true;
  char *text = printed(false);
  expect_no_part(text, "x password");
  free(text);
}

static void one_reason_for_all_is_told_once(void **state)
{
  (void) state;
  report_sample_never(one);
  char *text = printed(false);
  expect_part(text,
              "? not shown: the client never connected\n    leaf and intermediate (1.2, 1.3), "
              "self-signed leaf");
  assert_null(strstr(strstr(text, "? not shown: ") + 1, "? not shown: "));
  expect_part(text, "NONE  nothing is shown: the client never connected\n");
  expect_no_part(text, "score");
  expect_narrow(text);
  free(text);
}

static void verbose_has_every_trial(void **state)
{
  (void) state;
  char *text = printed(true);
  for (size_t i = 0; i < one->report.count; i++) expect_part(text, one->trial[i].c->id);
  expect_part(text, "alert 48 (unknown CA), gave up after ");
  expect_part(
      text,
      "leaf-and-intermediate\n                          it sent CONNECT\n  pass"); /* no more */
  expect_narrow(text);
  free(text);
}

static void facts_of_the_hello_are_shown_once(void **state)
{
  (void) state;
  char *text = printed(false);
  expect_part(text, "  its ClientHello (15 trials: 13 tls, 2 mqtt)\n");
  expect_part(text, "  server name  broker.test\n");
  expect_part(text, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  free(text);
}

static void hellos_that_differ_are_counted(void **state)
{
  (void) state;
  one->trial[3].seen.hello.suites.count = 3;
  one->trial[4].seen.has_hello = false;
  char *text = printed(false);
  expect_part(text, "  its ClientHello (13 trials: 11 tls, 2 mqtt)\n");
  expect_part(text, "  1 more that differ: --verbose, results.json\n");
  expect_part(text, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  free(text);
  text = printed(true);
  expect_part(text, "  its ClientHello (1 trial: 1 tls)\n");
  free(text);
}

static void times_are_told_by_what_it_was_up_against(void **state)
{
  (void) state;
  fail_two();
  char *text = printed(false);
  expect_part(text,
              "x a server that falls silent        1     5.00 s     5.00 s     5.00 s      1\n");
  expect_part(text, "  a certificate to be refused       4     6.0 ms");
  expect_part(text, "! in clear     before TLS 1.3 its certificate");
  free(text);
}

static void retries_are_told_with_their_spread(void **state)
{
  (void) state;
  char *text = printed(false);
  expect_part(text,
              "  tried again  in 15 trials, 15 times; try 2 after 1.01 s (842.0 ms to 1.18 s,");
  expect_no_part(text, "no jitter");
  free(text);
  for (size_t i = 0; i < one->report.count; i++) one->trial[i].seen.retry_ms[0] = 1000 + (double) i;
  text = printed(false);
  expect_part(text, "! no jitter    it comes back after the same time every time");
  free(text);
}

/* What a client, its command or its broker says is text, however long. */
static void what_steers_a_terminal_does_not(void **state)
{
  (void) state;
  static const char evil[] =
      "\x1b[2J\x07 and\nlines \xff\xfe of a word that is longer than a "
      "screen: "
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  text_copy(one->report.client, sizeof one->report.client, evil);
  snprintf(report_sample_trial(one, "another-name", 12)->why, 320, "%s", evil);
  snprintf(report_sample_trial(one, "expired-leaf", 12)->why, 320, "%s", evil);
  report_sample_trial(one, "expired-leaf", 12)->verdict = VERDICT_NOT_SHOWN;
  one->report.command = evil;
  char *text = printed(true);
  expect_narrow(text);
  free(text);
}

static void colours_are_of_the_verdict_alone(void **state)
{
  (void) state;
  char *text = report_sample_printed(one, &(struct report_extent){.colour = true});
  assert_int_equal(strncmp(text, "\033[1;32mPASS\033[0m  none of", 22), 0);
  assert_null(strchr(text + 15, '\033'));
  free(text);
}

static void many_failures_are_a_list(void **state)
{
  (void) state;
  for (size_t i = 0; i < one->report.count; i++) {
    struct trial_result *trial = &one->trial[i];
    trial->conduct = i % 2 == 0 ? CONDUCT_ACCEPTED : CONDUCT_HUNG; /* a line each */
    trial->verdict = VERDICT_FAIL;
    strcpy(trial->why, "seen so");
  }
  char *text = printed(false);
  expect_no_part(text, "seen so\n");
  expect_part(text, "  what was seen in each: --verbose, report.html, results.json\n");
  expect_part(text, "x medium  1.2        expired leaf\n");
  expect_no_part(text, "x low     1.2");
  expect_part(text, "x low     name in CN only (1.2), name in CN only (1.3), TLS 1.1 only (1.1)");
  expect_narrow(text);
  free(text);
}

int main(void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown(name, report_sample_set_up, report_sample_take_down)
  const struct CMUnitTest tests[] = {
      TEST(the_sentence_comes_first),
      TEST(a_case_in_two_versions_is_one_line),
      TEST(nothing_to_attend_to_leaves_no_hole),
      TEST(counts_stand_by_severity),
      TEST(what_is_lacking_is_told_with_what_follows),
      TEST(a_password_that_the_broker_got_is_none_that_was_told),
      TEST(one_reason_for_all_is_told_once),
      TEST(verbose_has_every_trial),
      TEST(facts_of_the_hello_are_shown_once),
      TEST(hellos_that_differ_are_counted),
      TEST(times_are_told_by_what_it_was_up_against),
      TEST(retries_are_told_with_their_spread),
      TEST(what_steers_a_terminal_does_not),
      TEST(colours_are_of_the_verdict_alone),
      TEST(many_failures_are_a_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
