#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "report/digest.h"
#include "sample.h"

static void expect_contains(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void write_sample(void)
{
  sample_conclude(&sample);
}

static void says_the_verdict_first_and_why(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  assert_ptr_equal(strstr(text, "FAIL  root \"CA\" rotation: 1000 devices, 41.2 s\n"), text);
  expect_contains(text, "expected devices.lost == 0, observed 2");
  expect_contains(text, "1013 attempts = 1000 ok + 12 failed + 1 open\n");
  expect_contains(text, "x devices.lost == 0: observed 2");
  expect_contains(text, "expectations 2 of 3 hold");
  free(text);
}

static void what_is_not_known_of_messages_is_said_and_not_counted(void **state)
{
  (void) state;
  sample.results.unnumbered = sample.results.untimed = true;
  metrics_lack_numbers(sample.metrics);
  metrics_add(sample.metrics, METRIC_TELEMETRY_ACKED, 4990);
  metrics_set(sample.metrics, METRIC_TELEMETRY_UNACKED, 10);
  metrics_set(sample.metrics, METRIC_TELEMETRY_UNNUMBERED, 4321);
  char *text = sample_printed(&sample, false);
  expect_contains(text, "5000 sent, 4990 acknowledged, 10 not; what arrived is not known\n");
  expect_contains(text, "a payload has no seq-at: 4321 messages came to the back office");
  expect_contains(text, "latency is not known: a payload has no time-at\n");
  assert_null(strstr(text, "delivered"));
  assert_null(strstr(text, "duplicated"));
  free(text);
  double value;
  assert_int_equal(metrics_find(sample.metrics, "telemetry.lost", &value), 0);
  assert_true(isnan(value));
}

static void names_that_are_too_long_to_stand_beside_have_a_line(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  expect_contains(text, "10 expected   00000a00 00000a01 00000a02 ...\n");
  free(text);
  sample_name(&sample);
  text = sample_printed(&sample, false);
  expect_contains(text, "10 expected  \n      SN 2026-a00 SN 2026-a01 SN 2026-a02 ...\n");
  expect_contains(text, "1 unexpected, 1 expected: SN 2026-b01\n");
  free(text);
}

static void says_what_was_remembered_and_when_nothing_could_be(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  expect_contains(text, "1000 full, 0 resumed; 3000 verifications, 2997 remembered\n");
  free(text);
  strcpy(sample.results.crypto, "native");
  text = sample_printed(&sample, false);
  expect_contains(text, "1000 full, 0 resumed; 3000 verifications, native crypto\n");
  free(text);
}

static void modelled_times_say_so_and_have_their_band(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  expect_contains(text, "  TLS handshake, host wall ");
  expect_contains(text,
                  "  TLS handshake, modelled on mbedtls-3.6.7-Os: p50 1.07 s (1.00-1.15 s)\n");
  expect_contains(text, "  budget mbedtls-3.6.7-Os: ROM 85 kB, RAM 21.3 kB, 5 anchors\n");
  free(text);
  sample.results.timing.record_bytes = 16384;
  text = sample_printed(&sample, false);
  expect_contains(text, "RAM 21.3 kB, of which 12.3 kB for larger");
  free(text);
}

static void a_paced_wall_time_is_not_called_the_hosts(void **state)
{
  (void) state;
  sample.results.timing.paced = true;
  char *text = sample_printed(&sample, false);
  expect_contains(text, "  TLS handshake, paced wall ");
  assert_null(strstr(text, "host wall"));
  free(text);
}

static void a_brake_that_acted_is_told_before_anything_else(void **state)
{
  (void) state;
  sample.results.brake = (struct results_brake){.set = true,
                                                .when = "connect.failed > 40",
                                                .rate = 0.5,
                                                .acted = 2,
                                                .first_s = 3.25,
                                                .on_s = 7,
                                                .held = 123,
                                                .observed = "77"};
  char *text = sample_printed(&sample, false);
  const char *told = strstr(text, "BRAKED: the safety brake acted 2 times"),
             *phases = strstr(text, "gate: observed");
  assert_true(told != NULL && phases != NULL && told < phases);
  expect_contains(text, "(connect.failed");
  expect_contains(text, " 123 ");
  free(text);
  sample.results.brake.acted = 0;
  text = sample_printed(&sample, false);
  assert_null(strstr(text, "BRAKED"));
  free(text);
}

static void who_has_the_messages_that_are_missing_is_told_and_nothing_where_none_are(void **state)
{
  (void) state;
  struct metrics *metrics = sample.metrics;
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "acknowledged by a broker"));
  assert_null(strstr(text, "back office"));
  free(text);
  metrics_set(metrics, METRIC_OPERATOR_ONLINE, 1);
  metrics_add(metrics, METRIC_OPERATOR_LOSSES, 1);
  metrics_set(metrics, METRIC_OPERATOR_AWAY, 2.2);
  text = sample_printed(&sample, false);
  assert_null(strstr(text, "back office")); /* a restart */
  free(text);
  metrics_add(metrics, METRIC_OPERATOR_UNFORETOLD, 1);
  text = sample_printed(&sample, false);
  expect_contains(text, "  back office  away for 2.2 s in all, lost its broker 1 time\n");
  free(text);
  metrics_set(metrics, METRIC_OPERATOR_ONLINE, 0);
  metrics_add(metrics, METRIC_TELEMETRY_LOST, 5);
  metrics_set(metrics, METRIC_TELEMETRY_UNAWAITED, 0);
  metrics_add(metrics, METRIC_TELEMETRY_LOST_ACKED, 3);
  metrics_add(metrics, METRIC_TELEMETRY_REFUSED, 25);
  metrics_set(metrics, METRIC_OPERATOR_AWAY, 12.5);
  text = sample_printed(&sample, false);
  expect_contains(
      text, "5000 sent, 4995 delivered, 5 lost, 0 duplicated\n"
            "               3 of the lost acknowledged by a broker, 25 refused\n"
            "  back office  away for 12.5 s in all, lost its broker 1 time; away at the end\n");
  free(text);
}

