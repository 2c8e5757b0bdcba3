#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/progress.h"

static const struct progress_state teaching = {.phase = 3,
                                               .phase_count = 8,
                                               .phase_name = "teach the fleet root B",
                                               .online = 950,
                                               .wanted = 1000,
                                               .deadline_ms = 72000};

/* Updates every 20 ms of a made-up clock from 0 to `end_ms`, 200 handshakes a second. */
static void run_until(struct progress *progress, struct progress_state state, uint64_t end_ms)
{
  for (; state.now_ms <= end_ms; state.now_ms += 20, state.handshakes += 4)
    progress_update(progress, &state);
}

static void a_log_gets_a_line_per_phase_and_every_five_seconds(void **state)
{
  (void) state;
  char text[4096] = "";
  FILE *log = tmpfile();
  assert_non_null(log);
  struct progress *progress = progress_create(log);
  run_until(progress, teaching, 12000);
  progress_update(progress,
                  &(struct progress_state){
                      .now_ms = 12020, .phase = 4, .phase_count = 8, .phase_name = "drop A"});
  progress_update(progress,
                  &(struct progress_state){
                      .now_ms = 12040, .phase = 9, .phase_count = 8, .phase_name = "verdict"});
  progress_destroy(progress);
  rewind(log);
  text[fread(text, 1, sizeof text - 1, log)] = '\0';
  fclose(log);
  assert_string_equal(
      text,
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 0/s  failures 0  1:12 left\n"
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 200/s  failures 0  1:07 left\n"
      "phase 3/8 teach the fleet root B  online 950/1000  handshakes 200/s  failures 0  1:02 left\n"
      "phase 4/8 drop A  online 0/0  handshakes 200/s  failures 0\n"
      "phase 8/8 verdict\n");
}

static void a_terminal_gets_one_line_that_is_redrawn_and_cleared(void **state)
{
  (void) state;
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) skip();
  FILE *terminal = fopen(ptsname(master), "w");
  assert_non_null(terminal);
  struct progress *progress = progress_create(terminal);
  struct progress_state long_name = teaching;
  long_name.phase_name =
      "a phase whose name is much longer than any terminal line has room for, so it gives way";
  run_until(progress, long_name, 300);
  progress_destroy(progress);
  fclose(terminal);
  char text[4096] = "";
  size_t size = 0;
  for (ssize_t n; (n = read(master, text + size, sizeof text - 1 - size)) > 0;) size += (size_t) n;
  close(master);
  assert_null(strchr(text, '\n'));
  size_t redrawn = 0;
  for (char *line = strtok(text, "\r"); line != NULL; line = strtok(NULL, "\r")) {
    redrawn++;
    assert_memory_equal(line, "\033[K", 3);
    assert_in_range(strlen(line), 3, 3 + 79);
  }
  assert_int_equal(redrawn, 5); /* at 0, 100, 200 and 300 ms, and cleared */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_log_gets_a_line_per_phase_and_every_five_seconds),
      cmocka_unit_test(a_terminal_gets_one_line_that_is_redrawn_and_cleared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
