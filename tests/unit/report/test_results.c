#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/results_json.h"
#include "sample.h"

static json_t *written(void)
{
  struct error error = {0};
  if (results_write(&sample.results, sample.folder, &error) != 0) fail_msg("%s", error.text);
  char *text = sample_read(&sample, "results.json");
  assert_non_null(text);
  json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  assert_non_null(tree);
  return tree;
}

/* The member at a path like "phases/0/name". Metric names have dots, none has a slash. */
static const json_t *at(const json_t *tree, const char *path)
{
  char key[128];
  for (const char *p = path; *p != '\0';) {
    size_t size = strcspn(p, "/");
    snprintf(key, sizeof key, "%.*s", (int) size, p);
    tree = json_is_array(tree) ? json_array_get(tree, strtoul(key, NULL, 10))
                               : json_object_get(tree, key);
    if (tree == NULL) fail_msg("no %s in results.json", path);
    p += size + (p[size] == '/');
  }
  return tree;
}

static void expect_text(const json_t *tree, const char *path, const char *expected)
{
  assert_non_null(json_string_value(at(tree, path)));
  assert_string_equal(json_string_value(at(tree, path)), expected);
}

static void expect_number(const json_t *tree, const char *path, double expected)
{
  double seen = json_number_value(at(tree, path));
  if (!json_is_number(at(tree, path)) || seen < expected - 1e-9 || seen > expected + 1e-9)
    fail_msg("%s is %g, expected %g", path, seen, expected);
}

static void writes_the_schema_of_the_contract(void **state)
{
  (void) state;
  json_t *tree = written();
  expect_text(tree, "schema", "fleetsim-results/1");
  expect_text(tree, "verdict", "fail");
  expect_number(tree, "exit_code", 1);
  expect_text(tree, "scenario/name", "root \"CA\" rotation");
  expect_number(tree, "seed", 7);
  expect_number(tree, "duration_s", 41.2);
  expect_text(tree, "versions/fleetsim", "0.1.0");
  expect_number(tree, "fleet/devices", 1000);
  expect_text(tree, "fleet/crypto", "accelerated");
  expect_text(tree, "phases/0/gate/observed", "1000 of 1000 (100%)");
  assert_true(json_is_true(at(tree, "phases/0/gate/pass")));
  assert_true(json_is_null(at(tree, "phases/1/gate")));
  expect_text(tree, "phases/1/expectations/0/expr", "refused == 100%");
  assert_true(json_is_false(at(tree, "expectations/0/pass")));
  assert_int_equal(json_object_size(at(tree, "metrics")), METRIC_COUNT);
  expect_number(tree, "metrics/process.cpu_s/value", 1.5);
  expect_number(tree, "metrics/handshake.wall_ms/count", 1000);
  expect_number(tree, "metrics/handshake.wall_ms/max", 1000);
  json_decref(tree);
}

static void expect_about(const json_t *tree, const char *path, double expected)
{
  double seen = json_number_value(at(tree, path));
  if (seen < expected * 0.999 || seen > expected * 1.001)
    fail_msg("%s is %g, expected about %g", path, seen, expected);
}

static void modelled_times_have_their_band_and_what_they_rest_on(void **state)
{
  (void) state;
  sample.results.timing.paced = true;
  json_t *tree = written();
  expect_text(tree, "fleet/timing_profile", "mbedtls-3.6.7-Os");
  expect_text(tree, "fleet/profile", "nrf52-m4-64");
  expect_text(tree, "timing/profile", "mbedtls-3.6.7-Os");
  assert_true(json_is_true(at(tree, "timing/paced")));
  expect_number(tree, "timing/clock_hz", 64e6);
  expect_number(tree, "timing/k_mem/low", 1);
  expect_number(tree, "timing/k_mem/nominal", 1.07);
  expect_number(tree, "timing/k_mem/high", 1.15);
  expect_about(tree, "timing/device_ms/p50/low", 1000);
  expect_about(tree, "timing/device_ms/p50/nominal", 1070);
  expect_about(tree, "timing/device_ms/p50/high", 1150);
  expect_about(tree, "timing/device_ms/p99/high", 1150);
  expect_number(tree, "timing/budget/rom_bytes", 85200);
  expect_number(tree, "timing/budget/ram_peak_bytes", 21300);
  expect_number(tree, "timing/budget/record_bytes", 4096);
  expect_number(tree, "timing/budget/trust_anchors_max", 5);
  json_decref(tree);
}