static void storms_are_a_table(void **state)
{
  (void) state;
  sample.results.storm_count = 3;
  sample.results.storms[0] = (struct results_storm){
      "immediate", 1000, 30000, 60000, 1000, 200, NAN, NAN, NAN, NAN, 9000, 8800, 801, 700, 3};
  sample.results.storms[1] = (struct results_storm){
      "fixed", 5000, 30000, 60000, 1000, 501, 9999, NAN, NAN, NAN, 1000, 499, 400, 300, 0};
  sample.results.storms[2] =
      (struct results_storm){"full-jitter", 1500,  30000, 60000, 1000, 1000, 30000, 54200,
                             59440,         60000, 1000,  0,     180,  0,    0};
  char *text = sample_printed(&sample, false);
  expect_contains(text,
                  "  storm: came back after    50%    90%    99%   100% online  peak/s   wasted\n");
  expect_contains(
      text, "\nx immediate               never  never  never  never    200     801     8800\n");
  expect_contains(
      text, "\nx fixed 5s                10.0s  never  never  never    501     400      499\n");
  expect_contains(
      text, "\n  full-jitter 1.5s-30s    30.0s  54.2s  59.4s  60.0s   1000     180        0\n");
  free(text);
}

static void updates_are_told_wave_by_wave_and_bricked_always(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "bricked"));
  free(text);
  sample_update(&sample);
  text = sample_printed(&sample, false);
  expect_contains(text,
                  "  updates      10 offered, 2 updated, 0 refused, 3 rolled back, 0 bricked\n");
  expect_contains(text, "3.0 MiB received, 0.5 KiB of it again; 0 power cuts\n");
  expect_contains(text, "  rollout      v2: aborted at 3 of 10 self_test; 10 offered, 990 not\n");
  expect_contains(text, "wave 1: 2 of 10 updated, 3 rolled back, 1 called off, 4 open\n");
  expect_contains(text, "stopped with 6 open, of which 5 went on\n");
  expect_contains(text, "updates failed as: self_test 3\n");
  assert_null(strstr(text, "wave 2"));
  assert_null(strstr(text, "than they report"));
  free(text);
  metrics_set(sample.metrics, METRIC_OTA_DISAGREE, 1);
  text = sample_printed(&sample, false);
  expect_contains(text, "\nx              1 devices did something else than they report\n");
  free(text);
}

static void a_run_without_storms_has_no_table(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "storm"));
  free(text);
}

static void a_long_profile_name_breaks_the_line_and_loses_nothing(void **state)
{
  (void) state;
  strcpy(sample.results.timing.profile, "a-library-of-a-vendor-with-a-very-long-name-1.2");
  char *text = sample_printed(&sample, false);
  expect_contains(text, "(1.00-1.15 s)");
  expect_contains(text, "5 anchors");
  free(text);
}

static void forty_milliseconds_to_connack_have_a_cause(void **state)
{
  (void) state;
  static const struct {
    unsigned handshake_ms, total_ms;
    bool told;
  } rows[] = {{3, 44, true}, {12, 54, true}, {3, 20, false}, {3, 90, false}, {45, 86, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct metrics *metrics = metrics_create();
    for (int n = 0; n < 10; n++) {
      metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, rows[i].handshake_ms * 1000);
      metrics_record_us(metrics, METRIC_CONNECT_TOTAL, rows[i].total_ms * 1000);
    }
    const struct metrics *own = sample.results.metrics;
    sample.results.metrics = metrics;
    char *text = sample_printed(&sample, false);
    sample.results.metrics = own;
    if ((strstr(text, "TCP_NODELAY") != NULL) != rows[i].told) fail_msg("row %zu", i);
    free(text);
    metrics_destroy(metrics);
  }
}

/* Only of figures that there are, and only where the scenario says which kind it is. */
static void what_is_the_brokers_way_is_explained_where_its_kind_is_known(void **state)
{
  (void) state;
  struct metrics *metrics = metrics_create();
  const struct metrics *own = sample.results.metrics;
  sample.results.metrics = metrics;
  metrics_add(metrics, METRIC_TRESPASS_CLOSED, 3);
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "says the scenario"));
  free(text);
  strcpy(sample.results.broker_kind, "rabbitmq");
  strcpy(sample.results.broker_kind_version, "3.10");
  text = sample_printed(&sample, false);
  expect_contains(text, "broker       rabbitmq 3.10, says the scenario");
  expect_contains(text, "RabbitMQ answers a forbidden publish");
  assert_null(strstr(text, "leaves the open sessions"));
  free(text);
  sample.results.broker_kind[0] = '\0';
  sample.results.metrics = own;
  metrics_destroy(metrics);
}

