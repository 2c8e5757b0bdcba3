/* A run that was killed has no verdict; its list of events says how far it came. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/html.h"
#include "report/results_json.h"
#include "report/so_far.h"
#include "sample.h"

static const struct event story[] = {
    {EVENT_RUN, 0, 0, .run = {"00112233445566778899aabbccddeeff", "a \x1b[2Jday", 4, "2026"}},
    {EVENT_PHASE, 0.5, 0, .phase = {"come online"}},
    {EVENT_STEP, 0.5, 0, .step = {"connect"}},
    {EVENT_ONLINE, 1, 0xa, .online = {"main", 0, false, false}},
    {EVENT_ONLINE, 1, 0xb, .online = {"main", 0, false, false}},
    {EVENT_ONLINE, 1, 0xc, .online = {"prove", 0, false, false}},
    {EVENT_FAILED, 1.5, 0xd, .failed = {DEVICE_FAIL_TLS_NOT_TRUSTED, "x"}},
    {EVENT_FAILED, 1.6, 0xd, .failed = {DEVICE_FAIL_TLS_NOT_TRUSTED, "x"}},
    {EVENT_PHASE, 3, 0, .phase = {"switch"}},
    {EVENT_STEP, 3, 0, .step = {"reconnect"}},
    {EVENT_OFFLINE, 3.25, 0xa, .offline = {0}},
    {EVENT_FAILED, 4.75, 0xb, .failed = {DEVICE_FAIL_SESSION_CLOSED, "x"}},
    {EVENT_ONLINE, 5, 0xb, .online = {"main", 0, false, false}},
    {EVENT_SECOND, 6, 0, .second = {1}},
};

static void write_story(const struct event *from, size_t count)
{
  struct events *events;
  struct error error;
  assert_int_equal(events_open(sample.folder, &events, &error), 0);
  for (size_t e = 0; e < count; e++) events_emit(events, &from[e]);
  assert_int_equal(events_close(events, &error), 0);
}

static void write_events(size_t count)
{
  write_story(story, count);
}

static void add_bytes(const char *bytes)
{
  char path[FILES_PATH_MAX];
  assert_int_equal(files_join(path, sample.folder, "events.ndjson", NULL), 0);
  FILE *file = fopen(path, "a");
  assert_non_null(file);
  fputs(bytes, file);
  fclose(file);
}

static char *reported(struct error *error)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  assert_int_equal(results_reprint(sample.folder, out, false, error), -1);
  fclose(out);
  return text;
}

static void expect(const char *wanted)
{
  struct error error = {0};
  char *text = reported(&error);
  if (strcmp(text, wanted) != 0) fail_msg("wanted:\n%s\ngot:\n%s", wanted, text);
  assert_null(strstr(text, "PASS"));
  free(text);
}

static const char whole[] = "NONE  a  [2Jday: no verdict: the run did not end\n"
                            "  killed, crashed, out of disk or under way: its events go to 6.0 s\n"
                            "  phase                          began  seconds\n"
                            "  come online                     0.5      2.5\n"
                            "  switch                          3.0      3.0  under way: reconnect\n"
                            "  devices      1 online then, 2 ever, of 4\n"
                            "  failures                       count\n"
                            "  connect.tls.not_trusted            2  0000000d 0000000d\n"
                            "  session.closed                     1  0000000b\n";

static void it_says_how_far_it_came(void **state)
{
  (void) state;
  struct error error = {0};
  write_events(sizeof story / sizeof *story);
  expect(whole);
  free(reported(&error));
  assert_non_null(strstr(error.text, "holds no complete run"));
}

static void half_a_line_and_what_is_no_event_end_it(void **state)
{
  (void) state;
  write_events(sizeof story / sizeof *story);
  add_bytes("{\"t\": 6.0, \"event\": \"phase\", \"pha");
  expect(whole);
  add_bytes("\n{\"t\": 9.0, \"event\": \"phase\", \"phase\": \"later\"}\n");
  expect(whole);
}

static void a_run_that_had_hardly_begun_says_so(void **state)
{
  (void) state;
  write_events(1);
  expect("NONE  a  [2Jday: no verdict: the run did not end\n"
         "  killed, crashed, out of disk or under way: its events go to 0.0 s\n"
         "  no phase had begun\n"
         "  devices      0 online then, 0 ever, of 4\n");
}

/* On the live page: "pause" is asked for in the phase that it comes after. */
static const struct event paused_story[] = {
    {EVENT_RUN, 0, 0, .run = {"00112233445566778899aabbccddeeff", "day", 4, "2026"}},
    {EVENT_PHASE, 0.5, 0, .phase = {"come online"}},
    {EVENT_STEP, 0.5, 0, .step = {"connect"}},
    {EVENT_CONTROL, 1, 0, .control = {"pause"}},
    {EVENT_PAUSED, 2, 0, .paused = {true}},
    {EVENT_SECOND, 4, 0, .second = {0}},
    {EVENT_PAUSED, 4.5, 0, .paused = {false}},
    {EVENT_PHASE, 4.5, 0, .phase = {"switch"}},
    {EVENT_STEP, 4.5, 0, .step = {"reconnect"}},
    {EVENT_CONTROL, 5, 0, .control = {"pause"}},
    {EVENT_PAUSED, 6, 0, .paused = {true}},
    {EVENT_SECOND, 9, 0, .second = {0}},
};

