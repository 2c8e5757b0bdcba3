/* A run that was killed has no verdict; its list of events says how far it came. */
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

#include "report/results_json.h"
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
      test(results_of_an_earlier_run_are_not_taken_for_its),
      test(what_is_no_list_of_a_run_says_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
