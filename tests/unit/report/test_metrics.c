#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "report/metrics.h"

#define SEED 11u

static int make(void **state)
{
  *state = metrics_create();
  return *state != NULL ? 0 : -1;
}

static int destroy(void **state)
{
  metrics_destroy(*state);
  return 0;
}

static void expect_near(double seen, double expected, double tolerance)
{
  if (!(fabs(seen - expected) <= tolerance))
    fail_msg("seen %g, expected %g +- %g", seen, expected, tolerance);
}

static void counters_add_up_and_gauges_are_replaced(void **state)
{
  struct metrics *m = *state;
  metrics_add(m, METRIC_CONNECT_OK, 3);
  metrics_add(m, METRIC_CONNECT_OK, 4);
  metrics_set(m, METRIC_FLEET_ONLINE, 9);
  metrics_set(m, METRIC_FLEET_ONLINE, 8);
  expect_near(metrics_value(m, METRIC_CONNECT_OK), 7, 0);
  expect_near(metrics_value(m, METRIC_FLEET_ONLINE), 8, 0);
}

static void names_decide_between_milliseconds_and_microseconds(void **state)
{
  struct metrics *m = *state;
  struct metrics_stats stats;
  metrics_record_us(m, METRIC_HANDSHAKE_WALL, 2500);
  metrics_record_us(m, METRIC_HANDSHAKE_CPU, 2500);
  metrics_stats(m, METRIC_HANDSHAKE_WALL, &stats);
  expect_near(stats.max, 2.5, 0);
  metrics_stats(m, METRIC_HANDSHAKE_CPU, &stats);
  expect_near(stats.max, 2500, 0);
}

static void percentiles_of_one_to_a_thousand_are_within_three_digits(void **state)
{
  struct metrics *m = *state;
  struct metrics_stats stats;
  for (uint64_t ms = 1; ms <= 1000; ms++) metrics_record_us(m, METRIC_CONNECT_TOTAL, ms * 1000);
  metrics_stats(m, METRIC_CONNECT_TOTAL, &stats);
  assert_int_equal(stats.count, 1000);
  expect_near(stats.min, 1, 0.001);
  expect_near(stats.mean, 500.5, 0.5);
  expect_near(stats.p50, 500, 0.5);
  expect_near(stats.p90, 900, 0.9);
  expect_near(stats.p99, 990, 1);
  expect_near(stats.p99_9, 999, 1);
  expect_near(stats.max, 1000, 0);
}

/* A real tool prints p95 < min: here the order holds for any sample. */
static void percentiles_are_in_order_for_any_sample(void **state)
{
  (void) state;
  uint64_t random = SEED;
  for (int round = 0; round < 200; round++) {
    struct metrics *m = metrics_create();
    struct metrics_stats s;
    uint64_t values = 1 + random_next(&random) % 300;
    unsigned shift = (unsigned) (random_next(&random) % 64);
    for (uint64_t i = 0; i < values; i++)
      metrics_record_us(m, METRIC_CONNECT_TOTAL, random_next(&random) >> shift);
    metrics_stats(m, METRIC_CONNECT_TOTAL, &s);
    bool ordered =
        s.min <= s.p50 && s.p50 <= s.p90 && s.p90 <= s.p99 && s.p99 <= s.p99_9 && s.p99_9 <= s.max;
    if (!ordered || s.mean < s.min || s.mean > s.max * 1.001 || s.count != values)
      fail_msg("seed %u, round %d: %g %g %g %g %g %g, mean %g", SEED, round, s.min, s.p50, s.p90,
               s.p99, s.p99_9, s.max, s.mean);
    metrics_destroy(m);
  }
}

static void more_than_an_hour_counts_as_an_hour(void **state)
{
  struct metrics *m = *state;
  struct metrics_stats stats;
  metrics_record_us(m, METRIC_CONNECT_TOTAL, UINT64_MAX);
  metrics_stats(m, METRIC_CONNECT_TOTAL, &stats);
  assert_int_equal(stats.count, 1);
  expect_near(stats.max, 3600e3, 0);
}

