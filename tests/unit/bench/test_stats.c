#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/kinds.h"
#include "lab/stats.h"

static void is_about(double value, double expected)
{
  if (!(fabs(value - expected) < 1e-9)) fail_msg("%.12g is not %.12g", value, expected);
}

static void is_no_number(double value)
{
  if (!isnan(value)) fail_msg("%.12g, but nothing was measured", value);
}

static void the_median_is_the_one_in_the_middle_whatever_the_order(void **state)
{
  (void) state;
  const double odd[] = {9, 1, 5}, even[] = {4, 100, 1, 2};
  is_about(stats_median(odd, 3), 5);
  is_about(stats_median(even, 4), 3);
  is_about(stats_median(odd, 1), 9);
  is_about(odd[0], 9); /* it sorts a copy: rounds are written in the order in which they ran */
}

static void a_slow_round_moves_the_maximum_and_not_the_median(void **state)
{
  (void) state;
  const double rounds[] = {0.30, 0.31, 4.00, 0.29, 0.30};
  struct stats stats = {0};
  for (size_t i = 0; i < 5; i++) stats_add(&stats, "fleetsim", rounds[i]);
  is_about(stats_median_of(&stats, "fleetsim"), 0.30);
  is_about(stats_min_of(&stats, "fleetsim"), 0.29);
  is_about(stats_max_of(&stats, "fleetsim"), 4.00);
}

static void kinds_are_kept_apart_and_their_rounds_in_order(void **state)
{
  (void) state;
  struct stats stats = {0};
  stats_add(&stats, "fleetsim", 3);
  stats_add(&stats, "openssl", 10);
  stats_add(&stats, "fleetsim", 1);
  json_t *rounds = stats_rounds(&stats), *medians = stats_medians(&stats);
  json_t *expected_rounds = json_pack("{s:[f, f], s:[f]}", "fleetsim", 3.0, 1.0, "openssl", 10.0);
  json_t *expected_medians = json_pack("{s:f, s:f}", "fleetsim", 2.0, "openssl", 10.0);
  assert_true(json_equal(rounds, expected_rounds));
  assert_true(json_equal(medians, expected_medians));
  json_decref(expected_medians);
  json_decref(expected_rounds);
  json_decref(medians);
  json_decref(rounds);
}

static void a_ratio_is_that_of_the_same_round(void **state)
{
  (void) state;
  /* the second round was slow, in the third theirs was */
  const double ours[] = {1, 3, 2}, theirs[] = {2, 6, 40};
  struct stats stats = {0};
  for (size_t i = 0; i < 3; i++) {
    stats_add(&stats, "fleetsim", ours[i]);
    stats_add(&stats, "openssl", theirs[i]);
  }
  json_t *ratio = stats_ratio(&stats, "fleetsim", "openssl");
  is_about(json_real_value(ratio), 0.5);
  json_decref(ratio);
}

static void what_was_left_out_has_no_figure_and_no_ratio(void **state)
{
  (void) state;
  struct stats stats = {0};
  stats_add(&stats, "fleetsim", 3);
  is_no_number(stats_median_of(&stats, "libmosquitto"));
  is_no_number(stats_min_of(&stats, "libmosquitto"));
  is_no_number(stats_max_of(&stats, "libmosquitto"));
  assert_null(stats_ratio(&stats, "fleetsim", "libmosquitto"));
}

static void a_slope_is_that_of_the_line_of_least_squares(void **state)
{
  (void) state;
  const double x[] = {10, 11, 12, 13, 14}, line[] = {5, 7, 9, 11, 13}, flat[] = {3, 3, 3, 3, 3},
               steps[] = {0, 0, 0, 1, 1};
  assert_true(fabs(stats_slope(x, line, 5) - 2) < 1e-9);
  assert_true(fabs(stats_slope(x, flat, 5)) < 1e-9);
  assert_true(fabs(stats_slope(x, steps, 5) - 0.3) < 1e-9);
  assert_true(isnan(stats_slope(x, line, 1)));
  assert_true(isnan(stats_slope(flat, line, 5)));
}

static void every_kind_has_one_turn_a_round_and_rounds_begin_with_another(void **state)
{
  (void) state;
  static const char *const all[] = {"fleetsim", "openssl", "paho", NULL};
  const struct options options = {.bench = "test", .kinds = "fleetsim,openssl,paho"};
  struct kinds kinds;
  kinds_choose(&options, all, &kinds);
  assert_int_equal(kinds.count, 3);
  for (size_t round = 0; round < 3; round++) {
    assert_string_equal(kinds_turn(&kinds, round, 0), all[round]);
    for (size_t turn = 1; turn < 3; turn++)
      assert_string_equal(kinds_turn(&kinds, round, turn), all[(round + turn) % 3]);
  }
}

static void a_kind_takes_part_by_its_whole_name_only(void **state)
{
  (void) state;
  const struct options options = {.bench = "test", .kinds = "fleetsim_native,openssl"};
  assert_true(options_has_kind(&options, "fleetsim_native"));
  assert_true(options_has_kind(&options, "openssl"));
  assert_false(options_has_kind(&options, "fleetsim"));
  assert_false(options_has_kind(&options, "ssl"));
  assert_false(options_has_kind(&options, "openssl_lean"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_median_is_the_one_in_the_middle_whatever_the_order),
      cmocka_unit_test(a_slow_round_moves_the_maximum_and_not_the_median),
      cmocka_unit_test(kinds_are_kept_apart_and_their_rounds_in_order),
      cmocka_unit_test(a_ratio_is_that_of_the_same_round),
      cmocka_unit_test(what_was_left_out_has_no_figure_and_no_ratio),
      cmocka_unit_test(a_slope_is_that_of_the_line_of_least_squares),
      cmocka_unit_test(every_kind_has_one_turn_a_round_and_rounds_begin_with_another),
      cmocka_unit_test(a_kind_takes_part_by_its_whole_name_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
