/* Ranks against values counted by hand (every set of ranks there can be), and what a figure has to
 * do to have moved. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/rank.h"
#include "report/shift.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define P(...)       p_of((const double[]){__VA_ARGS__}, COUNT(((const double[]){__VA_ARGS__})))
static const double *first;
static size_t first_count;

/* P of the set that was named with FIRST against this one. */
#define FIRST(...)                             \
  static const double these[] = {__VA_ARGS__}; \
  first = these, first_count = COUNT(these)

static double p_of(const double *b, size_t count)
{
  double p = rank_p(first, first_count, b, count), other = rank_p(b, count, first, first_count);
  if (fabs(p - other) > 1e-12) fail_msg("%g one way and %g the other", p, other);
  return p;
}

static void expect_near(double seen, double expected, double slack)
{
  if (!(fabs(seen - expected) <= slack)) fail_msg("%.9g, expected %.9g", seen, expected);
}

static void five_above_five_are_one_way_in_126(void **state)
{
  (void) state;
  FIRST(1, 2, 3, 4, 5);
  expect_near(P(6, 7, 8, 9, 10), 2.0 / 252, 1e-12);
  expect_near(rank_p_least(5, 5), 2.0 / 252, 1e-12);
  expect_near(rank_p_least(4, 4), 2.0 / 70, 1e-12);
  expect_near(rank_p_least(1, 1), 1, 0);
  expect_near(rank_p_least(10, 1), 2.0 / 11, 1e-12);
}

static void ties_are_counted_exactly(void **state)
{
  (void) state;
  FIRST(1, 2, 2, 3);
  expect_near(P(2, 3, 4, 4, 5), 0.0873015873015873, 1e-12);
}

static void equal_sets_tell_nothing(void **state)
{
  (void) state;
  FIRST(5, 5, 5);
  expect_near(P(5, 5, 5), 1, 0);
  expect_near(rank_p(NULL, 0, first, 3), 1, 0);
}

static void mixed_sets_are_as_probable_as_they_are(void **state)
{
  (void) state;
  FIRST(0.8, 1.9, 3.0, 4.2, 4.8, 5.1);
  expect_near(P(2.9, 3.1, 4.9, 6.0, 7.2), 0.24675324675324675, 1e-12);
}

/* Of many figures the approximation takes over where the exact count ends. */
static void the_approximation_joins_the_exact_count(void **state)
{
  (void) state;
  double a[31], b[31];
  for (int i = 0; i < 31; i++) a[i] = i, b[i] = i + 7.5;
  double exact = rank_p(a, 30, b, 30), nearly = rank_p(a, 31, b, 31);
  assert_true(exact > 0.001 && exact < 0.02);
  expect_near(nearly, exact, 0.3 * exact);
  for (int i = 0; i < 31; i++) a[i] = b[i] = i % 3;
  expect_near(rank_p(a, 31, b, 31), 1, 1e-9);
}

static void the_median_of_an_even_number_is_between_two(void **state)
{
  (void) state;
  expect_near(rank_median((const double[]){4, 1, 3, 2}, 4), 2.5, 0);
  expect_near(rank_median((const double[]){9, 1, 3}, 3), 3, 0);
  assert_true(isnan(rank_median(NULL, 0)));
}

/* --- What moved ------------------------------------------------------------------------------- */

static struct shift judged(const double *a, size_t a_count, const double *b, size_t b_count,
                           bool modelled)
{
  struct shift_side left = {.runs = a, .run_count = a_count};
  struct shift_side right = {.runs = b, .run_count = b_count};
  struct shift shift;
  shift_judge(&left, &right, &(struct shift_rule){.threshold = 0.1, .modelled = modelled}, &shift);
  return shift;
}

static void a_set_has_not_moved_from_itself(void **state)
{
  (void) state;
  const double a[] = {1, 2, 3, 4, 5, 6};
  struct shift shift = judged(a, 6, a, 6, false);
  assert_int_equal(shift.state, SHIFT_SAME);
  expect_near(shift.change, 0, 0);
  expect_near(shift.p, 1, 0);
}

static void twenty_per_cent_in_five_runs_of_each_is_seen(void **state)
{
  (void) state;
  const double a[] = {1.00, 1.02, 0.98, 1.05, 1.01}, b[] = {1.20, 1.22, 1.18, 1.25, 1.21};
  struct shift shift = judged(a, 5, b, 5, false);
  assert_int_equal(shift.state, SHIFT_WORSE);
  assert_int_equal(shift.by, SHIFT_BY_RUNS);
  expect_near(shift.change, 0.198, 0.001);
  assert_int_equal(judged(b, 5, a, 5, false).state, SHIFT_BETTER);
}

