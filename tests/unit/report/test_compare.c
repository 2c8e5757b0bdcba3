/* Two runs or sets of runs side by side: what is said to have moved has, what is not alike is not
 * compared, and what has no verdict has no figures. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/compare.h"
#include "sample.h"

#define RUNS 6

static struct sample runs[2][RUNS];
static char sets[2][32];

static int begin(void **state)
{
  (void) state;
  for (size_t s = 0; s < 2; s++) {
    strcpy(sets[s], "/tmp/fleetsim-set-XXXXXX");
    assert_non_null(mkdtemp(sets[s]));
    for (size_t r = 0; r < RUNS; r++) {
      sample_begin(&runs[s][r]);
      snprintf(runs[s][r].results.run_id, sizeof runs[s][r].results.run_id, "%032zx", 100 * s + r);
      sample_pass(&runs[s][r]);
    }
  }
  return 0;
}

static int finish(void **state)
{
  (void) state;
  for (size_t s = 0; s < 2; s++) {
    for (size_t r = 0; r < RUNS; r++) sample_end(&runs[s][r]);
    files_remove(sets[s], NULL);
  }
  return 0;
}

/* Handshakes of about so many milliseconds, many more than the sample has. */
static void take_ms(struct sample *one, double ms)
{
  for (unsigned i = 0; i < 10000; i++)
    metrics_record_us(one->metrics, METRIC_HANDSHAKE_WALL, (uint64_t) (1000 * ms));
}

static void conclude(size_t set, size_t count)
{
  char name[64];
  for (size_t r = 0; r < count; r++) {
    sample_conclude(&runs[set][r]);
    snprintf(name, sizeof name, "%s/%zu", sets[set], r);
    assert_int_equal(symlink(runs[set][r].folder, name), 0);
  }
}

/* Five runs and five: the first around 100 ms, the second around that times `factor`. */
static void two_sets(double factor)
{
  static const double around[] = {100, 104, 98, 101, 97};
  for (size_t r = 0; r < 5; r++) {
    take_ms(&runs[0][r], around[r]);
    take_ms(&runs[1][r], factor * around[r] + 0.1 * (double) r);
  }
  conclude(0, 5);
  conclude(1, 5);
}

static char said[8192];
static struct error error;

static int compared(struct compare_options options, const char *a, const char *b)
{
  options.a = a;
  options.b = b;
  if (options.threshold == 0) options.threshold = 0.1;
  memset(said, 0, sizeof said);
  error = (struct error){0};
  FILE *out = fmemopen(said, sizeof said, "w");
  assert_non_null(out);
  int code = compare_folders(&options, out, false, &error);
  fclose(out);
  return code;
}

static void expect_said(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void a_run_has_not_moved_from_itself(void **state)
{
  (void) state;
  conclude(0, 1);
  const char *folder = runs[0][0].folder;
  if (compared((struct compare_options){0}, folder, folder) != EXIT_CODE_PASS)
    fail_msg("%s%s", said, error.text);
  expect_said(said, "SAME  root \"CA\" rotation: nothing moved by 10 % or more\n");
  expect_said(said, "1 and 1 runs: the ranks of runs tell nothing yet");
}

static void twenty_per_cent_is_seen_and_is_an_alarm(void **state)
{
  (void) state;
  two_sets(1.2);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), EXIT_CODE_FAIL);
  expect_said(said, "WORSE  root \"CA\" rotation: ");
  expect_said(said, "\nx handshake.wall_ms.p50 ");
  expect_said(said, "+20.");
  expect_said(said, "worse, p 0.0079\n");
  expect_said(said, ": 5 runs, begun at 2026-01-02T03:04:05Z\n");
  assert_int_equal(compared((struct compare_options){.threshold = 0.3}, sets[0], sets[1]),
                   EXIT_CODE_PASS);
}

static void what_is_better_is_an_alarm_where_that_was_asked_for(void **state)
{
  (void) state;
  two_sets(0.8);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), EXIT_CODE_PASS);
  expect_said(said, "BETTER  root \"CA\" rotation: ");
  assert_int_equal(
      compared((struct compare_options){.alarm = COMPARE_ALARM_MOVED}, sets[0], sets[1]),
      EXIT_CODE_FAIL);
}

