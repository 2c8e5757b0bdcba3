/* A server that is a shell command: how it is started, stopped, and told of. */
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "child/ports.h"
#include "child/supervisor.h"

enum { PATIENCE_MS = 10000 };

struct outcome {
  unsigned calls;
  bool failed;
  struct error error;
};

static uv_loop_t loop;
static struct supervisor supervisor;
static struct supervisor_server kind;
static char folder[64];
static uint16_t asked, port;

/* What the server does, and what was asked of it. */
static char script[2][256]; /* of the first start, and of those after it */
static unsigned prepared, probed, answered, gone, died, closed;
static const char *unreachable; /* what the probe finds; NULL: it answers at once */
static bool never_answers;
static int taken; /* the first start takes its port away; -1: not */
static char how[600];
static uv_timer_t probing;

static int listen_on(uint16_t number)
{
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* another process may have been faster: then it is taken, too */
  if (bind(fd, (struct sockaddr *) &address, sizeof address) != 0)
    assert_int_equal(errno, EADDRINUSE);
  else
    assert_int_equal(listen(fd, 1), 0);
  return fd;
}

/* --- The kind --------------------------------------------------------------------------------- */

static char *const *prepare(void *server, struct error *error)
{
  static char *command[] = {"/bin/sh", "-c", NULL, NULL};
  assert_ptr_equal(server, &kind);
  command[2] = script[prepared > 0];
  if (prepared == 0 && taken == 0) taken = listen_on(port);
  prepared++;
  if (strcmp(command[2], "refuse") != 0) return command;
  error_set(error, EXIT_CODE_SETUP, "there is nothing to start");
  return NULL;
}

static void on_probe(uv_timer_t *timer)
{
  if (never_answers)
    uv_timer_start(timer, on_probe, 20, 0);
  else
    supervisor_probed(&supervisor, unreachable);
}

static void probe(void *server)
{
  (void) server;
  probed++;
  uv_timer_start(&probing, on_probe, 20, 0);
}

static void probe_stop(void *server)
{
  (void) server;
  uv_timer_stop(&probing);
  supervisor_probed(&supervisor, NULL);
}

static void log_words(void *server, long start, char *out, size_t capacity)
{
  char path[128];
  (void) server;
  snprintf(path, sizeof path, "%s/server.log", folder);
  FILE *log = fopen(path, "re");
  assert_non_null(log);
  fseek(log, start, SEEK_SET);
  out[fread(out, 1, capacity - 1, log)] = '\0';
  out[strcspn(out, "\n")] = '\0';
  fclose(log);
}

static void on_answers(void *server)
{
  (void) server;
  answered++;
}

static void on_gone(void *server)
{
  (void) server;
  gone++;
}

static void on_died(void *server, const char *text)
{
  (void) server;
  died++;
  snprintf(how, sizeof how, "%s", text);
}

/* --- The rig ---------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct error *error)
{
  struct outcome *outcome = ctx;
  outcome->calls++;
  outcome->failed = error != NULL;
  if (error != NULL) outcome->error = *error;
}

static void on_closed(void *ctx)
{
  (*(unsigned *) ctx)++;
}

static void await(const unsigned *counter)
{
  uint64_t until = uv_hrtime() + PATIENCE_MS * 1000000ull;
  for (; *counter == 0 && uv_hrtime() < until; usleep(1000)) uv_run(&loop, UV_RUN_NOWAIT);
  if (*counter == 0) fail_msg("waited %d ms", PATIENCE_MS);
}

static void expect_success(struct outcome *outcome)
{
  await(&outcome->calls);
  if (outcome->failed) fail_msg("%s", outcome->error.text);
}

static void expect_failure(struct outcome *outcome, enum exit_code code, const char *sentence)
{
  await(&outcome->calls);
  assert_true(outcome->failed);
  assert_int_equal(outcome->error.code, code);
  assert_string_equal(outcome->error.text, sentence);
  assert_int_equal(supervisor.state, SUPERVISOR_STOPPED);
}

static int set_up(void **state)
{
  (void) state;
  strcpy(folder, "/tmp/fleetsim-server-XXXXXX");
  if (mkdtemp(folder) == NULL || uv_loop_init(&loop) != 0) return -1;
  uv_timer_init(&loop, &probing);
  strcpy(script[0], "exec sleep 600");
  strcpy(script[1], "exec sleep 600");
  prepared = probed = answered = gone = died = closed = 0;
  unreachable = NULL;
  never_answers = false;
  taken = -1;
  asked = 0;
  port = 0;
  if (ports_pick(NULL, 0, &port, NULL) != 0) return -1;
  kind = (struct supervisor_server){.name = "server",
                                    .folder = folder,
                                    .asked = &asked,
                                    .port = &port,
                                    .ports = 1,
                                    .ports_where = "in the test",
                                    .interrupted = "something else was asked for",
                                    .prepare = prepare,
                                    .probe = probe,
                                    .probe_stop = probe_stop,
                                    .log_words = log_words,
                                    .unexplained = "it is silent",
                                    .answers = on_answers,
                                    .gone = on_gone,
                                    .died = on_died,
                                    .server = &kind};
  supervisor_init(&supervisor, &loop, &kind);
  return 0;
}

static void close_supervisor(void)
{
  supervisor_close(&supervisor, on_closed, &closed);
  await(&closed);
  assert_int_equal(closed, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
  (void) st, (void) type, (void) where;
  return remove(path);
}

static int tear_down(void **state)
{
  (void) state;
  if (closed == 0) close_supervisor();
  if (taken >= 0) close(taken);
  uv_close((uv_handle_t *) &probing, NULL);
  uv_run(&loop, UV_RUN_NOWAIT);
  nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
  return uv_loop_close(&loop);
}

static void start(struct outcome *outcome)
{
  memset(outcome, 0, sizeof *outcome);
  supervisor_start(&supervisor, on_done, outcome);
  assert_int_equal(outcome->calls, 0);
}

static void start_well(void)
{
  struct outcome started;
  start(&started);
  expect_success(&started);
  assert_int_equal(supervisor.state, SUPERVISOR_RUNNING);
}

/* --- Starting --------------------------------------------------------------------------------- */

