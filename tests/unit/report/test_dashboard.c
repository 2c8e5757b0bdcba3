/* A run that goes on as lines: whatever the window's size and the names, they fit, and what matters
 * most is there. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "report/dashboard.h"
#include "sample.h"

#define WIDE       "\xe9\xa7\x86\xe9\x80\x90"                     /* two letters, four columns */
#define EMOJI      "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7" /* two joined to one */
#define MARK       "e\xcc\x81"                                    /* e and its accent */
#define FOUR(text) text text text text

static struct rates rates;

static struct onlooker_view view_of(const char *phase_name)
{
  return (struct onlooker_view){.results = &sample.results,
                                .now_s = 65,
                                .limit_s = 600,
                                .phase = 3,
                                .phase_count = 13,
                                .phase_name = phase_name,
                                .step = "push-trust",
                                .gate = "trusting(B) >= 99.9% of awake within 60s",
                                .observed = "412 of 1000 (41.2%)",
                                .gate_s = 12,
                                .gate_within_s = 60,
                                .online = 950,
                                .wanted = 1000,
                                .shelved = 3};
}

/* What is drawn; malloc'd. Every line is looked at. */
static char *drawn(const struct onlooker_view *view, size_t columns, size_t rows)
{
  char *text = NULL;
  size_t size, count = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  size_t lines = dashboard_draw(view, &rates, columns, rows, out);
  fclose(out);
  for (char *at = text, *end; *at != '\0'; at = end + 1, count++) {
    end = strchr(at, '\n');
    assert_non_null(end);
    *end = '\0';
    if (text_columns(at) > columns)
      fail_msg("%zu columns of %zu: %s", text_columns(at), columns, at);
    for (const char *c = at; *c != '\0'; c += text_letter(c))
      if (text_letter(c) == 0 || (unsigned char) *c < 0x20) fail_msg("no letter in: %s", at);
    *end = '\n';
  }
  assert_int_equal(count, lines);
  assert_in_range(lines, 1, rows);
  return text;
}