static void every_metric_is_found_by_its_name(void **state)
{
  struct metrics *m = *state;
  static const char *const statistics[] = {"count", "min", "mean",  "p50",
                                           "p90",   "p99", "p99_9", "max"};
  for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
    double value;
    bool histogram = metric_kind(metric) == METRIC_KIND_HISTOGRAM;
    assert_int_equal(metrics_known(metric_name(metric)), !histogram);
    assert_int_equal(metrics_find(m, metric_name(metric), &value), histogram ? -1 : 0);
    for (size_t i = 0; i < 8; i++) {
      char name[96];
      snprintf(name, sizeof name, "%s.%s", metric_name(metric), statistics[i]);
      assert_int_equal(metrics_known(name), histogram);
      assert_int_equal(metrics_find(m, name, &value), histogram ? 0 : -1);
    }
  }
}

static void unknown_names_are_not_found(void **state)
{
  static const char *const names[] = {"",
                                      "connect",
                                      "connect.",
                                      "connect.okay",
                                      "connect.ok.",
                                      "connect.o",
                                      "connect.ok.count",
                                      "handshake.p99",
                                      "handshake.wall_ms.",
                                      "handshake.wall_ms.p98",
                                      "handshake.wall_ms.p99.x"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    double value;
    if (metrics_known(names[i]) || metrics_find(*state, names[i], &value) == 0)
      fail_msg("found \"%s\"", names[i]);
  }
}

static void a_percentile_of_nothing_satisfies_no_expectation(void **state)
{
  double p99 = 0, count = -1;
  assert_int_equal(metrics_find(*state, "handshake.wall_ms.p99", &p99), 0);
  assert_int_equal(metrics_find(*state, "handshake.wall_ms.count", &count), 0);
  assert_false(p99 < 2000 || p99 >= 2000);
  expect_near(count, 0, 0);
}

static void a_failure_keeps_its_first_devices_once_each_and_the_first_detail(void **state)
{
  struct metrics *m = *state;
  for (uint32_t i = 0; i < 20; i++)
    metrics_fail(m, DEVICE_FAIL_TLS_EXPIRED, i / 2, i >= 15, i == 0 ? "first" : "later");
  const struct metrics_failure *failure = metrics_failure(m, DEVICE_FAIL_TLS_EXPIRED);
  assert_int_equal(failure->count, 20);
  assert_int_equal(failure->expected, 5);
  assert_int_equal(failure->first_count, METRICS_FIRST_DEVICES);
  for (uint32_t i = 0; i < METRICS_FIRST_DEVICES; i++)
    assert_int_equal(failure->first_devices[i], i);
  assert_string_equal(failure->detail, "first");
  assert_int_equal(metrics_failure(m, DEVICE_FAIL_TLS_REVOKED)->count, 0);
}

static void of_a_failure_that_was_foretold_for_some_the_others_are_kept_apart(void **state)
{
  struct metrics *m = *state;
  for (uint32_t i = 0; i < 20; i++) metrics_fail(m, DEVICE_FAIL_TLS_EXPIRED, i, true, "foretold");
  metrics_fail(m, DEVICE_FAIL_TLS_EXPIRED, 77, false, "nobody's");
  metrics_fail(m, DEVICE_FAIL_TLS_EXPIRED, 78, false, "later");
  metrics_fail(m, DEVICE_FAIL_TLS_EXPIRED, 77, false, NULL);
  const struct metrics_failure *failure = metrics_failure(m, DEVICE_FAIL_TLS_EXPIRED);
  assert_int_equal(failure->count - failure->expected, 3);
  assert_int_equal(failure->unexpected_count, 2);
  assert_int_equal(failure->unexpected_devices[0], 77);
  assert_int_equal(failure->unexpected_devices[1], 78);
  assert_string_equal(failure->unexpected_detail, "nobody's");
  assert_string_equal(failure->detail, "foretold");
}

