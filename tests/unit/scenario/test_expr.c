#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/expr.h"

static char why[300];
static size_t column;

static struct expr parsed(const char *text)
{
  struct expr e;
  if (expr_parse(text, &e, why, sizeof why, &column) != 0)
    fail_msg("'%s' at %zu: %s", text, column, why);
  return e;
}

static void reads_every_part_of_a_gate(void **state)
{
  (void) state;
  struct expr e = parsed("trusting(B) >= 99.9% of online within 60s");
  assert_string_equal(e.text, "trusting(B) >= 99.9% of online within 60s");
  assert_string_equal(e.name, "trusting");
  assert_string_equal(e.argument, "B");
  assert_int_equal(e.op, EXPR_GE);
  assert_int_equal(e.unit, EXPR_PERCENT);
  assert_float_equal(e.value, 99.9, 1e-9);
  assert_string_equal(e.of, "online");
  assert_int_equal(e.within_ms, 60000);
}

static void reads_all_six_comparisons_with_and_without_spaces(void **state)
{
  (void) state;
  assert_int_equal(parsed("a==1").op, EXPR_EQ);
  assert_int_equal(parsed("a != 1").op, EXPR_NE);
  assert_int_equal(parsed("a<1").op, EXPR_LT);
  assert_int_equal(parsed("a <= 1").op, EXPR_LE);
  assert_int_equal(parsed("a>1").op, EXPR_GT);
  assert_int_equal(parsed(" a  >=  1 ").op, EXPR_GE);
}

static void reads_numbers_and_durations(void **state)
{
  (void) state;
  struct expr e = parsed("handshake.wall_ms.p99 < 2s");
  assert_int_equal(e.unit, EXPR_DURATION);
  assert_float_equal(e.value, 2000, 1e-9);
  e = parsed("failures(connect.tls.expired) == 0");
  assert_int_equal(e.unit, EXPR_NUMBER);
  assert_string_equal(e.argument, "connect.tls.expired");
  assert_float_equal(parsed("a >= -1.5").value, -1.5, 1e-9);
}