static void what_is_not_known_of_a_budget_is_not_there(void **state)
{
  (void) state;
  json_t *tree = written();
  assert_int_equal(json_object_size(at(tree, "timing/budget")), 4); /* the sample knows no chain */
  json_decref(tree);
}

static void without_a_timing_profile_there_is_no_modelled_time(void **state)
{
  (void) state;
  sample.results.timing = (struct results_timing){.profile = ""};
  json_t *tree = written();
  assert_true(json_is_null(at(tree, "timing")));
  json_decref(tree);
}

static void a_run_over_time_is_a_line_a_column(void **state)
{
  (void) state;
  sample_keep_series(&sample);
  json_t *tree = written();
  expect_number(tree, "series/step_s", 1);
  expect_number(tree, "series/end_s", 1.5);
  expect_number(tree, "series/columns/online/1", 998);
  expect_number(tree, "series/columns/connect.ok/0", 1000);
  expect_number(tree, "series/columns/connect.ok/1", 0);
  expect_number(tree, "series/columns/trusting.B/1", 950);
  expect_number(tree, "series/failures/connect.tls.not_trusted/0", 10);
  assert_true(json_is_null(at(tree, "series/columns/handshake.wall_ms.p50/1")));
  assert_null(json_object_get(at(tree, "series/failures"), "connect.tls.revoked"));
  json_decref(tree);
  char *text = sample_read(&sample, "results.json");
  assert_non_null(strstr(text, "\"connect.ok\": [1000,0],\n"));
  assert_non_null(strstr(text, "\"le\": [1."));
  free(text);
}

static void a_run_says_what_it_was_and_how_to_repeat_it(void **state)
{
  (void) state;
  static const char *const words[] = {"run",   "a b's.yaml", "--out",       "x",    "--set",
                                      "a=b c", "--out=y",    "--overwrite", "--yes"};
  static const struct results_set sets[] = {{"a", "b c"}};
  const struct results_asked asked = {words, sizeof words / sizeof *words, sets, 1};
  sample.results.asked = &asked;
  sample.results.scenario_text = "name: x\n";
  sample.results.machine = (struct machine){2, 1u << 30, "Linux 6.1", "a processor"};
  sample.results.broker_count = 1;
  sample.results.brokers[0] = (struct results_broker){"", "mosquitto", "mqtts://localhost:8883"};
  json_t *tree = written();
  expect_text(tree, "repeat", "fleetsim run 'a b'\\''s.yaml' --set 'a=b c' --yes --seed 7");
  expect_text(tree, "command/0", "fleetsim");
  expect_text(tree, "command/9", "--yes");
  expect_text(tree, "set/0/path", "a");
  expect_text(tree, "set/0/value", "b c");
  expect_text(tree, "scenario/text", "name: x\n");
  expect_text(tree, "scenario/file", "scenarios/root-ca-rotation.yaml");
  expect_number(tree, "machine/cores", 2);
  expect_number(tree, "machine/memory_bytes", 1u << 30);
  expect_text(tree, "machine/processor", "a processor");
  expect_text(tree, "brokers/0/kind", "mosquitto");
  expect_text(tree, "brokers/0/url", "mqtts://localhost:8883");
  assert_true(json_is_null(at(tree, "brokers/0/name")));
  json_decref(tree);
}

static void a_seed_that_was_given_is_not_given_twice(void **state)
{
  (void) state;
  static const char *const words[] = {"run", "a.yaml", "--seed", "9"};
  const struct results_asked asked = {words, 4, NULL, 0};
  sample.results.asked = &asked;
  json_t *tree = written();
  expect_text(tree, "repeat", "fleetsim run a.yaml --seed 9");
  json_decref(tree);
}