static void what_hostile_servers_were_given_has_a_line(void **state)
{
  (void) state;
  struct metrics *metrics = metrics_create();
  const struct metrics *own = sample.results.metrics;
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "  mitm "));
  free(text);
  sample.results.metrics = metrics;
  metrics_add(metrics, METRIC_MITM_ATTEMPTS, 15);
  metrics_add(metrics, METRIC_MITM_REFUSED, 7);
  metrics_add(metrics, METRIC_MITM_UNSERVED, 2);
  metrics_add(metrics, METRIC_MITM_UNCLEAR, 3);
  metrics_add(metrics, METRIC_MITM_BELIEVED, 1);
  metrics_add(metrics, METRIC_MITM_ACCEPTED, 1);
  text = sample_printed(&sample, false);
  expect_contains(text, "  mitm         15 connections, 7 refused, 5 showed nothing; 2 believed\n");
  free(text);
  sample.results.metrics = own;
  metrics_destroy(metrics);
}

static void a_run_without_timing_claims_nothing(void **state)
{
  (void) state;
  sample.results.timing = (struct results_timing){.profile = ""};
  char *text = sample_printed(&sample, false);
  assert_null(strstr(text, "modelled"));
  assert_null(strstr(text, "budget"));
  free(text);
}

static void what_nobody_foretold_comes_first_and_is_explained(void **state)
{
  (void) state;
  char *text = sample_printed(&sample, false);
  const char *reset = strstr(text, "connect.tcp.reset"),
             *refused = strstr(text, "connect.tls.not_trusted");
  assert_true(reset != NULL && refused != NULL && reset < refused);
  expect_contains(text, "2 1 unexpected, 1 expected: 00000b01");
  expect_contains(text, "the peer reset the connection before the TLS handshake was over: peer");
  expect_contains(text, " expected   00000a00 00000a01 00000a02 ...");
  free(text);
}

static void fits_one_screen_and_steers_no_terminal(void **state)
{
  (void) state;
  memset(sample.phases[0].gate.observed, 'w', sizeof sample.phases[0].gate.observed - 1);
  char *text = sample_printed(&sample, false);
  size_t lines = 0;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    lines++;
    if (strlen(line) > 80) fail_msg("%zu columns: %s", strlen(line), line);
    if (strchr(line, '\x1b') != NULL) fail_msg("an escape sequence: %s", line);
  }
  assert_in_range(lines, 10, 24);
  free(text);
}

static void colours_the_verdict_only_when_asked(void **state)
{
  (void) state;
  char *coloured = sample_printed(&sample, true);
  expect_contains(coloured, "\x1b[1;31mFAIL\x1b[0m");
  free(coloured);
  sample_pass(&sample);
  coloured = sample_printed(&sample, true);
  expect_contains(coloured, "\x1b[1;32mPASS\x1b[0m");
  free(coloured);
}

static void names_are_cut_between_letters_and_columns_stay_in_line(void **state)
{
  (void) state;
  static const char *const letters[] = {"\xc3\xbc", "\xe2\x82\xac", "\xe6\xb1\x89",
                                        "\xf0\x9f\x98\x80", "e\xcc\x81"};
  for (size_t l = 0; l < sizeof letters / sizeof *letters; l++)
    for (size_t shift = 0; shift < 3; shift++) {
      memset(sample.phases[0].name, 'x', shift);
      sample.phases[0].name[shift] = '\0';
      while (strlen(sample.phases[0].name) + 8 < sizeof sample.phases[0].name)
        strcat(sample.phases[0].name, letters[l]);
      strcpy(sample.results.scenario_name, sample.phases[0].name);
      char *text = sample_printed(&sample, false), *at = strstr(text, "  5.2  online");
      for (const char *c = text; *c != '\0'; c += text_letter(c))
        if (text_letter(c) == 0) fail_msg("half a letter in:\n%s", text);
      assert_non_null(at);
      char *begin_of_line = at;
      while (begin_of_line > text && begin_of_line[-1] != '\n') begin_of_line--;
      *at = '\0';
      assert_int_equal(text_columns(begin_of_line), 33);
      free(text);
    }
}

static void c1_controls_and_bytes_that_are_no_text_steer_no_terminal(void **state)
{
  (void) state;
  strcpy(sample.results.message, "a\xc2\x9b"
                                 "31mb\x9b"
                                 "31mc\x1b[31md\x7f");
  char *text = sample_printed(&sample, false);
  expect_contains(text, "a 31mb");
  for (const char *c = text; *c != '\0'; c++)
    assert_true((unsigned char) *c != 0x9b && *c != 0x1b && *c != 0x7f);
  free(text);
}

static int reprint(struct error *error, char **text)
{
  size_t size;
  FILE *out = open_memstream(text, &size);
  assert_non_null(out);
  int status = results_reprint(sample.folder, out, false, error);
  fclose(out);
  return status;
}

static void a_reprint_is_the_same_print_and_exit_code(void **state)
{
  (void) state;
  write_sample();
  char *again, *first = sample_printed(&sample, false);
  struct error error = {0};
  assert_int_equal(reprint(&error, &again), EXIT_CODE_FAIL);
  assert_string_equal(again, first);
  free(again);
  free(first);
}

static void put_results(const char *text)
{
  char path[FILES_PATH_MAX];
  assert_int_equal(files_join(path, sample.folder, "results.json", NULL), 0);
  assert_int_equal(files_write(path, text, strlen(text), 0644, NULL), 0);
}

