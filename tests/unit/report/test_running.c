/* What the page of a run that goes on is told: the results as they stand, no verdict, and the series as
 * results.json has it, whatever was kept of it between two documents. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/results_json.h"
#include "report/running.h"
#include "sample.h"

static struct onlooker_view view_of(const struct results *results)
{
  return (struct onlooker_view){.results = results,
                                .now_s = 12.5,
                                .limit_s = 600,
                                .phase = 2,
                                .phase_count = 3,
                                .phase_name = "say \"B\" <here>",
                                .step = "wait",
                                .gate = "online == 100%",
                                .observed = "9 of 10 (90%)",
                                .gate_s = 3,
                                .gate_within_s = 60,
                                .online = 9,
                                .wanted = 10};
}

static json_t *document(struct running *running, const struct onlooker_view *view)
{
  size_t size;
  json_error_t error;
  char *text = running_document(running, view, &size);
  assert_non_null(text);
  assert_int_equal(strlen(text), size);
  assert_null(strchr(text, '\n')); /* it is one line of an event */
  json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (tree == NULL) fail_msg("%s in %s", error.text, text);
  free(text);
  return tree;
}

static void a_run_that_goes_on_has_no_verdict(void **state)
{
  (void) state;
  struct running *running = running_create();
  struct onlooker_view view = view_of(&sample.results);
  json_t *tree = document(running, &view), *results = json_object_get(tree, "results"),
         *live = json_object_get(tree, "live"), *metrics = json_object_get(results, "metrics");
  assert_string_equal(results_json_text(results, "verdict"), "running");
  assert_null(json_object_get(results, "exit_code"));
  assert_string_equal(results_json_text(live, "phase_name"), "say \"B\" <here>");
  assert_string_equal(results_json_text(json_object_get(live, "gate"), "observed"),
                      "9 of 10 (90%)");
  assert_true(results_json_number(live, "online") > 8.5);
  json_t *lost = json_object_get(json_object_get(metrics, "telemetry.lost"), "value");
  assert_true(json_is_null(lost)); /* they are counted when all is over */
  json_decref(tree);
  running_destroy(running);
}

static void the_last_document_is_that_of_the_results(void **state)
{
  (void) state;
  sample_keep_series(&sample);
  struct running *running = running_create();
  struct onlooker_view view = view_of(&sample.results);
  view.ended = true;
  json_t *tree = document(running, &view), *all = results_json(&sample.results);
  char *text = json_dumps(all, JSON_REAL_PRECISION(12));
  json_decref(all);
  all = json_loads(text, 0, NULL); /* as a file has it */
  free(text);
  assert_true(json_equal(json_object_get(tree, "results"), all));
  assert_true(json_is_null(json_object_get(tree, "live")));
  json_decref(all);
  json_decref(tree);
  running_destroy(running);
}

static void expect_series(struct running *running, const struct series *series)
{
  struct onlooker_view view = view_of(&sample.results);
  json_t *tree = document(running, &view), *all = results_series_json(series);
  char *wanted = json_dumps(all, JSON_SORT_KEYS | JSON_REAL_PRECISION(12)),
       *seen = json_dumps(json_object_get(json_object_get(tree, "results"), "series"),
                          JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
  if (strcmp(wanted, seen) != 0) fail_msg("%s\nis not\n%s", seen, wanted);
  free(wanted);
  free(seen);
  json_decref(all);
  json_decref(tree);
}

/* A second: some connects, now and then a failure. */
static void a_second(struct series *series, struct metrics *metrics, unsigned second)
{
  metrics_add(metrics, METRIC_CONNECT_OK, second % 7);
  metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, 100 + 37 * second);
  if (second % 100 == 50) metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 1, false, NULL);
  series_set_online(series, second % 11);
  series_look(series, metrics, 1000 * (uint64_t) (second + 1));
}

static void kept_steps_are_those_of_results_json(void **state)
{
  (void) state;
  struct series *series = series_create();
  struct running *running = running_create();
  sample.results.series = series;
  expect_series(running, series);
  for (unsigned second = 0; second < 1300; second++) { /* two become one, twice */
    a_second(series, sample.metrics, second);
    if (second == 30) series_set(series, series_gauge(series, "trusting.A"), 5);
    if (second == 620) series_set(series, series_gauge(series, "trusting.B"), 6);
    if (second % 97 == 0 || second == 31 || second == 599 || second == 621)
      expect_series(running, series);
  }
  expect_series(running, series);
  sample.results.series = NULL;
  running_destroy(running);
  series_destroy(series);
}

static void the_page_may_connect_to_where_it_comes_from_alone(void **state)
{
  (void) state;
  size_t size = 0;
  char *page = running_page(&size);
  if (page == NULL) skip();
  assert_int_equal(strlen(page), size);
  assert_non_null(strstr(page, "default-src 'none'"));
  assert_non_null(strstr(page, "connect-src 'self'"));
  assert_null(strstr(page, "connect-src 'none'"));
  assert_non_null(strstr(page, "id=\"document\">{\"live\":true,\"words\":{"));
  free(page);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_run_that_goes_on_has_no_verdict, sample_set_up,
                                      sample_take_down),
      cmocka_unit_test_setup_teardown(the_last_document_is_that_of_the_results, sample_set_up,
                                      sample_take_down),
      cmocka_unit_test_setup_teardown(kept_steps_are_those_of_results_json, sample_set_up,
                                      sample_take_down),
      cmocka_unit_test(the_page_may_connect_to_where_it_comes_from_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