static void a_watch_sees_what_came_since_the_last_look(void **state)
{
  struct metrics *m = *state;
  metrics_add(m, METRIC_CONNECT_FAILED, 100);
  assert_true(isnan(metrics_recent(m)));
  assert_int_equal(metrics_watch(m, "connect.failed"), 0);
  metrics_add(m, METRIC_CONNECT_FAILED, 7);
  assert_float_equal(metrics_recent(m), 7, 1e-9);
  metrics_look(m);
  assert_float_equal(metrics_recent(m), 0, 1e-9);

  metrics_record_us(m, METRIC_CONNECT_TOTAL, 1000);
  assert_int_equal(metrics_watch(m, "connect.total_ms.max"), 0);
  assert_true(isnan(metrics_recent(m)));
  metrics_record_us(m, METRIC_CONNECT_TOTAL, 9000);
  metrics_record_us(m, METRIC_HANDSHAKE_WALL, 99000);
  assert_float_equal(metrics_recent(m), 9, 0.01);
  metrics_look(m);
  assert_true(isnan(metrics_recent(m)));
  metrics_record_us(m, METRIC_CONNECT_TOTAL, 2000);
  assert_float_equal(metrics_recent(m), 2, 0.01);

  metrics_set(m, METRIC_DEVICES_LOST, 3);
  assert_int_equal(metrics_watch(m, "devices.lost"), 0);
  metrics_look(m);
  assert_float_equal(metrics_recent(m), 3, 1e-9);
  assert_int_equal(metrics_watch(m, "devices.loast"), -1);
}

/* --- Merging ---------------------------------------------------------------------------------- */

static struct metrics *new_metrics(void)
{
  struct metrics *m = metrics_create();
  assert_non_null(m);
  return m;
}

static void expect_same_failure(const struct metrics_failure *a, const struct metrics_failure *b)
{
  assert_int_equal(a->count, b->count);
  assert_int_equal(a->expected, b->expected);
  assert_int_equal(a->first_count, b->first_count);
  assert_memory_equal(a->first_devices, b->first_devices, sizeof a->first_devices);
  assert_int_equal(a->unexpected_count, b->unexpected_count);
  assert_memory_equal(a->unexpected_devices, b->unexpected_devices, sizeof a->unexpected_devices);
  assert_string_equal(a->detail, b->detail);
  assert_string_equal(a->unexpected_detail, b->unexpected_detail);
}

static void expect_same(const struct metrics *a, const struct metrics *b)
{
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    struct metrics_stats of_a, of_b;
    if (metrics_value(a, m) != metrics_value(b, m))
      fail_msg("%s: %g and %g", metric_name(m), metrics_value(a, m), metrics_value(b, m));
    if (metric_kind(m) != METRIC_KIND_HISTOGRAM) continue;
    metrics_stats(a, m, &of_a);
    metrics_stats(b, m, &of_b);
    if (memcmp(&of_a, &of_b, sizeof of_a) != 0) fail_msg("%s: its statistics", metric_name(m));
  }
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    expect_same_failure(metrics_failure(a, f), metrics_failure(b, f));
}

/* One thing that happened to one device. */
static void happen(struct metrics *m, uint64_t random)
{
  enum metric metric = (enum metric)((random >> 8) % METRIC_COUNT);
  uint32_t n = (uint32_t) (random >> 32) % 5000000u;
  char detail[32];
  snprintf(detail, sizeof detail, "code %u", n);
  if (metric_kind(metric) == METRIC_KIND_COUNTER) metrics_add(m, metric, n);
  if (metric_kind(metric) == METRIC_KIND_HISTOGRAM) metrics_record_us(m, metric, n);
  if (metric_kind(metric) == METRIC_KIND_GAUGE && metric_merge(metric) == METRIC_MERGE_SUM)
    metrics_set(m, metric, metrics_value(m, metric) + n);
  metrics_fail(m, (enum device_failure)(1 + random % (DEVICE_FAIL_COUNT - 1)), n % 12 + 1,
               (random >> 60) > 7, detail);
}