static void refuses_what_is_missing_cut_off_foreign_or_contradicts_itself(void **state)
{
  (void) state;
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {NULL, "holds no complete run"},
      {"{\"schema\": \"fleetsim-results/1\", \"verd", "run it again"},
      {"", "run it again"},
      {"[]", "is of schema"},
      {"{\"schema\": \"fleetsim-results/2\", \"verdict\": \"pass\", \"exit_code\": 0}",
       "is of schema"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"pass\", \"exit_code\": 1}",
       "do not fit"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"pass\"}", "do not fit"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"fail\", \"exit_code\": 0}",
       "do not fit"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"pass\", \"exit_code\": 0}", "missing"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"fail\", \"exit_code\": 1}", "run_id"},
      {"{\"schema\": \"fleetsim-results/1\", \"verdict\": \"fail\", \"exit_code\": 1, \"run_id\": "
       "\"0\"}",
       "no events.ndjson"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error error = {0};
    char *text;
    if (cases[i].text != NULL) put_results(cases[i].text);
    assert_int_equal(reprint(&error, &text), -1);
    expect_contains(error.text, cases[i].sentence);
    assert_string_equal(text, "");
    free(text);
  }
}

/* Changes one text of results.json into another of the same length or not. */
static void spoil(const char *file, const char *from, const char *to)
{
  char path[FILES_PATH_MAX], *text = sample_read(&sample, file), *at = strstr(text, from),
                             *spoiled = NULL;
  size_t size;
  assert_non_null(at);
  FILE *out = open_memstream(&spoiled, &size);
  fprintf(out, "%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
  fclose(out);
  assert_int_equal(files_join(path, sample.folder, file, NULL), 0);
  assert_int_equal(files_write(path, spoiled, size, 0644, NULL), 0);
  free(spoiled);
  free(text);
}

#define METRIC(name, value) "\"" name "\": {\n      \"value\": " value

struct spoiled {
  const char *file, *from, *to, *sentence;
};

static void none_is_believed(const struct spoiled *cases, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct error error = {0};
    char *text;
    sample_pass(&sample);
    write_sample();
    assert_int_equal(reprint(&error, &text), EXIT_CODE_PASS);
    free(text);
    spoil(cases[i].file, cases[i].from, cases[i].to);
    if (reprint(&error, &text) != -1) fail_msg("case %zu is believed", i);
    expect_contains(error.text, cases[i].sentence);
    assert_string_equal(text, "");
    free(text);
  }
}

static void a_pass_with_a_check_that_failed_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", "\"pass\": true", "\"pass\": false", "although \"online >= 100%\" failed"},
      {"results.json", "\"pass\": true", "\"pass\": \"true\"", "failed"},
      {"results.json", METRIC("devices.lost", "0"), METRIC("devices.lost", "3"),
       "\"devices.lost == 0\" is to hold"},
      {"results.json", METRIC("devices.lost", "0"), METRIC("devices.lost", "\"0\""),
       "\"devices.lost == 0\" is to hold"},
      {"results.json", METRIC("trespass.delivered", "0"), METRIC("trespass.delivered", "2"),
       "no expectation allows it"},
      {"results.json", "\"observed\": \"0\"", "\"observed\": \"2\"", "\"2\" was observed"},
      {"results.json", "1000 of 1000 (100%)", "250 of 1000 (25%)", "was observed"},
      {"results.json", "1000 of 1000 (100%)", "1000", "was observed"},
      {"results.json", "1000 of 1000 (100%)", "not within 20 s: 250 of 1000 (25%)", "was observed"},
      {"results.json", "1000 of 1000 (100%)", "", "\"\" was observed"},
      {"results.json", "10 of 10 (100%)", "7 of 10 (70%)", "was observed"},
      {"results.json", "\"0.99 s\"", "\"77 s\"", "\"77 s\" was observed"},
      {"results.json", "\"0.99 s\"", "\"no value\"", "was observed"},
  };
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

static void shares_are_looked_at_as_they_were_judged(void **state)
{
  (void) state;
  static const struct {
    const char *expr, *observed;
    bool believed;
  } rows[] = {
      {"online == 100% - 2", "48 of 50 (96%)", true},
      {"online == 100% - 2 of all", "49 of 50 (98%)", false},
      {"online == 5%", "3 of 50 (6%)", true},
      {"online >= 5%", "3 of 50 (6%)", true},
      {"online <= 5%", "3 of 50 (6%)", false},
      {"online != 5%", "3 of 50 (6%)", false},
      {"ota.refused == 15 per device", "15 per device (750 of 50)", true},
      {"ota.refused == 15 per device", "15 per device (740 of 50)", false},
      {"ota.refused >= 1.5 per device within 5s", "1.4 per device (70 of 50)", false},
      {"ota.refused >= 1.5 per device", "75", false},
      {"ota.refused >= 1.5 per device", "75 of 50 (150%)", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct error error = {0};
    char *text;
    sample_pass(&sample);
    snprintf(sample.checks[2].expr, sizeof sample.checks[2].expr, "%s", rows[i].expr);
    snprintf(sample.checks[2].observed, sizeof sample.checks[2].observed, "%s", rows[i].observed);
    write_sample();
    bool believed = reprint(&error, &text) == EXIT_CODE_PASS;
    if (believed != rows[i].believed) fail_msg("%s, and %s", rows[i].expr, rows[i].observed);
    free(text);
  }
}

static void a_pass_whose_books_do_not_add_up_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", "\"closed\": true", "\"closed\": false", "does not add up"},
      {"results.json", "\"attempts\": 1013", "\"attempts\": 1014", "does not add up"},
      {"results.json", "\"telemetry.sent\": {\n      \"value\": 5000",
       "\"telemetry.sent\": {\n      \"value\": 4990",
       "4990 messages were sent and 4995 delivered"},
      {"results.json", METRIC("telemetry.sent", "5000"), METRIC("telemetry.sent", "5001"),
       "5001 messages were sent"},
      {"results.json", METRIC("telemetry.delivered", "4995"), METRIC("telemetry.delivered", "1"),
       "does not add up"},
      {"results.json", METRIC("telemetry.delivered", "4995"), METRIC("telemetry.delivered", "5000"),
       "not awaited"},
      {"results.json", METRIC("telemetry.lost", "0"), METRIC("telemetry.lost", "55"), "55 lost"},
      {"results.json", "\"numbered\": true", "\"numbered\": false",
       "telemetry.delivered cannot be known of messages without a number"},
      {"results.json", METRIC("connect.ok", "1000"), METRIC("connect.ok", "1001"),
       "accounting says 1000"},
  };
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