static void one_run_of_each_is_unclear_past_the_threshold(void **state)
{
  (void) state;
  take_ms(&runs[0][0], 100);
  take_ms(&runs[1][0], 120);
  conclude(0, 1);
  conclude(1, 1);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), EXIT_CODE_PASS);
  expect_said(said, "UNCLEAR  root");
  expect_said(said, "\n? handshake.wall_ms.p50 ");
  assert_int_equal(
      compared((struct compare_options){.alarm = COMPARE_ALARM_UNCLEAR}, sets[0], sets[1]),
      EXIT_CODE_FAIL);
}

static void honest_repeats_are_no_alarm(void **state)
{
  (void) state;
  static const double seen[2][6] = {{3.8, 2.4, 9.8, 1.7, 1.0, 1.3}, {1.5, 1.4, 1.6, 1.8, 1.6, 1.4}};
  for (size_t s = 0; s < 2; s++)
    for (size_t r = 0; r < 6; r++) take_ms(&runs[s][r], seen[s][r]);
  conclude(0, 6);
  conclude(1, 6);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), EXIT_CODE_PASS);
  expect_said(said, "SAME  root");
  for (size_t a = 0; a < 6; a++)
    for (size_t b = 0; b < 6; b++)
      assert_int_equal(compared((struct compare_options){0}, runs[0][a].folder, runs[1][b].folder),
                       EXIT_CODE_PASS);
}

static void what_is_not_alike_is_compared_only_when_asked(void **state)
{
  (void) state;
  runs[1][0].results.devices = 999;
  strcpy(runs[1][0].results.timing.profile, "another");
  strcpy(runs[1][0].results.machine.processor, "a faster one");
  strcpy(runs[1][0].results.version_broker, "mosquitto 9");
  conclude(0, 1);
  conclude(1, 1);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  expect_said(error.text, "not alike");
  expect_said(error.text, "another number of devices in B than in A: 1000 and 999");
  expect_said(error.text, "another timing profile in B than in A: mbedtls-3.6.7-Os and another");
  expect_said(error.text, "another processor in B than in A");
  assert_null(strstr(error.text, "mosquitto 9")); /* that is what one compares */
  assert_string_equal(said, "");
  assert_int_equal(compared((struct compare_options){.anyway = true}, sets[0], sets[1]), 0);
  expect_said(said, "NOT ALIKE: another number of devices in B than in A: 1000 and 999\n");
  expect_said(said, "another broker in B than in A");
}

static void a_set_that_is_mixed_is_refused_too(void **state)
{
  (void) state;
  runs[0][2].results.scenario_text = "name: another\n";
  conclude(0, 3);
  conclude(1, 1);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), -1);
  expect_said(error.text, "another text of the scenario as it was run within A");
}

/* They stay alike: what a pause changes is not the scenario. */
static void a_run_that_was_paused_by_hand_is_named_beside_the_figures(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  runs[1][1].results.by_hand = (struct results_by_hand){.pauses = 2, .paused_s = 12.5};
  conclude(0, 1);
  conclude(1, 2);
  assert_int_equal(files_join(path, sets[0], "summary.md", NULL), 0);
  assert_int_equal(compared((struct compare_options){.summary = path}, sets[0], sets[1]), 0);
  expect_said(said, "SAME  root");
  expect_said(said, "  PAUSED: 1 of 2 runs of B was paused by hand, for 12.5 s in all: ");
  assert_null(strstr(said, "of A was paused"));
  uint8_t *page;
  size_t size;
  assert_int_equal(files_read(path, 1u << 20, &page, &size, NULL), 0);
  expect_said((const char *) page, "- **paused:** 1 of 2 runs of B was paused by hand, for 12.5 s");
  free(page);
  assert_int_equal(compared((struct compare_options){.json = true}, sets[1], sets[0]), 0);
  expect_said(said,
              "\"paused\": [\n    \"1 of 2 runs of A was paused by hand, for 12.5 s in all: ");
}