/* No step is under way then, and no phase has taken as long as the pause. */
static void a_run_that_was_killed_while_it_was_paused_says_so(void **state)
{
  (void) state;
  write_story(paused_story, 12);
  expect("NONE  day: no verdict: the run did not end\n"
         "  killed, crashed, out of disk or under way: its events go to 9.0 s\n"
         "  it was paused by hand then, since 6.0 s; before that once, for 2.5 s\n"
         "  phase                          began  seconds\n"
         "  come online                     0.5      1.5\n"
         "  switch                          4.5      1.5  over\n"
         "  devices      0 online then, 0 ever, of 4\n");
}

static void a_pause_that_was_over_or_asked_for_is_told_too(void **state)
{
  (void) state;
  write_story(paused_story, 9);
  expect("NONE  day: no verdict: the run did not end\n"
         "  killed, crashed, out of disk or under way: its events go to 4.5 s\n"
         "  it was paused by hand once, for 2.5 s\n"
         "  phase                          began  seconds\n"
         "  come online                     0.5      1.5\n"
         "  switch                          4.5      0.0  under way: reconnect\n"
         "  devices      0 online then, 0 ever, of 4\n");
  write_story(paused_story, 4);
  expect("NONE  day: no verdict: the run did not end\n"
         "  killed, crashed, out of disk or under way: its events go to 1.0 s\n"
         "  it was asked by hand to pause when its phase is over\n"
         "  phase                          began  seconds\n"
         "  come online                     0.5      0.5  under way: connect\n"
         "  devices      0 online then, 0 ever, of 4\n");
}

static void a_run_whose_results_could_not_be_written_says_why(void **state)
{
  (void) state;
  static const struct event over[] = {
      {EVENT_RUN, 0, 0, .run = {"00112233445566778899aabbccddeeff", "day", 4, "2026"}},
      {EVENT_PHASE, 0.5, 0, .phase = {"come online"}},
      {EVENT_STEP, 0.5, 0, .step = {"connect"}},
      {EVENT_UNWRITTEN, 8, 0, .unwritten = {"cannot write out/results.json: No space left"}},
  };
  write_story(over, 4);
  expect("NONE  day: no verdict: its results could not be written\n"
         "  cannot write out/results.json: No space left\n"
         "  phase                          began  seconds\n"
         "  come online                     0.5      7.5  over\n"
         "  devices      0 online then, 0 ever, of 4\n");
}

/* A results.json beside it is another run's, whatever it says. */
static void results_of_an_earlier_run_are_not_taken_for_its(void **state)
{
  (void) state;
  struct error error = {0};
  sample_pass(&sample);
  assert_int_equal(results_write(&sample.results, sample.folder, &error), 0);
  write_events(sizeof story / sizeof *story);
  expect(whole);
  free(reported(&error));
  assert_non_null(strstr(error.text, "did not end"));
}

static void what_is_no_list_of_a_run_says_nothing(void **state)
{
  (void) state;
  static const char *const texts[] = {"", "\n", "{}\n", "[1]\n", "{\"event\": \"end\"}\n", "x"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    write_events(0);
    add_bytes(texts[i]);
    expect("");
  }
  write_events(3);
  add_bytes("{\"t\": 6.0, \"event\": \"end\", \"verdict\": \"pass\"}\n");
  expect("");
}

static json_t *told_so_far(void)
{
  struct so_far so_far;
  assert_true(so_far_read(sample.folder, &so_far));
  json_t *tree = so_far_json(&so_far);
  so_far_release(&so_far);
  assert_non_null(tree);
  return tree;
}

static void expect_json(const json_t *tree, const char *key, const char *wanted)
{
  char *text = json_dumps(json_object_get(tree, key), JSON_COMPACT | JSON_ENCODE_ANY);
  if (text == NULL || strcmp(text, wanted) != 0)
    fail_msg("%s: wanted %s, got %s", key, wanted, text);
  free(text);
}