static void a_pass_that_its_own_seconds_speak_against_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", "\"connect.ok\": [1000,0]", "\"connect.ok\": [1000,1]",
       "connect.ok is 1000, and the series does not add up"},
      {"results.json", "\"connect.ok\": [1000,0]", "\"connect.ok\": [1000]",
       "connect.ok of the series is no column of 2 numbers"},
      {"results.json", "\"connect.ok\": [1000,0]", "\"connect.ok\": [1000,\"\"]",
       "no column of 2 numbers"},
      {"results.json", "\"connect.tls.not_trusted\": [10,0]", "\"connect.tls.not_trusted\": [9,0]",
       "connect.tls.not_trusted happened 10 times"},
      {"results.json", "\"online\": [998,998]", "\"online\": []", "0 points"},
  };
  sample_keep_series(&sample);
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

/* The books of a run whose messages have no number. */
static void a_pass_without_numbers_is_looked_at_too(void **state)
{
  (void) state;
  static const struct {
    const char *expr, *observed;
    bool counts_altered, believed;
  } rows[] = {
      {"telemetry.unacked <= 10", "10", false, true},
      {"telemetry.unacked == 0", "0", false, false},
      {"telemetry.unacked <= 10", "10", true, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct error error = {0};
    char *text;
    sample_pass(&sample);
    sample.results.unnumbered = true;
    metrics_lack_numbers(sample.metrics);
    metrics_add(sample.metrics, METRIC_TELEMETRY_ACKED, i == 0 ? 4990 : 0);
    metrics_set(sample.metrics, METRIC_TELEMETRY_UNACKED, 10);
    if (rows[i].counts_altered) metrics_set(sample.metrics, METRIC_TELEMETRY_ALTERED, 0);
    snprintf(sample.checks[1].expr, sizeof sample.checks[1].expr, "%s", rows[i].expr);
    snprintf(sample.checks[1].observed, sizeof sample.checks[1].observed, "%s", rows[i].observed);
    write_sample();
    bool believed = reprint(&error, &text) == EXIT_CODE_PASS;
    if (believed != rows[i].believed) fail_msg("row %zu: %s", i, text);
    free(text);
  }
}

/* What only a back office knows, in a run that has none. */
static void a_pass_without_a_back_office_says_so_and_is_looked_at(void **state)
{
  (void) state;
  static const struct {
    const char *why; /* NULL: it is believed */
    bool claims, numbered;
  } rows[] = {
      {NULL, false, false},
      {"operator.away_s cannot be known without a back office", true, false},
      {"the run has no back office, and is to know", false, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct error error = {0};
    char *text;
    sample_pass(&sample);
    sample.results.unheard = true;
    sample.results.unnumbered = !rows[i].numbered;
    metrics_lack_operator(sample.metrics);
    metrics_add(sample.metrics, METRIC_TELEMETRY_ACKED, 4990);
    metrics_set(sample.metrics, METRIC_TELEMETRY_UNACKED, 10);
    if (rows[i].claims) metrics_set(sample.metrics, METRIC_OPERATOR_AWAY, 0);
    snprintf(sample.checks[1].expr, sizeof sample.checks[1].expr, "telemetry.unacked <= 10");
    snprintf(sample.checks[1].observed, sizeof sample.checks[1].observed, "10");
    write_sample();
    bool believed = reprint(&error, &text) == EXIT_CODE_PASS;
    if (believed != (rows[i].why == NULL)) fail_msg("row %zu: %s", i, text);
    if (strstr(text, "operator: none: nobody knows which messages arrived") == NULL)
      fail_msg("row %zu does not say what it does not know: %s", i, text);
    if (rows[i].why != NULL && strstr(text, rows[i].why) == NULL) fail_msg("row %zu: %s", i, text);
    free(text);
  }
}

static void a_pass_with_a_part_missing_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", METRIC("telemetry.delivered", "4995"),
       METRIC("telemetry.delivered", "\"4995\""), "no number"},
      {"results.json", METRIC("telemetry.lost", "0"), METRIC("telemetry.lost", "-5"), "no number"},
      {"results.json", METRIC("telemetry.lost", "0"), METRIC("telemetry.lots", "0"),
       "telemetry.lost is missing"},
      {"results.json", METRIC("telemetry.unawaited", "5"), METRIC("telemetry.unawaited", "null"),
       "older fleetsim"},
      {"results.json", METRIC("connect.failed", "12"), METRIC("connect.failed", "null"),
       "connect.failed is missing"},
      {"results.json", "\"metrics\": {", "\"metrics\": {}, \"measures\": {", "missing or empty"},
      {"results.json", "\"phases\": [", "\"phases\": [], \"phrases\": [", "missing or empty"},
      {"results.json", "\"phases\": [", "\"phases\": [null], \"phrases\": [", "missing or empty"},
      {"results.json", "\"gate\": null", "\"gate\": \"online\"", "missing or empty"},
      {"results.json", "\"expectations\": [\n        {", "\"expected\": [\n        {",
       "missing or empty"},
      {"results.json", "\n  \"expectations\": [", "\n  \"expectations\": [], \"expected\": [",
       "missing or empty"},
      {"results.json", "\"accounting\": {", "\"bookkeeping\": {", "missing or empty"},
      {"results.json", "\"accounting\": {", "\"accounting\": null, \"bookkeeping\": {",
       "missing or empty"},
      {"results.json", "\"attempts\": 1013", "\"attempts\": \"1013\"",
       "attempts is missing or no number"},
      {"results.json", "\"expectations\": [\n    {", "\"expected\": [\n    {", "missing"},
      {"results.json", "\"run_id\": \"00", "\"run-id\": \"00", "run_id"},
  };
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

