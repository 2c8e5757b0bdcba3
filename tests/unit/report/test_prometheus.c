#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/prometheus.h"

static void names_have_base_units_and_counters_end_in_total(void **state)
{
  (void) state;
  static const struct {
    enum metric metric;
    const char *name;
  } rows[] = {
      {METRIC_TELEMETRY_SENT, "fleetsim_telemetry_sent_total"},
      {METRIC_HANDSHAKE_WALL, "fleetsim_handshake_wall_seconds"},
      {METRIC_HANDSHAKE_CPU, "fleetsim_handshake_host_cpu_seconds"},
      {METRIC_HANDSHAKE_PEAK, "fleetsim_handshake_peak_per_second"},
      {METRIC_PROCESS_CPU, "fleetsim_process_cpu_seconds"},
      {METRIC_PROCESS_RSS, "fleetsim_process_rss_bytes"},
      {METRIC_TLS_BYTES_IN, "fleetsim_tls_in_bytes_total"},
      {METRIC_RECOVER_P50, "fleetsim_recover_p50_seconds"},
      {METRIC_FLEET_ONLINE, "fleetsim_fleet_online"},
  };
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    char name[PROMETHEUS_NAME_MAX];
    prometheus_name(rows[r].metric, name);
    assert_string_equal(name, rows[r].name);
  }
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    char name[PROMETHEUS_NAME_MAX];
    prometheus_name(m, name);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
      fail_msg("%s is no name", name);
  }
}

static void expect_line(const char *text, const char *line)
{
  char whole[200];
  snprintf(whole, sizeof whole, "\n%s\n", line);
  if (strstr(text, whole) == NULL) fail_msg("no line '%s' in:\n%s", line, text);
}

static void says_what_is_measured_and_nothing_else(void **state)
{
  (void) state;
  size_t size;
  struct metrics *metrics = metrics_create();
  struct results results = {.run_id = "0a", .metrics = metrics, .devices = 9};
  struct onlooker_view view = {.results = &results,
                               .phase = 2,
                               .phase_count = 3,
                               .phase_name = "switch \"B\"\n\\",
                               .step = "",
                               .online = 7,
                               .wanted = 8,
                               .now_s = 1.5};
  metrics_add(metrics, METRIC_TELEMETRY_SENT, 1234567);
  metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 200);
  metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 3000000);
  metrics_set(metrics, METRIC_RECOVER_P50, 250);
  metrics_set(metrics, METRIC_FLEET_ONLINE, 1); /* as of the last gate */
  metrics_fail(metrics, DEVICE_FAIL_TLS_NOT_TRUSTED, 3, true, NULL);
  metrics_fail(metrics, DEVICE_FAIL_TLS_NOT_TRUSTED, 3, false, NULL);
  char *text = prometheus_text(&view, &size);
  assert_int_equal(strlen(text), size);
  expect_line(text, "# TYPE fleetsim_telemetry_sent_total counter");
  expect_line(text, "fleetsim_telemetry_sent_total 1234567");
  expect_line(text, "fleetsim_handshake_wall_seconds_bucket{le=\"0.000128\"} 0");
  expect_line(text, "fleetsim_handshake_wall_seconds_bucket{le=\"0.000256\"} 1");
  expect_line(text, "fleetsim_handshake_wall_seconds_bucket{le=\"2.097\"} 1");
  expect_line(text, "fleetsim_handshake_wall_seconds_bucket{le=\"4.194\"} 2");
  expect_line(text, "fleetsim_handshake_wall_seconds_bucket{le=\"+Inf\"} 2");
  expect_line(text, "fleetsim_handshake_wall_seconds_count 2");
  assert_null(strstr(text, "microseconds")); /* all are seconds here */
  assert_null(strstr(text, "milliseconds"));
  expect_line(text, "fleetsim_recover_p50_seconds 0.25");
  expect_line(text, "fleetsim_fleet_online 7");
  expect_line(text, "fleetsim_phase_info{phase=\"switch \\\"B\\\"\\n\\\\\"} 1");
  expect_line(text,
              "fleetsim_failures_total{failure=\"connect.tls.not_trusted\",foretold=\"true\"} 1");
  expect_line(text,
              "fleetsim_failures_total{failure=\"connect.tls.not_trusted\",foretold=\"false\"} 1");
  assert_null(strstr(text, "\nfleetsim_recover_p90_seconds ")); /* nobody has set it */
  assert_null(strstr(text, "gate_info"));
  assert_null(strstr(text, "verdict_info"));
  assert_null(strstr(text, "nan"));
  free(text);
  metrics_destroy(metrics);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_have_base_units_and_counters_end_in_total),
      cmocka_unit_test(says_what_is_measured_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