static void expect_contains(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static int set_up(void **state)
{
  (void) sample_set_up(state);
  rates = (struct rates){.window_s = 0};
  struct onlooker_view view = view_of("");
  view.now_s = 10;
  rates_see(&rates, &view);
  metrics_add(sample.metrics, METRIC_HANDSHAKE_FULL, 424);
  metrics_fail(sample.metrics, DEVICE_FAIL_TLS_NOT_TRUSTED, 1, true, NULL);
  metrics_set(sample.metrics, METRIC_PROCESS_CPU, 2.5);
  metrics_set(sample.metrics, METRIC_PROCESS_RSS, 48.0 * 1048576);
  view.now_s = 12;
  rates_see(&rates, &view);
  return 0;
}

static void a_window_of_80_by_24_has_all_of_it(void **state)
{
  (void) state;
  struct onlooker_view view = view_of("teach the fleet root B");
  char *text = drawn(&view, 79, 23);
  expect_contains(text, "phase 3/13  teach the fleet root B                              1:05, ");
  expect_contains(text, "8:55 left\n");
  expect_contains(text, "  step   push-trust\n");
  expect_contains(text, "  gate   trusting(B) >= 99.9% of awake within 60s\n");
  expect_contains(text, "  seen   412 of 1000 (41.2%)\n");
  expect_contains(text, "  waited [########--------------------------------] 12 of 60 s\n");
  expect_contains(text, "  phases [######----------------------------------] 2 of 13 done\n");
  expect_contains(text, "] 950 of 1000, 3 off\n");
  expect_contains(text, "  rates  handshakes 212/s  connected 0/s  failures 0/s  messages 0/s\n");
  expect_contains(text, "  self   50 % of a processor, 48 MiB; ");
  char *latest = strstr(text, "\n  connect.tls.not_trusted"),
       *earlier = strstr(text, "\nx connect.tcp.reset");
  assert_non_null(latest);
  assert_non_null(earlier);
  assert_true(latest < earlier); /* it came later */
  expect_contains(text, "11    53 s ago  expected\n");
  expect_contains(text, " 2    55 s ago  1 of them expected\n");
  free(text);
}

static void a_low_window_keeps_what_matters_most(void **state)
{
  (void) state;
  struct onlooker_view view = view_of("teach the fleet root B");
  static const char *const kept[] = {"phase 3/13", "] 950 of 1000", "  gate   trusting",
                                     "  seen   412"};
  for (size_t rows = 1; rows <= 4; rows++) {
    char *text = drawn(&view, 79, rows);
    for (size_t k = 0; k < rows; k++) expect_contains(text, kept[k]);
    free(text);
  }
  char *text = drawn(&view, 39, 9);
  expect_contains(text, "connect.tls.not_trusted"); /* the latest failures have their part of it */
  expect_contains(text, "950 of 1000");
  free(text);
}

static void every_size_and_name_fits(void **state)
{
  (void) state;
  static const char *const names[] = {"",
                                      "short",
                                      FOUR(FOUR("a phase whose name is long ")),
                                      FOUR(FOUR(WIDE)),
                                      FOUR(FOUR(FOUR(EMOJI))),
                                      FOUR(FOUR(FOUR(MARK))),
                                      "steers \x1b[2J the\nterminal\x7f"};
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    metrics_fail(sample.metrics, (enum device_failure) f, 7, false, NULL);
  struct onlooker_view seen = view_of("");
  seen.now_s = 64.5;
  rates_see(&rates, &seen);
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    struct onlooker_view view = view_of(names[n]);
    view.gate = view.observed = view.step = names[n];
    for (size_t columns = 1; columns <= 200; columns++)
      for (size_t rows = 1; rows <= 50; rows += columns % 20 == 0 ? 1 : 7) {
        char *text = drawn(&view, columns, rows);
        const char *joined = strstr(text, "\xe2\x80\x8d");
        for (; joined != NULL; joined = strstr(joined + 3, "\xe2\x80\x8d"))
          assert_memory_equal(joined + 3, "\xf0\x9f\x91\xa7", 4); /* whole */
        free(text);
      }
  }
}

static void a_failure_that_no_window_has_room_for_is_counted(void **state)
{
  (void) state;
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    metrics_fail(sample.metrics, (enum device_failure) f, 7, false, NULL);
  struct onlooker_view view = view_of("p");
  rates_see(&rates, &view);
  char *text = drawn(&view, 79, 23), names[64];
  snprintf(names, sizeof names, "; %d names of failures, the latest first\n",
           DEVICE_FAIL_COUNT - 1);
  expect_contains(text, names);
  free(text);
}

static void a_pause_is_said_first(void **state)
{
  (void) state;
  struct onlooker_view view = view_of("teach the fleet root B");
  view.pausing = true;
  char *text = drawn(&view, 79, 23);
  expect_contains(text, "  it will pause when this phase is over\n");
  free(text);
  view.paused = true;
  view.held_s = 5;
  text = drawn(&view, 79, 1);
  assert_ptr_equal(strstr(text, "PAUSED  phase 3/13"), text);
  expect_contains(text, "9:00 left"); /* what it has paused so far is not the limit's */
  free(text);
}

static void the_end_of_the_phases_has_no_name(void **state)
{
  (void) state;
  struct onlooker_view view = view_of("");
  view.phase = 14;
  view.gate = view.observed = NULL;
  view.step = "";
  char *text = drawn(&view, 79, 23);
  assert_ptr_equal(strstr(text, "phase 13/13  all are over: the verdict "), text);
  expect_contains(text, "] 13 of 13 done\n");
  assert_null(strstr(text, "gate"));
  free(text);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, set_up, sample_take_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      STORY(a_window_of_80_by_24_has_all_of_it),
      STORY(a_low_window_keeps_what_matters_most),
      STORY(every_size_and_name_fits),
      STORY(a_failure_that_no_window_has_room_for_is_counted),
      STORY(a_pause_is_said_first),
      STORY(the_end_of_the_phases_has_no_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