static void a_pass_without_the_end_record_of_its_run_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", "\"run_id\": \"00", "\"run_id\": \"01", "different runs"},
      {"events.ndjson", "\"run_id\": \"00", "\"run_id\": \"01", "different runs"},
      {"events.ndjson", "\"verdict\": \"pass\"", "\"verdict\": \"fail\"", "different runs"},
      {"events.ndjson", "\"event\": \"end\"", "\"event\": \"phase\"", "did not end"},
      {"events.ndjson", "\"}\n", "\"}", "did not end"},
      {"events.ndjson", "\"}\n", "", "did not end"},
      {"events.ndjson", "\"}\n", "\"}\n{\"t\": 50.1, \"event\": \"online\"}\n", "did not end"},
  };
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

static void a_pass_whose_files_were_changed_is_not_believed(void **state)
{
  (void) state;
  static const struct spoiled cases[] = {
      {"results.json", "\"duration_s\": 41.2", "\"duration_s\": 41.3",
       "results.json in /tmp/fleetsim-report-"},
      {"results.json", "\"p50\":", "\"p50\" :", "its SHA-256 is not that in the end record"},
      {"results.json", "\"start_s\"", "\"name\": \"a\", \"start_s\"", "run it again"},
      {"junit.xml", "failures=\"0\"", "failures=\"4\"", "junit.xml in"},
      {"junit.xml", "</testsuites>", "", "junit.xml in"},
      {"events.ndjson", "\"event\": \"brake\"", "\"event\": \"Brake\"",
       "its SHA-256 is not that in its end record"},
      {"events.ndjson", "{\"t\": 1.000000", "\n{\"t\": 1.000000", "more or fewer lines"},
      {"events.ndjson", "{\"t\": 1.000000", "{\"t\": 1.0, \"event\": \"end\"}\n{\"t\": 1.000000",
       "more than one end record"},
      {"events.ndjson", "\"phases\": 2", "\"phases\": 1", "more or fewer phases"},
      {"events.ndjson", "\"expectations\": 3", "\"expectations\": 2", "more or fewer phases"},
      {"events.ndjson", "\"events\": 1", "\"events\": \"1\"", "more or fewer lines"},
      {"events.ndjson", "\"results_sha256\"", "\"results_sha255\"", "has no hashes"},
  };
  none_is_believed(cases, sizeof cases / sizeof *cases);
}

/* As an older version wrote its end record. */
static void unseal(void)
{
  char *text = sample_read(&sample, "events.ndjson"), *from = strstr(text, ", \"events\": ");
  char path[FILES_PATH_MAX];
  assert_non_null(from);
  memcpy(from, "}\n", 3);
  assert_int_equal(files_join(path, sample.folder, "events.ndjson", NULL), 0);
  assert_int_equal(files_write(path, text, strlen(text), 0644, NULL), 0);
  free(text);
}

static void an_end_record_without_hashes_vouches_for_nothing(void **state)
{
  (void) state;
  struct error error = {0};
  char *text;
  sample_pass(&sample);
  write_sample();
  unseal();
  assert_int_equal(reprint(&error, &text), -1);
  expect_contains(error.text, "has no hashes");
  assert_string_equal(text, "");
  free(text);
}

/* Somebody may keep the two files that are read, and no more. */
static void a_report_needs_no_junit(void **state)
{
  (void) state;
  struct error error = {0};
  char *text, path[FILES_PATH_MAX];
  sample_pass(&sample);
  write_sample();
  assert_int_equal(files_join(path, sample.folder, "junit.xml", NULL), 0);
  assert_int_equal(files_remove(path, NULL), 0);
  assert_int_equal(reprint(&error, &text), EXIT_CODE_PASS);
  free(text);
}

/* A file that was overwritten while the run wrote it: zeros hide no end record. */
static void zeros_among_the_events_are_seen(void **state)
{
  (void) state;
  struct error error = {0};
  char *text, path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  sample_pass(&sample);
  write_sample();
  assert_int_equal(files_join(path, sample.folder, "events.ndjson", NULL), 0);
  assert_int_equal(files_read(path, 1u << 20, &data, &size, NULL), 0);
  memset(data, 0, 8);
  assert_int_equal(files_write(path, data, size, 0644, NULL), 0);
  free(data);
  assert_int_equal(reprint(&error, &text), -1);
  expect_contains(error.text, "its SHA-256 is not that in its end record");
  free(text);
}