static void without_a_series_there_is_null(void **state)
{
  (void) state;
  json_t *tree = written();
  assert_true(json_is_null(at(tree, "series")));
  json_decref(tree);
}

static void a_distribution_holds_every_value_once(void **state)
{
  (void) state;
  json_t *tree = written();
  const json_t *le = at(tree, "distributions/handshake.wall_ms/le"),
               *count = at(tree, "distributions/handshake.wall_ms/count");
  double sum = 0, below = 0;
  assert_int_equal(json_array_size(le), json_array_size(count));
  for (size_t b = 0; b < json_array_size(le); b++) {
    double end = json_number_value(json_array_get(le, b)),
           n = json_number_value(json_array_get(count, b));
    assert_true(end > below);
    /* the sample has a value a millisecond: as many as the bucket is wide, but for its ends */
    double wanted = fmin(floor(end), 1000) - fmin(floor(below), 1000);
    if (fabs(n - wanted) > 1.5) fail_msg("up to %g ms: %g, not %g", end, n, wanted);
    below = end;
    sum += n;
  }
  assert_true(fabs(sum - 1000) < 0.5 && below >= 1000);
  assert_int_equal(json_array_size(at(tree, "distributions/telemetry.latency_ms/le")), 0);
  json_decref(tree);
}

/* What looks like an array in a text is left alone. */
static void texts_are_not_folded(void **state)
{
  (void) state;
  snprintf(sample.results.message, sizeof sample.results.message, "a \\\" [1, 2] \\");
  json_t *tree = written();
  expect_text(tree, "message", "a \\\" [1, 2] \\");
  json_decref(tree);
}

static void names_failures_with_count_ids_and_detail(void **state)
{
  (void) state;
  json_t *tree = written();
  assert_int_equal(json_object_size(at(tree, "failures")), 2);
  expect_number(tree, "failures/connect.tls.not_trusted/count", 10);
  assert_true(json_is_true(at(tree, "failures/connect.tls.not_trusted/expected")));
  expect_text(tree, "failures/connect.tls.not_trusted/first_devices/0", "00000a00");
  assert_int_equal(json_array_size(at(tree, "failures/connect.tls.not_trusted/first_devices")),
                   METRICS_FIRST_DEVICES);
  expect_text(tree, "failures/connect.tls.not_trusted/sentence",
              device_failure_sentence(DEVICE_FAIL_TLS_NOT_TRUSTED));
  assert_true(json_is_false(at(tree, "failures/connect.tcp.reset/expected")));
  expect_text(tree, "failures/connect.tcp.reset/detail", "peer \"x\" <gone> & \x1b[31mred");
  json_decref(tree);
}

/* Numbers of phases from 1; 0: before the first one. */
static void a_failure_says_in_which_phase_it_first_happened(void **state)
{
  (void) state;
  metrics_set_phase(sample.metrics, 1);
  metrics_fail(sample.metrics, DEVICE_FAIL_TLS_EXPIRED, 0xa00, true, "foretold");
  metrics_set_phase(sample.metrics, 2);
  metrics_fail(sample.metrics, DEVICE_FAIL_TLS_EXPIRED, 0xa00, false, "not");
  metrics_fail(sample.metrics, DEVICE_FAIL_TLS_NOT_TRUSTED, 0xa00, false, "later");
  sample.results.verdict = "error";
  sample.results.exit_code = EXIT_CODE_SETUP;
  json_t *tree = written();
  expect_number(tree, "failures/connect.tls.not_trusted/first_phase", 0);
  expect_number(tree, "failures/connect.tls.not_trusted/unexpected_first_phase", 2);
  expect_number(tree, "failures/connect.tls.expired/first_phase", 1);
  expect_number(tree, "failures/connect.tls.expired/unexpected_first_phase", 2);
  json_decref(tree);
}

static void what_was_in_use_says_when_it_ends(void **state)
{
  (void) state;
  sample.results.expiries[0] = (struct results_expiry){"list", "root \xff A", 1893456000};
  sample.results.expiries[1] = (struct results_expiry){"root", "root A", 4102444800};
  sample.results.expiry_count = 2;
  json_t *tree = written();
  assert_int_equal(json_array_size(at(tree, "expires")), 2);
  expect_text(tree, "expires/0/kind", "list");
  expect_text(tree, "expires/0/at", "2030-01-01T00:00:00Z");
  expect_text(tree, "expires/1/name", "root A");
  expect_number(tree, "expires/1/unix_s", 4102444800);
  json_decref(tree);
}