static void four_runs_of_each_are_too_few(void **state)
{
  (void) state;
  const double a[] = {1.00, 1.02, 0.98, 1.05}, b[] = {1.20, 1.22, 1.18, 1.25};
  struct shift shift = judged(a, 4, b, 4, false);
  assert_int_equal(shift.state, SHIFT_UNCLEAR);
  assert_true(isnan(shift.p));
}

static void what_chance_moves_as_far_is_noise(void **state)
{
  (void) state;
  const double a[] = {1.0, 1.6, 0.9, 1.1, 1.7}, b[] = {1.3, 1.0, 1.8, 1.5, 0.9};
  struct shift shift = judged(a, 5, b, 5, false);
  assert_int_equal(shift.state, SHIFT_NOISE);
  assert_true(shift.change > 0.1 && shift.p > SHIFT_P);
}

static void what_is_certain_and_small_is_the_same(void **state)
{
  (void) state;
  const double a[] = {1, 1, 1, 1, 1, 1}, b[] = {1.05, 1.05, 1.05, 1.05, 1.05, 1.05};
  struct shift shift = judged(a, 6, b, 6, false);
  assert_int_equal(shift.state, SHIFT_SAME);
  assert_true(shift.p < SHIFT_P);
}

static void a_modelled_time_has_no_noise(void **state)
{
  (void) state;
  const double a[] = {1000}, b[] = {1100}, c[] = {1099};
  assert_int_equal(judged(a, 1, b, 1, true).state, SHIFT_WORSE);
  assert_int_equal(judged(a, 1, c, 1, true).state, SHIFT_SAME);
  assert_int_equal(judged(a, 1, b, 1, false).state, SHIFT_UNCLEAR);
}

static void from_nothing_to_something_is_past_any_threshold(void **state)
{
  (void) state;
  const double a[] = {0}, b[] = {3};
  assert_int_equal(judged(a, 1, b, 1, false).state, SHIFT_UNCLEAR);
  assert_true(isinf(judged(a, 1, b, 1, false).change));
  assert_int_equal(judged(a, 1, a, 1, false).state, SHIFT_SAME);
  assert_int_equal(judged(b, 1, a, 1, true).state, SHIFT_BETTER);
}

/* One run of each: its seconds tell only where none of one lies among the other's. */
static void one_run_of_each_is_told_by_seconds_that_do_not_overlap(void **state)
{
  (void) state;
  const double a[] = {45.1}, b[] = {54.0}, quiet[] = {44, 45, 45, 45, 46, 45, 45, 45};
  double slower[] = {53, 54, 54, 55, 54, 54, 54, 54};
  struct shift_side left = {a, 1, quiet, 8}, right = {b, 1, slower, 8};
  struct shift_rule rule = {.threshold = 0.1};
  struct shift shift;
  shift_judge(&left, &right, &rule, &shift);
  assert_int_equal(shift.state, SHIFT_WORSE);
  assert_int_equal(shift.by, SHIFT_BY_PARTS);
  slower[3] = 46;
  shift_judge(&left, &right, &rule, &shift);
  assert_int_equal(shift.state, SHIFT_UNCLEAR);
  slower[3] = 55;
  right.part_count = 7;
  shift_judge(&left, &right, &rule, &shift);
  assert_int_equal(shift.state, SHIFT_UNCLEAR);
  right.part_count = 8;
  rule.less_is_worse = true;
  shift_judge(&left, &right, &rule, &shift);
  assert_int_equal(shift.state, SHIFT_BETTER);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(five_above_five_are_one_way_in_126),
      cmocka_unit_test(ties_are_counted_exactly),
      cmocka_unit_test(equal_sets_tell_nothing),
      cmocka_unit_test(mixed_sets_are_as_probable_as_they_are),
      cmocka_unit_test(the_approximation_joins_the_exact_count),
      cmocka_unit_test(the_median_of_an_even_number_is_between_two),
      cmocka_unit_test(a_set_has_not_moved_from_itself),
      cmocka_unit_test(twenty_per_cent_in_five_runs_of_each_is_seen),
      cmocka_unit_test(four_runs_of_each_are_too_few),
      cmocka_unit_test(what_chance_moves_as_far_is_noise),
      cmocka_unit_test(what_is_certain_and_small_is_the_same),
      cmocka_unit_test(a_modelled_time_has_no_noise),
      cmocka_unit_test(from_nothing_to_something_is_past_any_threshold),
      cmocka_unit_test(one_run_of_each_is_told_by_seconds_that_do_not_overlap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
