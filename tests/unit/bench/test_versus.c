/* Two files of one bench: what moved, by rounds; peers tell of the machine and are no alarm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/versus.h"

static struct error error;

static json_t *file_of(const char *bench, const char *rounds)
{
  char text[2000];
  snprintf(text, sizeof text,
           "{\"bench\": \"%s\", \"devices\": 100, \"rate\": 400, \"machine\": {\"cpu\": \"x\", "
           "\"cores\": 2}, \"failures\": {\"fleetsim\": 0}, \"rounds_of\": %s}",
           bench, rounds);
  json_t *file = json_loads(text, 0, NULL);
  assert_non_null(file);
  return file;
}

#define QUIET  "[0.50, 0.51, 0.52, 0.50, 0.49, 0.51, 0.50]"
#define SLOWER "[0.60, 0.61, 0.62, 0.60, 0.59, 0.61, 0.60]"
#define OTHERS "[2.0, 2.1, 2.0, 2.0, 1.9, 2.0, 2.1]"
#define SLOW   "[2.4, 2.5, 2.4, 2.4, 2.3, 2.4, 2.5]"

static const json_t *row_of(const json_t *rows, const char *name)
{
  for (size_t r = 0; r < json_array_size(rows); r++) {
    const json_t *row = json_array_get(rows, r);
    if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) return row;
  }
  fail_msg("there is no row %s", name);
  return NULL;
}

static void expect_state(const json_t *rows, const char *name, const char *state)
{
  const char *seen = json_string_value(json_object_get(row_of(rows, name), "state"));
  if (strcmp(seen, state) != 0) fail_msg("%s is %s, expected %s", name, seen, state);
}

static void a_file_has_not_moved_from_itself(void **state)
{
  (void) state;
  json_t *a = file_of("handshake", "{\"fleetsim\": " QUIET ", \"openssl\": " OTHERS "}");
  assert_int_equal(versus_alike(a, a, false, &error), 0);
  json_t *rows = versus_rows(a, a, 0.1);
  assert_int_equal(json_array_size(rows), 3);
  expect_state(rows, "fleetsim", "same");
  expect_state(rows, "fleetsim / openssl", "same");
  assert_false(versus_alarms(rows));
  json_decref(rows);
  json_decref(a);
}

static void a_fifth_more_cpu_is_worse_and_shows_against_the_peer(void **state)
{
  (void) state;
  json_t *a = file_of("handshake", "{\"fleetsim\": " QUIET ", \"openssl\": " OTHERS "}"),
         *b = file_of("handshake", "{\"fleetsim\": " SLOWER ", \"openssl\": " OTHERS "}");
  json_t *rows = versus_rows(a, b, 0.1);
  expect_state(rows, "fleetsim", "worse");
  expect_state(rows, "fleetsim / openssl", "worse");
  expect_state(rows, "openssl", "same");
  assert_true(versus_alarms(rows));
  json_decref(rows);
  rows = versus_rows(a, b, 0.3);
  assert_false(versus_alarms(rows));
  json_decref(rows);
  json_decref(a);
  json_decref(b);
}

static void a_peer_that_is_slower_is_no_alarm(void **state)
{
  (void) state;
  json_t *a = file_of("handshake", "{\"openssl\": " OTHERS ", \"floor\": " QUIET "}"),
         *b = file_of("handshake", "{\"openssl\": " SLOW ", \"floor\": " SLOWER "}");
  json_t *rows = versus_rows(a, b, 0.1);
  expect_state(rows, "openssl", "worse");
  assert_true(json_is_false(json_object_get(row_of(rows, "floor"), "ours")));
  assert_false(versus_alarms(rows));
  json_decref(rows);
  json_decref(a);
  json_decref(b);
}

/* Two levels down, and of messages a second more is better. */
static void of_a_rate_more_is_better(void **state)
{
  (void) state;
  json_t *a = file_of("publish", "{\"qos0\": {\"fleetsim\": " QUIET "}}"),
         *b = file_of("publish", "{\"qos0\": {\"fleetsim\": " SLOWER "}}");
  json_t *up = versus_rows(a, b, 0.1), *down = versus_rows(b, a, 0.1);
  expect_state(up, "qos0.fleetsim", "better");
  expect_state(down, "qos0.fleetsim", "worse");
  json_decref(up);
  json_decref(down);
  json_decref(a);
  json_decref(b);
}

static void two_rounds_tell_nothing(void **state)
{
  (void) state;
  json_t *a = file_of("idle", "{\"kib_per_device\": {\"fleetsim\": [13.4, 13.5]}}"),
         *b = file_of("idle", "{\"kib_per_device\": {\"fleetsim\": [26.8, 26.9]}}");
  json_t *rows = versus_rows(a, b, 0.1);
  expect_state(rows, "kib_per_device.fleetsim", "unclear");
  assert_false(versus_alarms(rows));
  json_decref(rows);
  json_decref(a);
  json_decref(b);
}

static void expect_refused(const json_t *a, const json_t *b, bool anyway, const char *sentence)
{
  error = (struct error){0};
  assert_int_equal(versus_alike(a, b, anyway, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, sentence) == NULL) fail_msg("no \"%s\" in: %s", sentence, error.text);
}

static void what_is_not_alike_is_refused(void **state)
{
  (void) state;
  json_t *a = file_of("handshake", "{\"fleetsim\": [1]}"),
         *other = file_of("idle", "{\"fleetsim\": [1]}"), *none = file_of("soak", "{}"),
         *b = file_of("handshake", "{\"fleetsim\": [1]}"),
         *foreign = json_pack("{s:s}", "schema", "fleetsim-results/1");
  expect_refused(a, other, true, "another bench");
  expect_refused(none, none, false, "'soak', which keeps no rounds");
  expect_refused(a, foreign, false, "B is no JSON file of './fleetsim bench");
  json_object_set_new(json_object_get(b, "machine"), "cpu", json_string("y"));
  expect_refused(a, b, false, "another processor; --anyway");
  assert_int_equal(versus_alike(a, b, true, &error), 0);
  json_object_set_new(json_object_get(b, "failures"), "openssl", json_integer(3));
  expect_refused(a, b, true, "B counts 3 failed connections of openssl");
  json_decref(a);
  json_decref(b);
  json_decref(other);
  json_decref(none);
  json_decref(foreign);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_has_not_moved_from_itself),
      cmocka_unit_test(a_fifth_more_cpu_is_worse_and_shows_against_the_peer),
      cmocka_unit_test(a_peer_that_is_slower_is_no_alarm),
      cmocka_unit_test(of_a_rate_more_is_better),
      cmocka_unit_test(two_rounds_tell_nothing),
      cmocka_unit_test(what_is_not_alike_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