/* Other results of as many phases and expectations, and an end record that vouches for them. */
static void reseal(const char *results)
{
  char *was = sample_read(&sample, "results.json"), from[DIGEST_TEXT], to[DIGEST_TEXT];
  assert_int_equal(digest_of(was, strlen(was), from), 0);
  assert_int_equal(digest_of(results, strlen(results), to), 0);
  put_results(results);
  spoil("events.ndjson", from, to);
  free(was);
}

static void members_of_the_wrong_type_do_not_hurt(void **state)
{
  (void) state;
  write_sample();
  reseal("{\"schema\": \"fleetsim-results/1\", \"verdict\": \"fail\", \"exit_code\": 1, "
         "\"scenario\": 3, \"run_id\": \"00112233445566778899aabbccddeeff\", \"phases\": [7, "
         "{\"gate\": [], \"expectations\": \"x\"}], \"metrics\": [], \"failures\": {\"a\": "
         "1}, \"accounting\": {}, \"expectations\": [null, 1, []], \"fleet\": \"\"}");
  struct error error = {0};
  char *text;
  assert_int_equal(reprint(&error, &text), EXIT_CODE_FAIL);
  expect_contains(text, "FAIL");
  free(text);
}

static void junit_has_one_case_per_check_and_is_escaped(void **state)
{
  (void) state;
  write_sample();
  char *xml = sample_read(&sample, "junit.xml");
  expect_contains(
      xml,
      "<testsuite name=\"root &quot;CA&quot; rotation\" tests=\"5\" failures=\"1\" errors=\"0\"");
  expect_contains(xml, "name=\"baseline: online &gt;= 100%\" time=\"5.200\"/>");
  expect_contains(xml, "name=\"drop &lt;A&gt; &amp; B: refused == 100%\"");
  expect_contains(xml, "<failure type=\"expectation\" message=\"expected devices.lost == 0, "
                       "observed 2\">expected devices.lost == 0, observed 2</failure>");
  size_t cases = 0;
  for (const char *c = xml; (c = strstr(c, "<testcase ")) != NULL; c++) cases++;
  assert_int_equal(cases, 5);
  free(xml);
}

static void junit_is_never_green_for_a_run_that_was_interrupted(void **state)
{
  (void) state;
  sample_pass(&sample);
  sample.results.verdict = "interrupted";
  sample.results.exit_code = EXIT_CODE_INTERRUPTED;
  strcpy(sample.results.message, "interrupted by Ctrl-C");
  write_sample();
  char *xml = sample_read(&sample, "junit.xml");
  expect_contains(xml, "tests=\"6\" failures=\"0\" errors=\"1\"");
  expect_contains(xml, "<error type=\"interrupted\" message=\"interrupted by Ctrl-C\">interrupted "
                       "by Ctrl-C</error>");
  free(xml);
}

static void junit_is_xml_whatever_the_texts_hold(void **state)
{
  (void) state;
  strcpy(sample.results.scenario_name, "a\x01\x0b\x1f"
                                       "b\xef\xbf\xbf"
                                       "c\xef\xbf\xbe"
                                       "d\xff"
                                       "e");
  strcpy(sample.checks[0].observed, "]]> & <\"'>");
  write_sample();
  char *xml = sample_read(&sample, "junit.xml");
  expect_contains(xml, "name=\"a   b\xef\xbf\xbd"
                       "c\xef\xbf\xbd"
                       "d\xef\xbf\xbd"
                       "e\"");
  expect_contains(
      xml, ">expected devices.lost == 0, observed ]]&gt; &amp; &lt;&quot;&#39;&gt;</failure>");
  for (const char *c = xml; *c != '\0'; c++) assert_true((unsigned char) *c >= 0x20 || *c == '\n');
  free(xml);
}

/* --- A window of few rows --------------------------------------------------------------------- */

/* The lines of a summary that is to fit, each of them looked at; malloc'd. */
static char *printed_to_fit(size_t rows, size_t *lines)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  results_print(&sample.results, out, &(struct results_extent){.rows = rows});
  fclose(out);
  *lines = 0;
  for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1, ++*lines) {
    *end = '\0';
    if (text_columns(at) > 80) fail_msg("%zu columns: %s", text_columns(at), at);
    *end = '\n';
  }
  return text;
}

static void a_summary_that_fits_is_whole(void **state)
{
  (void) state;
  size_t lines;
  char *whole = sample_printed(&sample, false), *text = printed_to_fit(100, &lines);
  assert_string_equal(text, whole);
  free(text);
  text = printed_to_fit(lines, &lines);
  assert_string_equal(text, whole);
  free(text);
  free(whole);
}

static void no_line_is_wider_than_80_columns_whatever_is_named(void **state)
{
  (void) state;
#define TEN(text) text text text text text text text text text text
  size_t lines;
  snprintf(sample.results.scenario_name, sizeof sample.results.scenario_name, TEN("a name "));
  snprintf(sample.results.message, sizeof sample.results.message, "no file /%s is it there?",
           TEN(TEN("f\xc3\xb6lder/")));
  sample.results.verdict = "error";
  sample.results.devices = 1000000;
  sample.results.duration_s = 86399.9;
  char *text = printed_to_fit(100, &lines); /* looks at each of them */
  char *message = strstr(text, "\n  no file\n  /f\xc3\xb6lder/");
  assert_non_null(message);
  expect_contains(text, "is it there?\n");
  size_t folders = 0;
  for (char *at = message; (at = strstr(at, "\xc3\xb6")) != NULL; at++) folders++;
  assert_int_equal(folders, 100); /* none is cut in two, or lost */
  free(text);
}

