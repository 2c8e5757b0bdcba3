#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/series.h"

static struct series *series;
static struct metrics *metrics;

static int begin(void **state)
{
  (void) state;
  series = series_create();
  metrics = metrics_create();
  return series == NULL || metrics == NULL ? -1 : 0;
}

static int finish(void **state)
{
  (void) state;
  series_destroy(series);
  metrics_destroy(metrics);
  return 0;
}

static size_t column(const char *name)
{
  for (size_t c = 0; c < series_columns(series); c++)
    if (strcmp(series_name(series, c), name) == 0) return c;
  fail_msg("there is no column %s", name);
  return 0;
}

static double value(const char *name, size_t point)
{
  return series_value(series, column(name), point);
}

static void expect(const char *name, size_t point, double wanted)
{
  double seen = value(name, point);
  if (!(fabs(seen - wanted) < 1e-9)) fail_msg("%s[%zu] is %g, not %g", name, point, seen, wanted);
}

static void expect_near(const char *name, size_t point, double wanted)
{
  double seen = value(name, point);
  if (!(seen > wanted / 1.19 && seen < wanted * 1.19))
    fail_msg("%s[%zu] is %g, and %g is a bucket or more away", name, point, seen, wanted);
}

static void look(uint64_t now_ms)
{
  series_look(series, metrics, now_ms);
}

static void connect(uint64_t times)
{
  metrics_add(metrics, METRIC_CONNECT_OK, times);
}

static void a_point_has_what_came_in_its_second(void **state)
{
  (void) state;
  connect(3);
  look(20);
  assert_int_equal(series_points(series), 0);
  connect(4);
  look(999);
  look(1001);
  connect(5);
  metrics_add(metrics, METRIC_HANDSHAKE_FULL, 2);
  metrics_add(metrics, METRIC_HANDSHAKE_RESUMED, 1);
  look(2000);
  assert_int_equal(series_points(series), 2);
  expect("connect.ok", 0, 7);
  expect("connect.ok", 1, 5);
  expect("handshake.count", 0, 0);
  expect("handshake.count", 1, 3);
  assert_true(fabs(series_step_s(series) - 1) < 1e-9);
}

static void the_last_second_may_be_shorter_and_loses_nothing(void **state)
{
  (void) state;
  look(1000);
  connect(2);
  series_end(series, metrics, 1300);
  assert_int_equal(series_points(series), 2);
  expect("connect.ok", 1, 2);
  assert_true(fabs(series_end_s(series) - 1.3) < 1e-9);
  connect(1);
  series_end(series, metrics, 5000);
  look(6000);
  assert_int_equal(series_points(series), 2);
}

static void who_is_online_is_of_its_end_and_of_its_lowest_moment(void **state)
{
  (void) state;
  series_set_online(series, 10);
  look(1000);
  series_set_online(series, 3);
  series_set_online(series, 9);
  look(2000);
  look(3000);
  expect("online", 0, 10);
  expect("online.min", 0, 0);
  expect("online", 1, 9);
  expect("online.min", 1, 3);
  expect("online.min", 2, 9);
}

static void a_column_has_no_value_before_it_is_there(void **state)
{
  (void) state;
  look(1000);
  int gauge = series_gauge(series, "trusting.B");
  look(2000);
  series_set(series, gauge, 7);
  look(3000);
  assert_true(isnan(value("trusting.B", 0)) && isnan(value("trusting.B", 1)));
  expect("trusting.B", 2, 7);
}

static void there_is_an_end_of_columns(void **state)
{
  (void) state;
  size_t own = series_columns(series);
  for (unsigned g = 0; g < SERIES_GAUGES_MAX; g++) assert_int_equal(series_gauge(series, "x"), g);
  assert_int_equal(series_gauge(series, "x"), -1);
  assert_int_equal(series_columns(series), own + SERIES_GAUGES_MAX);
}

static void a_second_in_which_the_process_stood_still_has_no_values(void **state)
{
  (void) state;
  connect(1);
  look(500);
  connect(1);
  look(4100);
  series_end(series, metrics, 4200);
  assert_int_equal(series_points(series), 5);
  expect("connect.ok", 0, 2);
  for (size_t p = 1; p < 4; p++) {
    assert_true(isnan(value("connect.ok", p)) && isnan(value("online", p)));
    assert_true(isnan(series_failures(series, DEVICE_FAIL_TCP_RESET, p)));
  }
  expect("connect.ok", 4, 0);
}