static void says_where_it_went_wrong(void **state)
{
  (void) state;
  const struct {
    const char *text;
    size_t column;
    const char *says;
  } rows[] = {
      {"", 0, "begins with a name"},
      {"trusting(B >= 1%", 8, "not closed"},
      {"trusting() >= 1%", 9, "missing between the brackets"},
      {"online => 3", 7, "a comparison is expected"},
      {"online", 6, "a comparison is expected"},
      {"online >=", 9, "a value is expected"},
      {"online >= 101%", 10, "above 100%"},
      {"online >= 3x", 10, "unknown unit 'x'"},
      {"online >= 1-2", 10, "not a number"},
      {"ota.bytes < 1MiB", 12, "are numbers: write '1048576'"},
      {"ota.bytes < 64B", 12, "are numbers: write '64'"},
      {"online >= 3 of awake", 12, "goes with a percentage"},
      {"online >= 3% within 60", 20, "'60' has no unit"},
      {"online >= 3% within 0s", 20, "above zero"},
      {"online >= 3% within 5s of awake", 23, "nothing but"},
      {"online >= 3% and more", 13, "nothing but"},
      {"online >= 3% !", 13, "nothing but"},
      {"online == 100% - x", 15, "a number of devices"},
      {"online == 100 - 2", 14, "nothing but"},
      {"ota.refused == 15 per day", 18, "'per' goes with 'device'"},
      {"ota.refused == 15% per device", 19, "goes with a number"},
      {"ota.refused == 15s per device", 19, "goes with a number"},
      {"ota.refused == 15 per device of awake", 29, "nothing but"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct expr e;
    column = 99;
    if (expr_parse(rows[i].text, &e, why, sizeof why, &column) == 0)
      fail_msg("'%s' was taken", rows[i].text);
    if (column != rows[i].column || strstr(why, rows[i].says) == NULL)
      fail_msg("'%s': wanted '%s' at %zu, got '%s' at %zu", rows[i].text, rows[i].says,
               rows[i].column, why, column);
  }
}

static void refuses_what_does_not_fit_its_struct(void **state)
{
  (void) state;
  char text[400];
  struct expr e;
  memset(text, 'a', sizeof text);
  strcpy(text + 100, " == 0");
  assert_int_equal(expr_parse(text, &e, why, sizeof why, &column), -1);
  memset(text, 'a', sizeof text);
  strcpy(text + 300, " == 0");
  assert_int_equal(expr_parse(text, &e, why, sizeof why, &column), -1);
  assert_non_null(strstr(why, "159 characters"));
}

/* 987 of 1000 online, 990 awake, p99 of 1.4 s, nothing shelved. */
static int fleet(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  (void) ctx;
  *out = (struct expr_quantity){.unit = EXPR_NUMBER};
  if (strcmp(name, "trusting") == 0 && strcmp(argument, "B") != 0) return -1;
  if (strcmp(name, "online") == 0 || strcmp(name, "trusting") == 0)
    out->value = 987, out->whole = 1000;
  else if (strcmp(name, "awake") == 0)
    out->value = 990, out->whole = 1000;
  else if (strcmp(name, "all") == 0)
    out->value = 1000, out->whole = 1000;
  else if (strcmp(name, "few") == 0)
    out->value = 3, out->whole = 50;
  else if (strcmp(name, "refusals") == 0)
    out->value = 15000;
  else if (strcmp(name, "p99") == 0)
    out->value = 1400, out->unit = EXPR_DURATION;
  else if (strcmp(name, "almost") == 0)
    out->value = 99999, out->whole = 100000;
  else if (strcmp(name, "shelved") != 0)
    return -1;
  return 0;
}

static void judges_and_shows_what_it_saw(void **state)
{
  (void) state;
  const struct {
    const char *text;
    bool holds;
    const char *observed;
  } rows[] = {
      {"online >= 98.7%", true, "987 of 1000 (98.7%)"},
      {"online > 98.7%", false, "987 of 1000 (98.7%)"},
      {"online == 98.7%", true, "987 of 1000 (98.7%)"},
      {"online != 98.7%", false, "987 of 1000 (98.7%)"},
      {"online >= 987", true, "987"},
      {"online < 987", false, "987"},
      {"trusting(B) <= 99.7% of awake", true, "987 of 990 (99.69%)"},
      {"trusting(B) == 100% of awake", false, "987 of 990 (99.69%)"},
      {"almost == 100%", false, "99999 of 100000 (99.99%)"},
      {"p99 < 2s", true, "1.4 s"},
      {"p99 < 1400ms", false, "1.4 s"},
      {"p99 <= 1400", true, "1.4 s"},
      {"shelved == 0", true, "0"},
      {"online == 100%-13", true, "987 of 1000 (98.7%)"},
      {"online == 100% - 13", true, "987 of 1000 (98.7%)"},
      {"online == 100% - 12", false, "987 of 1000 (98.7%)"},
      {"online >= 100% - 12", false, "987 of 1000 (98.7%)"},
      {"trusting(B) == 100% - 3 of awake", true, "987 of 990 (99.69%)"},
      {"few == 5%", true, "3 of 50 (6%)"},
      {"few != 5%", false, "3 of 50 (6%)"},
      {"few == 6%", true, "3 of 50 (6%)"},
      {"few == 4%", false, "3 of 50 (6%)"},
      {"few <= 5%", false, "3 of 50 (6%)"},
      {"refusals == 15 per device", true, "15 per device (15000 of 1000)"},
      {"refusals >= 15.1 per device", false, "15 per device (15000 of 1000)"},
      {"refusals < 15.1 per device", true, "15 per device (15000 of 1000)"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct expr e = parsed(rows[i].text);
    char observed[120];
    bool holds = expr_eval(&e, fleet, NULL, observed, sizeof observed);
    if (holds != rows[i].holds || strcmp(observed, rows[i].observed) != 0)
      fail_msg("%s: wanted %d '%s', got %d '%s'", rows[i].text, rows[i].holds, rows[i].observed,
               holds, observed);
  }
}

static int no_value(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  (void) ctx, (void) name, (void) argument;
  *out = (struct expr_quantity){.value = NAN};
  return 0;
}

static void no_comparison_holds_for_what_has_no_value(void **state)
{
  (void) state;
  static const char *const texts[] = {"a == 0", "a != 0", "a < 1", "a <= 1", "a > 1", "a >= 1"};
  char observed[200];
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct expr e = parsed(texts[i]);
    if (expr_eval(&e, no_value, NULL, observed, sizeof observed)) fail_msg("%s holds", texts[i]);
    assert_string_equal(observed, "no value");
  }
}

static void a_share_of_nothing_never_holds(void **state)
{
  (void) state;
  static const char *const texts[] = {"shelved >= 0%", "shelved == 100%", "online >= 1% of shelved",
                                      "shelved < 5%"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct expr e = parsed(texts[i]);
    char observed[120];
    if (expr_eval(&e, fleet, NULL, observed, sizeof observed))
      fail_msg("%s held: %s", texts[i], observed);
    assert_non_null(strstr(observed, "of nothing"));
  }
}

static void an_unknown_name_never_holds_and_is_named(void **state)
{
  (void) state;
  char observed[120];
  struct expr e = parsed("trusting(C) >= 0%");
  assert_false(expr_eval(&e, fleet, NULL, observed, sizeof observed));
  assert_string_equal(observed, "'trusting(C)' is not known");
  e = parsed("online >= 1% of strangers");
  assert_false(expr_eval(&e, fleet, NULL, observed, sizeof observed));
  assert_string_equal(observed, "the set 'strangers' is not known");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_every_part_of_a_gate),
      cmocka_unit_test(reads_all_six_comparisons_with_and_without_spaces),
      cmocka_unit_test(reads_numbers_and_durations),
      cmocka_unit_test(says_where_it_went_wrong),
      cmocka_unit_test(refuses_what_does_not_fit_its_struct),
      cmocka_unit_test(judges_and_shows_what_it_saw),
      cmocka_unit_test(no_comparison_holds_for_what_has_no_value),
      cmocka_unit_test(a_share_of_nothing_never_holds),
      cmocka_unit_test(an_unknown_name_never_holds_and_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