static void a_run_without_a_verdict_has_no_figures(void **state)
{
  (void) state;
  runs[1][1].results.verdict = "interrupted";
  runs[1][1].results.exit_code = EXIT_CODE_INTERRUPTED;
  strcpy(runs[1][1].results.message, "interrupted by SIGINT");
  conclude(0, 1);
  conclude(1, 2);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  expect_said(error.text, "/1 cannot be compared: the run did not come to its end (interrupted: "
                          "interrupted by SIGINT)");
}

static void a_run_that_was_killed_is_named(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  conclude(0, 1);
  conclude(1, 2);
  assert_int_equal(files_join(path, runs[1][0].folder, "results.json", NULL), 0);
  assert_int_equal(unlink(path), 0); /* its events are there still */
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  expect_said(error.text, "/0 cannot be compared: ");
  expect_said(error.text, "holds no complete run");
}

static void a_folder_without_runs_says_what_to_name(void **state)
{
  (void) state;
  conclude(0, 1);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), -1);
  expect_said(error.text, "holds 0 runs, neither itself nor in folders of it");
  assert_int_equal(compared((struct compare_options){0}, "/nonexistent", sets[0]), -1);
  expect_said(error.text, "/nonexistent cannot be read: No such file or directory");
  assert_int_equal(error.code, EXIT_CODE_USAGE);
}

static void a_run_that_fails_where_none_did_is_worse(void **state)
{
  (void) state;
  struct results *results = &runs[1][0].results;
  results->verdict = "fail";
  results->exit_code = EXIT_CODE_FAIL;
  runs[1][0].checks[1].pass = false;
  strcpy(runs[1][0].checks[1].observed, "7");
  conclude(0, 1);
  conclude(1, 1);
  assert_int_equal(compared((struct compare_options){0}, sets[0], sets[1]), EXIT_CODE_FAIL);
  expect_said(said, "x runs that failed                      0          1         -  worse\n");
  assert_int_equal(compared((struct compare_options){0}, sets[1], sets[0]), EXIT_CODE_PASS);
}

static void programs_get_one_object_and_pages_a_table(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  two_sets(1.2);
  assert_int_equal(files_join(path, sets[0], "summary.md", NULL), 0);
  assert_int_equal(
      compared((struct compare_options){.json = true, .summary = path}, sets[0], sets[1]),
      EXIT_CODE_FAIL);
  json_t *tree = json_loads(said, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(tree);
  assert_string_equal(json_string_value(json_object_get(tree, "schema")), "fleetsim-comparison/1");
  assert_string_equal(json_string_value(json_object_get(tree, "verdict")), "worse");
  const json_t *row = json_array_get(json_object_get(tree, "figures"), 2);
  assert_string_equal(json_string_value(json_object_get(row, "name")), "handshake.wall_ms.p50");
  assert_string_equal(json_string_value(json_object_get(row, "by")), "runs");
  assert_int_equal(json_array_size(json_object_get(row, "runs_b")), 5);
  json_decref(tree);
  uint8_t *page;
  size_t size;
  assert_int_equal(files_read(path, 1u << 20, &page, &size, NULL), 0);
  const char *text = (const char *) page;
  assert_ptr_equal(strstr(text, "## WORSE: root &#34;CA&#34; rotation: "), text);
  expect_said(text, "| <code>handshake.wall_ms.p50</code> | 100.");
  expect_said(text, " | **worse, p 0.0079** |\n");
  free(page);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, finish)
  const struct CMUnitTest tests[] = {
      test(a_run_has_not_moved_from_itself),
      test(twenty_per_cent_is_seen_and_is_an_alarm),
      test(what_is_better_is_an_alarm_where_that_was_asked_for),
      test(one_run_of_each_is_unclear_past_the_threshold),
      test(honest_repeats_are_no_alarm),
      test(what_is_not_alike_is_compared_only_when_asked),
      test(a_set_that_is_mixed_is_refused_too),
      test(a_run_that_was_paused_by_hand_is_named_beside_the_figures),
      test(a_run_without_a_verdict_has_no_figures),
      test(a_run_that_was_killed_is_named),
      test(a_folder_without_runs_says_what_to_name),
      test(a_run_that_fails_where_none_did_is_worse),
      test(programs_get_one_object_and_pages_a_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
