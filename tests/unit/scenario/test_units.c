#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/units.h"

static char why[200];

static void reads_durations_in_five_units(void **state)
{
  (void) state;
  const struct {
    const char *text;
    uint64_t ms;
  } rows[] = {{"250ms", 250},  {"30s", 30000},   {"1.5s", 1500}, {"5m", 300000},
              {"2h", 7200000}, {"1d", 86400000}, {"0s", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint64_t ms = 99;
    if (units_duration_ms(rows[i].text, &ms, why, sizeof why) != 0)
      fail_msg("%s: %s", rows[i].text, why);
    assert_int_equal(ms, rows[i].ms);
  }
}

static void a_duration_without_unit_is_told_how_to_get_one(void **state)
{
  (void) state;
  uint64_t ms = 7;
  assert_int_equal(units_duration_ms("30", &ms, why, sizeof why), -1);
  assert_string_equal(why, "'30' has no unit: write 30s, 500ms or 2m");
  assert_int_equal(ms, 7);
}

static void reads_versions(void **state)
{
  (void) state;
  uint32_t version = 7;
  assert_int_equal(units_version("1.2.3", &version, why, sizeof why), 0);
  assert_int_equal(version, 0x01020003);
  assert_int_equal(units_version("255.255.65535", &version, why, sizeof why), 0);
  assert_int_equal(version, 0xffffffff);
  static const char *const texts[] = {"",        "1",       "1.2",     "1.2.",
                                      "1.2.3.4", "256.0.0", "0.256.0", "0.0.65536",
                                      "1.2.3 ",  "v1.2.3",  "1.-2.3",  "1.2.0x3",
                                      "0.0.0",   "1..3",    "..",      "1.2.99999999999999999999"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    version = 7;
    if (units_version(texts[i], &version, why, sizeof why) == 0)
      fail_msg("'%s' was read as %x", texts[i], version);
    assert_int_equal(version, 7);
    assert_non_null(strstr(why, "write "));
  }
}

static void reads_short_times(void **state)
{
  (void) state;
  uint64_t us = 7;
  assert_int_equal(units_us("41us", &us, why, sizeof why), 0);
  assert_int_equal(us, 41);
  assert_int_equal(units_us("85ms", &us, why, sizeof why), 0);
  assert_int_equal(us, 85000);
  assert_int_equal(units_us("1.5s", &us, why, sizeof why), 0);
  assert_int_equal(us, 1500000);
  assert_int_equal(units_us("2h", &us, why, sizeof why), -1);
  assert_string_equal(why, "'2h' has the unknown unit 'h': write 41us or 85ms");
  assert_int_equal(units_us("3601s", &us, why, sizeof why), -1);
  assert_string_equal(why, "'3601s' is longer than an hour: write 41us or 85ms");
}

static void refuses_what_strtod_would_take(void **state)
{
  (void) state;
  static const char *const texts[] = {
      "",     "s",    "-3s", "+3s", " 3s", "3 s",  "0x1s", "infs",
      "nans", "1e9s", ".5s", "5.s", "3S",  "3sec", "3s ",  "99999999999999999999s",
      "4000d"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    uint64_t ms = 7;
    if (units_duration_ms(texts[i], &ms, why, sizeof why) == 0)
      fail_msg("'%s' was read as %llu ms", texts[i], (unsigned long long) ms);
    assert_int_equal(ms, 7);
    assert_non_null(strstr(why, "write 30s"));
  }
}

static void reads_rates_per_second_minute_and_hour(void **state)
{
  (void) state;
  double rate = 0;
  assert_int_equal(units_rate("200/s", 1000, &rate, why, sizeof why), 0);
  assert_float_equal(rate, 200, 1e-9);
  assert_int_equal(units_rate("30/m", 1000, &rate, why, sizeof why), 0);
  assert_float_equal(rate, 0.5, 1e-9);
  assert_int_equal(units_rate("36/h", 1000, &rate, why, sizeof why), 0);
  assert_float_equal(rate, 0.01, 1e-9);
}

static void reads_rates_as_shares_of_the_fleet(void **state)
{
  (void) state;
  double rate = 0;
  assert_int_equal(units_rate("20%/s", 1000, &rate, why, sizeof why), 0);
  assert_float_equal(rate, 200, 1e-9);
  assert_int_equal(units_rate("6%/m", 1000, &rate, why, sizeof why), 0);
  assert_float_equal(rate, 1, 1e-9);
  assert_int_equal(units_rate("0%/s", 1000, &rate, why, sizeof why), -1);
  assert_int_equal(units_rate("20%", 1000, &rate, why, sizeof why), -1);
}

static void refuses_a_rate_of_nothing_and_a_rate_without_time(void **state)
{
  (void) state;
  double rate = 7;
  assert_int_equal(units_rate("0/s", 1000, &rate, why, sizeof why), -1);
  assert_int_equal(units_rate("200", 1000, &rate, why, sizeof why), -1);
  assert_string_equal(why, "'200' has no unit: write 200/s, 30/m or 20%/s");
  assert_float_equal(rate, 7, 0);
}

static void reads_shares_up_to_the_whole(void **state)
{
  (void) state;
  double share = 0;
  assert_int_equal(units_share("0.1%", &share, why, sizeof why), 0);
  assert_float_equal(share, 0.001, 1e-12);
  assert_int_equal(units_share("100%", &share, why, sizeof why), 0);
  assert_float_equal(share, 1, 0);
  assert_int_equal(units_share("100.1%", &share, why, sizeof why), -1);
  assert_string_equal(why, "'100.1%' is above 100%: write 5% or 0.1%");
}

static void reads_bytes_and_refuses_half_ones(void **state)
{
  (void) state;
  uint64_t bytes = 0;
  assert_int_equal(units_bytes("64", &bytes, why, sizeof why), 0);
  assert_int_equal(bytes, 64);
  assert_int_equal(units_bytes("4KiB", &bytes, why, sizeof why), 0);
  assert_int_equal(bytes, 4096);
  assert_int_equal(units_bytes("1.5MiB", &bytes, why, sizeof why), 0);
  assert_int_equal(bytes, 1572864);
  assert_int_equal(units_bytes("0.5B", &bytes, why, sizeof why), -1);
  assert_int_equal(units_bytes("4kb", &bytes, why, sizeof why), -1);
  assert_int_equal(bytes, 1572864);
}

static void reads_instants_as_unix_seconds(void **state)
{
  (void) state;
  const struct {
    const char *text;
    int64_t unix_s;
  } rows[] = {{"1970-01-01T00:00:00Z", 0},          {"2000-02-29T12:34:56Z", 951827696},
              {"2038-01-19T03:14:08Z", 2147483648}, {"1969-12-31T23:59:59Z", -1},
              {"2100-03-01T00:00:00Z", 4107542400}, {"2026-11-21T00:00:00Z", 1795219200}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int64_t unix_s = 99;
    if (units_instant(rows[i].text, &unix_s, why, sizeof why) != 0)
      fail_msg("%s: %s", rows[i].text, why);
    if (unix_s != rows[i].unix_s)
      fail_msg("%s was read as %lld, it is %lld", rows[i].text, (long long) unix_s,
               (long long) rows[i].unix_s);
  }
}

static void refuses_days_that_the_calendar_does_not_have(void **state)
{
  (void) state;
  static const char *const texts[] = {
      "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
      "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
      "2026-01-01 00:00:00Z", "2026-01-01T00:00:00",  "2026-01-01"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    int64_t unix_s = 7;
    if (units_instant(texts[i], &unix_s, why, sizeof why) == 0)
      fail_msg("'%s' was taken", texts[i]);
    assert_int_equal(unix_s, 7);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_durations_in_five_units),
      cmocka_unit_test(a_duration_without_unit_is_told_how_to_get_one),
      cmocka_unit_test(reads_versions),
      cmocka_unit_test(reads_short_times),
      cmocka_unit_test(refuses_what_strtod_would_take),
      cmocka_unit_test(reads_rates_per_second_minute_and_hour),
      cmocka_unit_test(reads_rates_as_shares_of_the_fleet),
      cmocka_unit_test(refuses_a_rate_of_nothing_and_a_rate_without_time),
      cmocka_unit_test(reads_shares_up_to_the_whole),
      cmocka_unit_test(reads_bytes_and_refuses_half_ones),
      cmocka_unit_test(reads_instants_as_unix_seconds),
      cmocka_unit_test(refuses_days_that_the_calendar_does_not_have),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