static void it_has_started_when_it_answers(void **state)
{
  (void) state;
  struct outcome started;
  start(&started);
  assert_int_equal(supervisor.state, SUPERVISOR_STARTING);
  assert_false(supervisor_is_up(&supervisor));
  expect_success(&started);
  assert_true(supervisor_is_up(&supervisor));
  assert_int_equal(prepared + probed + answered, 3);
}

static void one_that_ends_is_told_by_what_it_logged(void **state)
{
  (void) state;
  struct outcome started;
  char sentence[256];
  strcpy(script[0], "echo no such key; exit 3");
  never_answers = true;
  start(&started);
  snprintf(sentence, sizeof sentence,
           "server does not start: no such key (all of it: %s/server.log)", folder);
  expect_failure(&started, EXIT_CODE_SETUP, sentence);
  assert_int_equal(died, 0);
  assert_int_equal(gone, 1);
}

static void one_that_logs_nothing_is_told_by_its_exit_code(void **state)
{
  (void) state;
  struct outcome started;
  char sentence[256];
  strcpy(script[0], "exit 3");
  never_answers = true;
  start(&started);
  snprintf(sentence, sizeof sentence,
           "server does not start: server ended by itself with exit code 3: it is silent (all of "
           "it: %s/server.log)",
           folder);
  expect_failure(&started, EXIT_CODE_SETUP, sentence);
  assert_int_equal(supervisor.exit_status, 3);
}

static void one_that_does_not_answer_is_killed(void **state)
{
  (void) state;
  struct outcome started;
  unreachable = "nobody is there";
  start(&started);
  pid_t pid = supervisor.child.pid;
  expect_failure(&started, EXIT_CODE_SETUP, "nobody is there");
  assert_int_equal(kill(pid, 0), -1);
  assert_int_equal(supervisor.exit_signal, SIGKILL);
  unreachable = NULL;
  start_well();
}

static void what_cannot_be_prepared_is_not_started(void **state)
{
  (void) state;
  struct outcome started;
  strcpy(script[0], "refuse");
  start(&started);
  expect_failure(&started, EXIT_CODE_SETUP, "there is nothing to start");
  assert_int_equal(probed, 0);
  start_well();
}

/* --- Ports ------------------------------------------------------------------------------------ */

static void a_given_port_that_is_taken_is_an_error(void **state)
{
  (void) state;
  struct outcome started;
  char sentence[128];
  asked = port;
  taken = listen_on(port);
  start(&started);
  snprintf(sentence, sizeof sentence,
           "port %u is already in use: end what listens there or set another port in the test",
           port);
  expect_failure(&started, EXIT_CODE_SETUP, sentence);
  assert_int_equal(prepared, 0);
}

static void a_picked_port_that_is_taken_is_picked_anew(void **state)
{
  (void) state;
  uint16_t before = port;
  taken = listen_on(port);
  start_well();
  assert_int_not_equal(port, before);
  assert_int_equal(prepared, 1);
}

/* Whatever the server says of it. */
static void so_it_is_when_it_is_taken_while_the_server_starts(void **state)
{
  (void) state;
  uint16_t before = port;
  struct outcome started;
  strcpy(script[0], "echo in words that nobody knows; exit 1");
  taken = 0;
  never_answers = true;
  start(&started);
  while (prepared < 2) uv_run(&loop, UV_RUN_ONCE);
  never_answers = false;
  expect_success(&started);
  assert_int_not_equal(port, before);
  assert_int_equal(prepared, 2);
}