static void devices_go_by_their_names(void **state)
{
  (void) state;
  sample_name(&sample);
  sample_update(&sample);
  json_t *tree = written();
  expect_text(tree, "failures/connect.tls.not_trusted/first_devices/0", "SN 2026-a00");
  expect_text(tree, "failures/connect.tcp.reset/unexpected_devices/0", "SN 2026-b01");
  expect_text(tree, "ota/statuses/self_test/first_devices/2", "SN 2026-00c");
  json_decref(tree);
}

static void attempts_that_have_no_name_break_the_accounting(void **state)
{
  (void) state;
  json_t *tree = written();
  expect_number(tree, "accounting/attempts", 1013);
  expect_number(tree, "accounting/open", 1);
  assert_true(json_is_true(at(tree, "accounting/closed")));
  json_decref(tree);
  metrics_add(sample.metrics, METRIC_CONNECT_ATTEMPTS, 1);
  metrics_add(sample.metrics, METRIC_CONNECT_FAILED, 1);
  tree = written();
  assert_true(json_is_false(at(tree, "accounting/closed")));
  json_decref(tree);
}

static void a_pass_with_a_failed_check_is_written_as_an_internal_error(void **state)
{
  (void) state;
  struct results_check *checks[] = {&sample.checks[1], &sample.phase_checks[0],
                                    &sample.phases[0].gate};
  for (size_t i = 0; i < 3; i++) {
    sample_pass(&sample);
    for (size_t j = 0; j < 3; j++) checks[j]->pass = j != i;
    struct error error = {0};
    assert_int_equal(results_write(&sample.results, sample.folder, &error), 0);
    assert_int_equal(sample.results.exit_code, EXIT_CODE_INTERNAL);
    assert_string_equal(sample.results.verdict, "error");
    assert_non_null(strstr(sample.results.message, checks[i]->expr));
    char *text = sample_read(&sample, "results.json");
    assert_non_null(strstr(text, "\"verdict\": \"error\""));
    assert_non_null(strstr(text, "\"exit_code\": 4"));
    free(text);
  }
}

static void a_pass_with_attempts_that_nobody_accounts_for_is_an_internal_error(void **state)
{
  (void) state;
  sample_pass(&sample);
  metrics_add(sample.metrics, METRIC_CONNECT_ATTEMPTS, 1);
  struct error error = {0};
  assert_int_equal(results_write(&sample.results, sample.folder, &error), 0);
  assert_int_equal(sample.results.exit_code, EXIT_CODE_INTERNAL);
  assert_non_null(strstr(sample.results.message, "1014 attempts"));
  char *text = sample_read(&sample, "results.json");
  assert_non_null(strstr(text, "\"verdict\": \"error\""));
  assert_non_null(strstr(text, "\"exit_code\": 4"));
  free(text);
}

static void a_pass_that_everything_bears_out_is_written(void **state)
{
  (void) state;
  sample_pass(&sample);
  json_t *tree = written();
  expect_text(tree, "verdict", "pass");
  expect_number(tree, "exit_code", 0);
  json_decref(tree);
}

static void text_that_is_no_utf8_does_not_lose_the_results(void **state)
{
  (void) state;
  strcpy(sample.results.scenario_file, "caf\xc3\xa9.yaml");
  strcpy(sample.phases[0].name, "caf\xc3\xa9 \xff, cut off: \xe2\x82");
  json_t *tree = written();
  expect_text(tree, "scenario/file", "caf\xc3\xa9.yaml");
  expect_text(tree, "phases/0/name", "caf\xc3\xa9 \xef\xbf\xbd, cut off: ");
  json_decref(tree);
}