static void two_halves_merged_are_the_whole(void **state)
{
  (void) state;
  for (unsigned events = 0; events < 20000; events = events * 3 + 1) {
    struct metrics *whole = new_metrics(), *first = new_metrics(), *second = new_metrics();
    uint64_t random = SEED + events;
    for (unsigned e = 0; e < events; e++) {
      uint64_t what = random_next(&random);
      happen(whole, what);
      happen(e < events / 2 ? first : second, what);
    }
    metrics_merge(first, second);
    expect_same(first, whole);
    metrics_destroy(whole);
    metrics_destroy(first);
    metrics_destroy(second);
  }
}

static void a_part_in_which_nothing_happened_changes_nothing(void **state)
{
  struct metrics *m = *state, *nothing = new_metrics(), *copy = new_metrics();
  uint64_t random = SEED;
  for (int i = 0; i < 2000; i++) {
    uint64_t what = random_next(&random);
    happen(m, what);
    happen(copy, what);
  }
  metrics_set(m, METRIC_TRUST_VERSION, 3);
  metrics_set(copy, METRIC_TRUST_VERSION, 3);
  metrics_merge(m, nothing);
  expect_same(m, copy);
  metrics_merge(nothing, m);
  expect_same(nothing, copy);
  metrics_destroy(nothing);
  metrics_destroy(copy);
}

static void gauges_are_merged_by_their_own_rule(void **state)
{
  struct metrics *m = *state, *part = new_metrics();
  metrics_set(m, METRIC_FLEET_ONLINE, 40);
  metrics_set(part, METRIC_FLEET_ONLINE, 2);
  metrics_set(m, METRIC_TRUST_VERSION, 5);
  metrics_set(part, METRIC_TRUST_VERSION, 4);
  metrics_set(m, METRIC_RECOVER_ALL, 800);
  metrics_set(part, METRIC_RECOVER_ALL, 900);
  metrics_set(m, METRIC_RECOVER_P50, NAN);
  metrics_set(part, METRIC_RECOVER_P50, 100);
  metrics_set(m, METRIC_OPERATOR_ONLINE, 1);
  metrics_set(part, METRIC_OPERATOR_ONLINE, 0);
  metrics_merge(m, part);
  expect_near(metrics_value(m, METRIC_FLEET_ONLINE), 42, 0);
  expect_near(metrics_value(m, METRIC_TRUST_VERSION), 4, 0);
  expect_near(metrics_value(m, METRIC_RECOVER_ALL), 900, 0);
  assert_true(isnan(metrics_value(m, METRIC_RECOVER_P50)));
  expect_near(metrics_value(m, METRIC_OPERATOR_ONLINE), 0, 0);
  metrics_destroy(part);
}

static void every_metric_has_a_rule_of_its_kind(void **state)
{
  (void) state;
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    bool histogram = metric_kind(m) == METRIC_KIND_HISTOGRAM,
         counter = metric_kind(m) == METRIC_KIND_COUNTER;
    if (histogram != (metric_merge(m) == METRIC_MERGE_EACH) ||
        (counter && metric_merge(m) != METRIC_MERGE_SUM))
      fail_msg("%s is not merged as its kind asks", metric_name(m));
  }
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, make, destroy)
  const struct CMUnitTest tests[] = {
      test(counters_add_up_and_gauges_are_replaced),
      test(names_decide_between_milliseconds_and_microseconds),
      test(percentiles_of_one_to_a_thousand_are_within_three_digits),
      test(percentiles_are_in_order_for_any_sample),
      test(more_than_an_hour_counts_as_an_hour),
      test(every_metric_is_found_by_its_name),
      test(unknown_names_are_not_found),
      test(a_percentile_of_nothing_satisfies_no_expectation),
      test(a_watch_sees_what_came_since_the_last_look),
      test(a_failure_keeps_its_first_devices_once_each_and_the_first_detail),
      test(of_a_failure_that_was_foretold_for_some_the_others_are_kept_apart),
      test(two_halves_merged_are_the_whole),
      test(a_part_in_which_nothing_happened_changes_nothing),
      test(gauges_are_merged_by_their_own_rule),
      test(every_metric_has_a_rule_of_its_kind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