/* For the page: what is known, in the shape of results, and nothing that is not. */
static void what_is_known_has_the_shape_of_results_without_a_verdict(void **state)
{
  (void) state;
  write_events(sizeof story / sizeof *story);
  json_t *tree = told_so_far(), *series = json_object_get(tree, "series");
  expect_json(tree, "verdict", "\"none\"");
  expect_json(
      tree, "message",
      "\"The run did not end: it was killed, crashed, ran out of disk, or is under way. Its "
      "events go to 6.0 s.\"");
  expect_json(tree, "duration_s", "6.0");
  expect_json(tree, "so_far", "{\"online\":1,\"ever\":2,\"step\":\"reconnect\"}");
  expect_json(tree, "phases",
              "[{\"name\":\"come online\",\"start_s\":0.5,\"duration_s\":2.5,\"note\":\"\"},"
              "{\"name\":\"switch\",\"start_s\":3.0,\"duration_s\":3.0,\"note\":"
              "\"under way: reconnect\"}]");
  expect_json(series, "columns",
              "{\"online\":[0,2,null,1,0,1,1],\"online.min\":[0,0,null,1,0,0,1]}");
  expect_json(
      series, "failures",
      "{\"connect.tls.not_trusted\":[0,2,null,0,0,0,0],\"session.closed\":[0,0,null,0,1,0,0]}");
  const json_t *failed = json_object_get(json_object_get(tree, "failures"), "session.closed");
  expect_json(failed, "count", "1");
  expect_json(failed, "first_devices", "[\"0000000b\"]");
  assert_null(json_object_get(failed, "expected_count"));
  assert_null(json_object_get(tree, "exit_code"));
  assert_null(json_object_get(tree, "schema"));
  json_decref(tree);
}

/* Lists that somebody has put there. */
static void times_that_go_back_or_are_absurd_make_no_series_of_years(void **state)
{
  (void) state;
  write_events(3);
  add_bytes("{\"t\": 1e300, \"event\": \"second\", \"online\": 1}\n"
            "{\"t\": -5, \"event\": \"failed\", \"device\": \"0000000a\", \"failure\": \"x.y\"}\n"
            "{\"t\": \"soon\", \"event\": \"second\", \"online\": 1}\n");
  json_t *tree = told_so_far();
  assert_in_range(json_array_size(json_object_get(
                      json_object_get(json_object_get(tree, "series"), "columns"), "online")),
                  1, 600);
  json_decref(tree);
}

static void its_page_is_written_and_is_no_page_of_results(void **state)
{
  (void) state;
  struct error error = {0};
  if (!html_available()) skip();
  write_events(sizeof story / sizeof *story);
  if (results_page_so_far(sample.folder, &error) != 1) fail_msg("%s", error.text);
  char *page = sample_read(&sample, HTML_FILE);
  assert_non_null(page);
  assert_non_null(strstr(page, "\"verdict\":\"none\""));
  free(page);
}

static void a_run_that_is_under_way_gets_its_page_from_itself(void **state)
{
  (void) state;
  struct error error = {0};
  write_events(sizeof story / sizeof *story);
  int folder = open(sample.folder, O_RDONLY | O_DIRECTORY);
  assert_int_equal(flock(folder, LOCK_EX | LOCK_NB), 0);
  char *text = reported(&error);
  if (strstr(text, "no verdict: the run is under way\n  its events go to 6.0 s\n") == NULL)
    fail_msg("said: %s", text);
  free(text);
  assert_int_equal(results_page_so_far(sample.folder, &error), 0);
  assert_null(sample_read(&sample, HTML_FILE));
  close(folder);
}

static void what_has_ended_or_is_no_run_gets_no_page_this_way(void **state)
{
  (void) state;
  struct error error = {0};
  sample_conclude(&sample);
  assert_int_equal(results_page_so_far(sample.folder, &error), 0);
  assert_int_equal(results_page_so_far("/nonexistent", &error), 0);
  assert_null(sample_read(&sample, HTML_FILE));
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(it_says_how_far_it_came),
      test(half_a_line_and_what_is_no_event_end_it),
      test(a_run_that_had_hardly_begun_says_so),
      test(a_run_that_was_killed_while_it_was_paused_says_so),
      test(a_pause_that_was_over_or_asked_for_is_told_too),
      test(a_run_whose_results_could_not_be_written_says_why),
      test(what_is_known_has_the_shape_of_results_without_a_verdict),
      test(times_that_go_back_or_are_absurd_make_no_series_of_years),
      test(its_page_is_written_and_is_no_page_of_results),
      test(a_run_that_is_under_way_gets_its_page_from_itself),
      test(what_has_ended_or_is_no_run_gets_no_page_this_way),
      test(results_of_an_earlier_run_are_not_taken_for_its),
      test(what_is_no_list_of_a_run_says_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