static void ports_that_others_know_stay(void **state)
{
  (void) state;
  struct outcome stopped = {0}, started;
  uint16_t before = port;
  kind.ports_stay = true;
  start_well();
  supervisor_stop(&supervisor, false, on_done, &stopped);
  expect_success(&stopped);
  taken = listen_on(port);
  strcpy(script[1], "exit 1");
  never_answers = true;
  start(&started);
  await(&started.calls);
  assert_true(started.failed);
  assert_int_equal(port, before);
}

/* --- Ending ----------------------------------------------------------------------------------- */

static void its_own_end_is_told_to_the_owner(void **state)
{
  (void) state;
  start_well();
  kill(supervisor.child.pid, SIGTERM);
  await(&died);
  assert_non_null(strstr(how, "server was ended by signal 15"));
  assert_int_equal(supervisor.state, SUPERVISOR_STOPPED);
  assert_int_equal(gone, 1);
  start_well();
}

static void its_exit_is_told_with_its_last_words(void **state)
{
  (void) state;
  strcpy(script[0], "sleep 0.1; echo out of luck; exit 4");
  start_well();
  await(&died);
  assert_string_equal(how, "server ended by itself with exit code 4: out of luck");
}

static void a_stop_ends_it_also_where_it_stands_still(void **state)
{
  (void) state;
  struct outcome stopped = {0};
  start_well();
  kill(supervisor.child.pid, SIGSTOP);
  supervisor_stop(&supervisor, false, on_done, &stopped);
  assert_int_equal(stopped.calls, 0);
  expect_success(&stopped);
  assert_int_equal(supervisor.exit_signal, SIGTERM);
  assert_int_equal(supervisor.state, SUPERVISOR_STOPPED);
  assert_int_equal(died, 0);
}

static void a_stop_of_what_is_stopped_is_done(void **state)
{
  (void) state;
  struct outcome stopped = {0};
  supervisor_stop(&supervisor, false, on_done, &stopped);
  assert_int_equal(stopped.calls, 0);
  expect_success(&stopped);
}

static void a_restart_is_done_when_it_answers_anew(void **state)
{
  (void) state;
  struct outcome restarted = {0};
  start_well();
  pid_t before = supervisor.child.pid;
  supervisor_stop(&supervisor, true, on_done, &restarted);
  expect_success(&restarted);
  assert_true(supervisor_is_up(&supervisor));
  assert_int_not_equal(supervisor.child.pid, before);
  assert_int_equal(answered, 2);
  assert_int_equal(died, 0);
}

static void a_stop_interrupts_a_start(void **state)
{
  (void) state;
  struct outcome started, stopped = {0};
  never_answers = true;
  start(&started);
  supervisor_stop(&supervisor, false, on_done, &stopped);
  assert_int_equal(started.calls, 0);
  expect_success(&stopped);
  assert_int_equal(started.calls, 1);
  assert_int_equal(started.error.code, EXIT_CODE_INTERRUPTED);
  assert_string_equal(started.error.text, "something else was asked for");
}

static void a_kill_is_no_death(void **state)
{
  (void) state;
  struct outcome killed = {0};
  start_well();
  supervisor_kill(&supervisor, on_done, &killed);
  expect_success(&killed);
  assert_int_equal(supervisor.exit_signal, SIGKILL);
  assert_int_equal(died, 0);
}

static void closing_interrupts_a_start_and_leaves_nothing(void **state)
{
  (void) state;
  struct outcome started;
  never_answers = true;
  start(&started);
  pid_t pid = supervisor.child.pid;
  close_supervisor();
  assert_int_equal(started.calls, 1);
  assert_int_equal(started.error.code, EXIT_CODE_INTERRUPTED);
  assert_int_equal(kill(pid, 0), -1);
}

static void one_that_closes_silently_tells_nobody(void **state)
{
  (void) state;
  struct outcome started;
  kind.closes_silently = never_answers = true;
  start(&started);
  close_supervisor();
  assert_int_equal(started.calls, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(it_has_started_when_it_answers),
      T(one_that_ends_is_told_by_what_it_logged),
      T(one_that_logs_nothing_is_told_by_its_exit_code),
      T(one_that_does_not_answer_is_killed),
      T(what_cannot_be_prepared_is_not_started),
      T(a_given_port_that_is_taken_is_an_error),
      T(a_picked_port_that_is_taken_is_picked_anew),
      T(so_it_is_when_it_is_taken_while_the_server_starts),
      T(ports_that_others_know_stay),
      T(its_own_end_is_told_to_the_owner),
      T(its_exit_is_told_with_its_last_words),
      T(a_stop_ends_it_also_where_it_stands_still),
      T(a_stop_of_what_is_stopped_is_done),
      T(a_restart_is_done_when_it_answers_anew),
      T(a_stop_interrupts_a_start),
      T(a_kill_is_no_death),
      T(closing_interrupts_a_start_and_leaves_nothing),
      T(one_that_closes_silently_tells_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