static void percentiles_are_of_their_second_alone(void **state)
{
  (void) state;
  for (unsigned i = 0; i < 99; i++) metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 1000);
  metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 2000000);
  look(1000);
  for (unsigned i = 0; i < 100; i++) metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 40000);
  look(2000);
  look(3000);
  expect_near("handshake.wall_ms.p50", 0, 1);
  expect_near("handshake.wall_ms.p90", 0, 1);
  expect_near("handshake.wall_ms.p99", 0, 1);
  expect_near("handshake.wall_ms.p50", 1, 40);
  expect_near("handshake.wall_ms.p99", 1, 40);
  assert_true(isnan(value("handshake.wall_ms.p50", 2)));
  assert_true(isnan(value("telemetry.latency_ms.p99", 0)));
}

static void no_percentile_is_above_the_highest_value(void **state)
{
  (void) state;
  metrics_record_us(metrics, METRIC_HANDSHAKE_DEVICE, 1070000);
  series_end(series, metrics, 900);
  assert_true(value("handshake.device_ms.p99", 0) <= 1070.1);
  expect_near("handshake.device_ms.p99", 0, 1070);
}

static void failures_are_counted_by_name(void **state)
{
  (void) state;
  metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 1, true, "");
  look(1000);
  metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 1, true, "");
  metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 2, false, "");
  look(2000);
  assert_true(series_failures(series, DEVICE_FAIL_TCP_RESET, 0) < 1.5);
  assert_true(series_failures(series, DEVICE_FAIL_TCP_RESET, 1) > 1.5);
  assert_true(series_failures(series, DEVICE_FAIL_TLS_NOT_TRUSTED, 1) < 0.5);
}

/* Two points of one second each that are joined are one of two seconds: nothing is averaged. */
static void six_hundred_points_become_three_hundred(void **state)
{
  (void) state;
  double sum = 0;
  int gauge = series_gauge(series, "trusting.B");
  for (unsigned s = 0; s < 1500; s++) {
    connect(s % 7);
    sum += s % 7;
    series_set_online(series, s == 900 ? 1 : 100);
    series_set(series, gauge, s);
    for (unsigned i = 0; s < 2 && i < 100; i++)
      metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, s == 0 ? 1000 : 50000);
    look(1000 * (s + 1));
    assert_true(series_points(series) < SERIES_POINTS_MAX);
  }
  assert_true(fabs(series_step_s(series) - 4) < 1e-9);
  assert_int_equal(series_points(series), 375);
  for (size_t p = 0; p < 375; p++) sum -= value("connect.ok", p);
  assert_true(fabs(sum) < 1e-9);
  expect("online", 225, 100);
  expect("online.min", 225, 1);
  expect("online.min", 226, 100);
  expect("trusting.B", 10, 43);
  expect_near("handshake.wall_ms.p90", 0, 50);
  assert_true(value("handshake.wall_ms.p50", 0) < 1.2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_point_has_what_came_in_its_second, begin, finish),
      cmocka_unit_test_setup_teardown(the_last_second_may_be_shorter_and_loses_nothing, begin,
                                      finish),
      cmocka_unit_test_setup_teardown(who_is_online_is_of_its_end_and_of_its_lowest_moment, begin,
                                      finish),
      cmocka_unit_test_setup_teardown(a_column_has_no_value_before_it_is_there, begin, finish),
      cmocka_unit_test_setup_teardown(there_is_an_end_of_columns, begin, finish),
      cmocka_unit_test_setup_teardown(a_second_in_which_the_process_stood_still_has_no_values,
                                      begin, finish),
      cmocka_unit_test_setup_teardown(percentiles_are_of_their_second_alone, begin, finish),
      cmocka_unit_test_setup_teardown(no_percentile_is_above_the_highest_value, begin, finish),
      cmocka_unit_test_setup_teardown(failures_are_counted_by_name, begin, finish),
      cmocka_unit_test_setup_teardown(six_hundred_points_become_three_hundred, begin, finish),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