static void one_that_does_not_says_what_failed_and_leaves_out_what_passed(void **state)
{
  (void) state;
  size_t whole_lines, lines;
  struct results_phase many[40];
  for (size_t p = 0; p < 40; p++) {
    many[p] = sample.phases[0];
    snprintf(many[p].name, sizeof many[p].name, "phase %zu", p);
  }
  many[17].gate.pass = false;
  sample.results.phases = many;
  sample.results.phase_count = 40;
  free(printed_to_fit(SIZE_MAX, &whole_lines));
  for (size_t rows = 22; rows < whole_lines; rows++) {
    char *text = printed_to_fit(rows, &lines);
    if (lines > rows) fail_msg("%zu lines of %zu:\n%s", lines, rows, text);
    assert_ptr_equal(strstr(text, "FAIL  root"), text);
    expect_contains(text, "expected devices.lost == 0, observed 2");
    expect_contains(text, "  phases       39 of 40 passed\nx phase 17");
    expect_contains(text, "x devices.lost == 0: observed 2");
    expect_contains(text, "x connect.tcp.reset");
    expect_contains(text, "  failures     10 by 1 name, all expected\n");
    expect_contains(text, "'fleetsim report' prints all of it\n");
    assert_null(strstr(text, "phase 16"));
    free(text);
  }
}

static void of_more_failures_than_fit_the_others_are_counted(void **state)
{
  (void) state;
  size_t lines;
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    metrics_fail(sample.metrics, (enum device_failure) f, 7, false, "what was seen");
  char *text = printed_to_fit(22, &lines), more[80];
  if (lines > 22) fail_msg("%zu lines:\n%s", lines, text);
  snprintf(more, sizeof more, "x failures     %d more names, unexpected\n",
           DEVICE_FAIL_COUNT - 1 - 3);
  expect_contains(text, more);
  free(text);
}

static void the_verdict_alone_has_its_sentences(void **state)
{
  (void) state;
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  sample.results.brake = (struct results_brake){.set = true, .acted = 1, .when = "x > 3"};
  results_print(&sample.results, out, &(struct results_extent){.verdict_only = true});
  fclose(out);
  assert_ptr_equal(strstr(text, "FAIL  root \"CA\" rotation: 1000 devices, 41.2 s\n"
                                "  expected devices.lost == 0, observed 2\n"
                                "  BRAKED: the safety brake acted 1 times"),
                   text);
  assert_null(strstr(text, "connections"));
  free(text);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(says_the_verdict_first_and_why),
      test(a_summary_that_fits_is_whole),
      test(no_line_is_wider_than_80_columns_whatever_is_named),
      test(one_that_does_not_says_what_failed_and_leaves_out_what_passed),
      test(of_more_failures_than_fit_the_others_are_counted),
      test(the_verdict_alone_has_its_sentences),
      test(what_is_not_known_of_messages_is_said_and_not_counted),
      test(names_that_are_too_long_to_stand_beside_have_a_line),
      test(says_what_was_remembered_and_when_nothing_could_be),
      test(modelled_times_say_so_and_have_their_band),
      test(a_paced_wall_time_is_not_called_the_hosts),
      test(a_brake_that_acted_is_told_before_anything_else),
      test(who_has_the_messages_that_are_missing_is_told_and_nothing_where_none_are),
      test(storms_are_a_table),
      test(updates_are_told_wave_by_wave_and_bricked_always),
      test(a_run_without_storms_has_no_table),
      test(a_long_profile_name_breaks_the_line_and_loses_nothing),
      test(forty_milliseconds_to_connack_have_a_cause),
      test(what_is_the_brokers_way_is_explained_where_its_kind_is_known),
      test(what_hostile_servers_were_given_has_a_line),
      test(a_run_without_timing_claims_nothing),
      test(what_nobody_foretold_comes_first_and_is_explained),
      test(fits_one_screen_and_steers_no_terminal),
      test(colours_the_verdict_only_when_asked),
      test(names_are_cut_between_letters_and_columns_stay_in_line),
      test(c1_controls_and_bytes_that_are_no_text_steer_no_terminal),
      test(a_reprint_is_the_same_print_and_exit_code),
      test(refuses_what_is_missing_cut_off_foreign_or_contradicts_itself),
      test(a_pass_with_a_check_that_failed_is_not_believed),
      test(shares_are_looked_at_as_they_were_judged),
      test(a_pass_whose_books_do_not_add_up_is_not_believed),
      test(a_pass_that_its_own_seconds_speak_against_is_not_believed),
      test(a_pass_without_numbers_is_looked_at_too),
      test(a_pass_without_a_back_office_says_so_and_is_looked_at),
      test(a_pass_with_a_part_missing_is_not_believed),
      test(a_pass_without_the_end_record_of_its_run_is_not_believed),
      test(a_pass_whose_files_were_changed_is_not_believed),
      test(an_end_record_without_hashes_vouches_for_nothing),
      test(a_report_needs_no_junit),
      test(zeros_among_the_events_are_seen),
      test(members_of_the_wrong_type_do_not_hurt),
      test(junit_has_one_case_per_check_and_is_escaped),
      test(junit_is_xml_whatever_the_texts_hold),
      test(junit_is_never_green_for_a_run_that_was_interrupted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