static void a_run_that_ended_before_its_fleet_existed_has_results_too(void **state)
{
  (void) state;
  sample.results.metrics = NULL;
  sample.results.phase_count = sample.results.expectation_count = 0;
  sample.results.verdict = "error";
  sample.results.exit_code = EXIT_CODE_SETUP;
  json_t *tree = written();
  expect_number(tree, "exit_code", 3);
  assert_int_equal(json_object_size(at(tree, "metrics")), 0);
  json_decref(tree);
  free(sample_printed(&sample, false));
}

static void a_folder_that_is_not_there_is_a_sentence(void **state)
{
  (void) state;
  struct error error = {0};
  assert_int_equal(results_write(&sample.results, "/nonexistent/folder", &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "/nonexistent/folder/junit.xml"));
}

static void without_junit_there_is_no_results_json(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  assert_int_equal(files_join(path, sample.folder, "junit.xml", NULL), 0);
  assert_int_equal(files_make_folder(path, 0755, &error), 0);
  assert_int_equal(results_write(&sample.results, sample.folder, &error), -1);
  assert_null(sample_read(&sample, "results.json"));
  rmdir(path);
}

static void without_results_json_there_is_no_junit(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  assert_int_equal(files_join(path, sample.folder, "results.json", NULL), 0);
  assert_int_equal(files_make_folder(path, 0755, &error), 0);
  sample_pass(&sample);
  assert_int_equal(results_write(&sample.results, sample.folder, &error), -1);
  assert_non_null(strstr(error.text, "results.json"));
  assert_null(sample_read(&sample, "junit.xml"));
  rmdir(path);
}

/* A full disk is told when the buffered lines are handed over: then the verdict must not stay
   either. */
static void without_its_end_record_no_result_stays(void **state)
{
  (void) state;
  struct events *events = NULL;
  struct error error = {0};
  int full = open("/dev/full", O_WRONLY);
  sample_pass(&sample);
  assert_int_equal(events_open(sample.folder, &events, &error), 0);
  events_flush(events);
  for (int fd = 3; fd < 64; fd++) {
    char link[64], to[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, to, sizeof to - 1) > 0 && strstr(to, "events.ndjson") != NULL)
      dup2(full, fd);
  }
  close(full);
  assert_int_equal(results_conclude(&sample.results, events, 1, sample.folder, &error), -1);
  assert_non_null(strstr(error.text, "events.ndjson is incomplete"));
  assert_null(sample_read(&sample, "results.json"));
  assert_null(sample_read(&sample, "junit.xml"));
}

/* Without its list of events a run has no report: then its verdict must not say green either. */
static void events_that_somebody_took_away_or_changed_leave_no_result(void **state)
{
  (void) state;
  static const struct {
    const char *command, *sentence;
  } cases[] = {
      {"rm %s", "it was removed"},
      {"rm %s; mkdir %s", "another file"},
      {"rm %s; touch %s", "another file"},
      {"cp %s %s.new; mv %s.new %s", "another file"},
      {"mv %s %s.old; ln -s events.ndjson.old %s", "another file"},
      {": >%s", "it was cut off"},
      {"truncate -s -1 %s", "it was cut off"},
      {"echo >>%s", "somebody else wrote"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct events *events = NULL;
    struct error error = {0};
    char path[FILES_PATH_MAX], command[4 * FILES_PATH_MAX];
    sample_pass(&sample);
    assert_int_equal(events_open(sample.folder, &events, &error), 0);
    const struct event phase = {.kind = EVENT_PHASE, .t_s = 0.5, .phase = {"a"}};
    events_emit(events, &phase);
    events_flush(events);
    assert_int_equal(files_join(path, sample.folder, "events.ndjson", NULL), 0);
    snprintf(command, sizeof command, cases[i].command, path, path, path, path);
    assert_int_equal(system(command), 0);
    events_emit(events, &phase);
    if (results_conclude(&sample.results, events, 1, sample.folder, &error) == 0)
      fail_msg("%s passes", command);
    assert_int_equal(error.code, EXIT_CODE_SETUP);
    if (strstr(error.text, cases[i].sentence) == NULL) fail_msg("%s: %s", command, error.text);
    assert_null(sample_read(&sample, "results.json"));
    assert_null(sample_read(&sample, "junit.xml"));
    snprintf(command, sizeof command, "rm -rf %s %s.old", path, path);
    assert_int_equal(system(command), 0);
  }
}

static unsigned allocations, failing;

static void *starved(size_t size)
{
  return ++allocations == failing ? NULL : malloc(size);
}

static void one_allocation_that_fails_loses_the_whole_document_or_nothing(void **state)
{
  (void) state;
  sample_update(&sample);
  sample.results.storm_count = 1;
  json_t *whole = results_json(&sample.results);
  json_set_alloc_funcs(starved, free);
  unsigned missing = 0;
  failing = allocations = 0;
  json_decref(results_json(&sample.results));
  unsigned count = allocations;
  for (unsigned n = 1; n <= count; n++) {
    allocations = 0;
    failing = n;
    json_t *tree = results_json(&sample.results);
    failing = 0;
    if (tree != NULL && !json_equal(tree, whole))
      fail_msg("allocation %u of %u fails and a member vanishes", n, count);
    missing += tree == NULL;
    json_decref(tree);
  }
  json_set_alloc_funcs(malloc, free);
  json_decref(whole);
  assert_true(count > 500);
  assert_true(missing > count / 2);
}

static void a_file_that_cannot_be_written_whole_leaves_no_part_of_it(void **state)
{
  (void) state;
  struct rlimit before;
  struct error error = {0};
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, before.rlim_max}), 0);
  int status = results_write(&sample.results, sample.folder, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(status, -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "free space"));
  assert_null(sample_read(&sample, "junit.xml"));
  assert_null(sample_read(&sample, "junit.xml.part"));
  assert_null(sample_read(&sample, "results.json"));
}

