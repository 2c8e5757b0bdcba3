#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/report.h"

static char path[] = "/tmp/fleetsim-report-XXXXXX";

static int make_file(void **state)
{
  (void) state;
  int fd = mkstemp(path);
  return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int drop_file(void **state)
{
  (void) state;
  return unlink(path);
}

static json_t *written(void)
{
  json_t *json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  return json;
}

static json_int_t named(const json_t *json, const char *name)
{
  const json_t *names = json_object_get(json_object_get(json, "failure_names"), "fleetsim");
  return json_integer_value(json_object_get(names, name));
}

static struct options options = {.bench = "test", .rounds = 2, .devices = 10, .json = path};

static void failed_connections_are_named_and_fail_the_bench(void **state)
{
  (void) state;
  char *arguments[] = {(char *) "bench-test", NULL};
  const struct subject_answer first = {
      .online = 7,
      .longest_wait_ms = 40,
      .failure = {{"connect.tcp.timeout", 2}, {"session.closed", 1}},
      .failure_names = 2,
  };
  const struct subject_answer second = {.online = 9,
                                        .longest_wait_ms = 35,
                                        .failure = {{"connect.tcp.timeout", 1}},
                                        .failure_names = 1};
  json_t *report = report_begin(&options, 1, arguments);
  report_connections(report, "fleetsim", 10, &first);
  report_connections(report, "fleetsim", 10, &second);
  assert_int_equal(report_end(report, &options, 0, NULL), EXIT_CODE_FAIL);
  json_t *json = written();
  assert_int_equal(
      json_integer_value(json_object_get(json_object_get(json, "failures"), "fleetsim")), 4);
  assert_int_equal(named(json, "connect.tcp.timeout"), 3);
  assert_int_equal(named(json, "session.closed"), 1);
  assert_int_equal(
      json_number_value(json_object_get(json_object_get(json, "longest_wait_ms"), "fleetsim")), 40);
  json_decref(json);
}

static void connections_that_all_stay_pass_it(void **state)
{
  (void) state;
  char *arguments[] = {(char *) "bench-test", NULL};
  const struct subject_answer answer = {.online = 10};
  json_t *report = report_begin(&options, 1, arguments);
  report_connections(report, "fleetsim", 10, &answer);
  assert_int_equal(report_end(report, &options, 0, NULL), EXIT_CODE_PASS);
  json_t *json = written();
  assert_int_equal(
      json_integer_value(json_object_get(json_object_get(json, "failures"), "fleetsim")), 0);
  json_decref(json);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(failed_connections_are_named_and_fail_the_bench),
      cmocka_unit_test(connections_that_all_stay_pass_it),
  };
  return cmocka_run_group_tests(tests, make_file, drop_file);
}
