/* When something is shown, and as what: lines in a log, a picture in its place on a terminal. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/progress.h"
#include "sample.h"

static const struct terminal window = {.columns = 80, .rows = 24, .ready = true};

static struct onlooker_view teaching(void)
{
  metrics_destroy(sample.metrics);
  sample.results.metrics = sample.metrics = metrics_create();
  return (struct onlooker_view){.results = &sample.results,
                                .phase = 3,
                                .phase_count = 8,
                                .phase_name = "teach the fleet root B",
                                .step = "",
                                .online = 950,
                                .wanted = 1000,
                                .limit_s = 72};
}

/* One look, where it is time to. */
static void look(struct progress *progress, const struct onlooker_view *view,
                 const struct terminal *terminal)
{
  if (progress_is_due(progress, view, terminal != NULL)) progress_show(progress, view, terminal);
}

/* Looks every 20 ms of a made-up clock from 0 until `end_s`, 200 handshakes a second. */
static void run_until(struct progress *progress, struct onlooker_view *view, double end_s,
                      const struct terminal *terminal)
{
  for (unsigned ms = 0; ms <= end_s * 1000; ms += 20) {
    view->now_s = ms / 1000.0;
    look(progress, view, terminal);
    metrics_add(sample.metrics, METRIC_HANDSHAKE_FULL, 4);
  }
}

static char *text_of(FILE *file)
{
  char *text = calloc(1, 65536);
  assert_non_null(text);
  rewind(file);
  text[fread(text, 1, 65535, file)] = '\0';
  fclose(file);
  return text;
}

static size_t count(const char *text, const char *part)
{
  size_t n = 0;
  for (; (text = strstr(text, part)) != NULL; text += strlen(part)) n++;
  return n;
}

static void a_log_gets_a_line_per_phase_and_every_five_seconds(void **state)
{
  (void) state;
  FILE *log = tmpfile();
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(log);
  run_until(progress, &view, 12, NULL);
  view.now_s = 12.02;
  view.limit_s = 0;
  view.phase = 4;
  view.phase_name = "drop A";
  view.online = view.wanted = 0;
  look(progress, &view, NULL);
  view.phase = 9;
  view.phase_name = "";
  look(progress, &view, NULL);
  progress_hide(progress);
  progress_destroy(progress);
  char *text = text_of(log);
  assert_string_equal(
      text,
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 0/s  failures 0  1:12 left\n"
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 200/s  failures 0  1:07 left\n"
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 200/s  failures 0  1:02 left\n"
      "phase 4/8 drop A  online 0/0  handshakes 200/s  failures 0\n"
      "phase 8/8 verdict\n");
  free(text);
}

static void a_log_says_that_the_run_is_paused_and_goes_on(void **state)
{
  (void) state;
  FILE *log = tmpfile();
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(log);
  look(progress, &view, NULL);
  view.now_s = 2;
  view.paused = true;
  look(progress, &view, NULL);
  view.now_s = 3;
  view.held_s = 1;
  view.paused = false;
  look(progress, &view, NULL);
  progress_destroy(progress);
  char *text = text_of(log);
  assert_string_equal(text, "phase 3/8 teach the fleet root B  online 950/1000  handshakes 0/s  "
                            "failures 0  1:12 left\n"
                            "phase 3/8 paused after teach the fleet root B  online 950/1000  "
                            "handshakes 0/s  failures 0  1:10 left\n"
                            "phase 3/8 teach the fleet root B  online 950/1000  handshakes 0/s  "
                            "failures 0  1:10 left\n");
  free(text);
}

static void a_terminal_is_painted_three_times_a_second_and_left_clear(void **state)
{
  (void) state;
  FILE *terminal = tmpfile();
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(terminal);
  run_until(progress, &view, 2.01, &window);
  progress_destroy(progress);
  char *text = text_of(terminal);
  assert_int_equal(count(text, "phase 3/8  teach the fleet root B"), 6);
  /* as far up as down: the cursor is at the first of its lines again */
  size_t down = count(text, "\n"), up = 0;
  for (const char *at = text; (at = strstr(at, "\033[")) != NULL;) {
    char *end;
    unsigned long n = strtoul(at += 2, &end, 10);
    if (*end == 'A') up += n;
  }
  assert_int_equal(up, down);
  assert_true(down > 0);
  assert_null(strstr(text, "\033[?")); /* no mode to be put back, as the cursor's */
  assert_string_equal(text + strlen(text) - 4, "\r\033[J");
  free(text);
}

/* Each datagram is one write. */
static void a_picture_is_one_write_whatever_the_buffer(void **state)
{
  (void) state;
  int ends[2];
  char text[8192];
  assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
  FILE *terminal = fdopen(ends[0], "w");
  assert_non_null(terminal);
  setvbuf(terminal, NULL, _IONBF, 0); /* as stderr */
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(terminal);
  look(progress, &view, &window);
  ssize_t size = recv(ends[1], text, sizeof text, MSG_DONTWAIT);
  assert_true(size > 100);
  assert_int_equal(text[size - 1], 'A'); /* the cursor is up again */
  assert_int_equal(recv(ends[1], text, sizeof text, MSG_DONTWAIT), -1);
  progress_destroy(progress);
  fclose(terminal);
  close(ends[1]);
}

static void nothing_is_written_while_somebody_has_stopped_the_terminal(void **state)
{
  (void) state;
  FILE *terminal = tmpfile();
  struct terminal stopped = window;
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(terminal);
  stopped.ready = false;
  run_until(progress, &view, 1, &stopped);
  assert_int_equal(ftell(terminal), 0);
  look(progress, &view, &window);
  assert_true(ftell(terminal) > 0);
  progress_destroy(progress);
  fclose(terminal);
}

static void what_is_hidden_is_cleared_once_and_comes_again(void **state)
{
  (void) state;
  FILE *terminal = tmpfile();
  struct onlooker_view view = teaching();
  struct progress *progress = progress_create(terminal);
  progress_hide(progress); /* nothing is there so far */
  assert_int_equal(ftell(terminal), 0);
  look(progress, &view, &window);
  progress_hide(progress);
  long hidden = ftell(terminal);
  progress_hide(progress);
  assert_int_equal(ftell(terminal), hidden);
  view.now_s = 1;
  look(progress, &view, &window);
  assert_true(ftell(terminal) > hidden);
  progress_destroy(progress);
  progress_hide(NULL);
  fclose(terminal);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, sample_set_up, sample_take_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      STORY(a_log_gets_a_line_per_phase_and_every_five_seconds),
      STORY(a_log_says_that_the_run_is_paused_and_goes_on),
      STORY(a_terminal_is_painted_three_times_a_second_and_left_clear),
      STORY(a_picture_is_one_write_whatever_the_buffer),
      STORY(nothing_is_written_while_somebody_has_stopped_the_terminal),
      STORY(what_is_hidden_is_cleared_once_and_comes_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