/* A disk that fills up at the very end: what is there of the run says why it has no verdict, as the sentence
 * of the run itself did. */
static void results_that_cannot_be_written_leave_the_reason_in_the_list(void **state)
{
  (void) state;
  static const char why[] = "results.json: File too large; check the folder's permissions";
  struct rlimit before;
  struct events *events = NULL;
  struct error error = {0};
  sample_pass(&sample);
  assert_int_equal(events_open(sample.folder, &events, &error), 0);
  events_emit(events, &(struct event){.kind = EVENT_RUN, .run = {"0", "day", 4, "2026"}});
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, before.rlim_max}), 0);
  int status = results_conclude(&sample.results, events, 41.2, sample.folder, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(status, -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  if (strncmp(error.text, "the run has no verdict: cannot write /", 38) != 0 ||
      strstr(error.text, why) == NULL)
    fail_msg("said: %s", error.text);
  assert_null(sample_read(&sample, "junit.xml"));
  assert_null(sample_read(&sample, "results.json"));
  assert_null(sample_read(&sample, "results.json.part"));
  char *list = sample_read(&sample, "events.ndjson");
  if (strstr(list, "\"event\": \"unwritten\", \"why\": \"cannot write /") == NULL ||
      strstr(list, why) == NULL || strstr(list, "\"end\"") != NULL)
    fail_msg("the list says: %s", list);
  free(list);
}

static void a_brake_is_null_or_says_whether_it_acted(void **state)
{
  (void) state;
  json_t *tree = written();
  assert_true(json_is_null(at(tree, "brake")));
  json_decref(tree);
  sample.results.brake =
      (struct results_brake){.set = true, .when = "connect.failed > 40", .rate = 0.5};
  tree = written();
  assert_true(json_is_false(at(tree, "brake/acted")));
  json_decref(tree);
  sample.results.brake.acted = 2;
  sample.results.brake.held = 123;
  tree = written();
  assert_true(json_is_true(at(tree, "brake/acted")));
  assert_float_equal(json_number_value(at(tree, "brake/times")), 2, 1e-9);
  assert_float_equal(json_number_value(at(tree, "brake/held")), 123, 1e-9);
  assert_float_equal(json_number_value(at(tree, "brake/rate")), 0.5, 1e-9);
  json_decref(tree);
}

static void updates_are_images_rollouts_and_statuses(void **state)
{
  (void) state;
  json_t *tree = written();
  assert_true(json_is_null(at(tree, "ota"))); /* these devices take none */
  json_decref(tree);
  sample_update(&sample);
  tree = written();
  expect_text(tree, "ota/images/1/name", "v2");
  expect_text(tree, "ota/images/1/sha256", "abcd");
  expect_number(tree, "ota/images/1/touched", 10);
  assert_true(json_is_null(at(tree, "ota/images/1/harm")));
  expect_text(tree, "ota/rollout/0/state", "aborted");
  expect_text(tree, "ota/rollout/0/criterion", "3 of 10 self_test");
  expect_number(tree, "ota/rollout/0/touched_after", 5);
  expect_number(tree, "ota/rollout/0/waves/0/rolled_back", 3);
  assert_true(json_is_null(at(tree, "ota/rollout/0/waves/1/duration_s")));
  expect_number(tree, "ota/statuses/self_test/count", 3);
  expect_text(tree, "ota/statuses/self_test/first_devices/2", "0000000c");
  assert_null(json_object_get(at(tree, "ota/statuses"), "bad_signature"));
  json_decref(tree);
}

static void a_storm_is_a_row_and_never_is_null(void **state)
{
  (void) state;
  sample.results.storm_count = 1;
  sample.results.storms[0] = (struct results_storm){
      "fixed", 5000, 30000, 60000, 1000, 501, 9999.5, NAN, NAN, NAN, 1000, 499, 400, 300, 7};
  json_t *tree = written();
  const json_t *storm = json_array_get(json_object_get(tree, "storms"), 0);
  assert_string_equal(json_string_value(json_object_get(storm, "policy")), "fixed");
  static const struct {
    const char *key;
    double value;
  } wanted[] = {{"base_ms", 5000},          {"cap_ms", 30000}, {"within_ms", 60000},
                {"devices", 1000},          {"online", 501},   {"p50_ms", 9999.5},
                {"handshakes", 1000},       {"wasted", 499},   {"peak_per_s", 400},
                {"wasted_peak_per_s", 300}, {"timed_out", 7}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    assert_float_equal(json_number_value(json_object_get(storm, wanted[i].key)), wanted[i].value,
                       1e-9);
  assert_true(json_is_null(json_object_get(storm, "p90_ms")) &&
              json_is_null(json_object_get(storm, "all_ms")));
  json_decref(tree);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(writes_the_schema_of_the_contract),
      test(modelled_times_have_their_band_and_what_they_rest_on),
      test(what_is_not_known_of_a_budget_is_not_there),
      test(without_a_timing_profile_there_is_no_modelled_time),
      test(results_that_cannot_be_written_leave_the_reason_in_the_list),
      test(a_brake_is_null_or_says_whether_it_acted),
      test(updates_are_images_rollouts_and_statuses),
      test(a_storm_is_a_row_and_never_is_null),
      test(a_run_over_time_is_a_line_a_column),
      test(a_run_says_what_it_was_and_how_to_repeat_it),
      test(a_seed_that_was_given_is_not_given_twice),
      test(without_a_series_there_is_null),
      test(a_distribution_holds_every_value_once),
      test(texts_are_not_folded),
      test(names_failures_with_count_ids_and_detail),
      test(a_failure_says_in_which_phase_it_first_happened),
      test(what_was_in_use_says_when_it_ends),
      test(devices_go_by_their_names),
      test(attempts_that_have_no_name_break_the_accounting),
      test(a_pass_with_a_failed_check_is_written_as_an_internal_error),
      test(a_pass_with_attempts_that_nobody_accounts_for_is_an_internal_error),
      test(a_pass_that_everything_bears_out_is_written),
      test(text_that_is_no_utf8_does_not_lose_the_results),
      test(a_run_that_ended_before_its_fleet_existed_has_results_too),
      test(a_folder_that_is_not_there_is_a_sentence),
      test(without_junit_there_is_no_results_json),
      test(without_results_json_there_is_no_junit),
      test(without_its_end_record_no_result_stays),
      test(events_that_somebody_took_away_or_changed_leave_no_result),
      test(one_allocation_that_fails_loses_the_whole_document_or_nothing),
      test(a_file_that_cannot_be_written_whole_leaves_no_part_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
