/* A child ends with us, whenever and however we end, and with it what it started. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child/child.h"

enum { PATIENCE_MS = 10000, KILLS = 40 };

static uv_loop_t loop;
static struct child child;
static int ends[2], status_seen, signal_seen;
static bool ended, closed;

static void on_ended(struct child *process, int status, int number)
{
  assert_ptr_equal(process, &child);
  ended = true;
  status_seen = status;
  signal_seen = number;
}

static void on_closed(struct child *process)
{
  (void) process;
  closed = true;
}

static bool whole;

static int spawn(const char *command, bool group, bool keeps_umask)
{
  char *arguments[] = {"/bin/sh", "-c", (char *) (uintptr_t) command, NULL};
  const struct child_options options = {.file = "/bin/sh",
                                        .arguments = arguments,
                                        .output = ends[1],
                                        .group = group,
                                        .whole = whole,
                                        .keeps_umask = keeps_umask};
  return child_spawn(&loop, &child, &options, on_ended);
}

static void await(const bool *flag)
{
  uint64_t until = uv_hrtime() / 1000000 + PATIENCE_MS;
  while (!*flag && uv_hrtime() / 1000000 < until) {
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  assert_true(*flag);
}

/* What the child printed, once it has ended. */
static void await_end(char *out, size_t size)
{
  await(&ended);
  child_close(&child, on_closed);
  await(&closed);
  close(ends[1]);
  ends[1] = -1;
  ssize_t n = read(ends[0], out, size - 1);
  out[n > 0 ? n : 0] = '\0';
}

static int set_up(void **state)
{
  (void) state;
  ended = closed = false;
  memset(&child, 0, sizeof child);
  return uv_loop_init(&loop) != 0 || pipe2(ends, O_CLOEXEC) != 0;
}

static int tear_down(void **state)
{
  (void) state;
  uv_run(&loop, UV_RUN_NOWAIT);
  for (int i = 0; i < 2; i++)
    if (ends[i] >= 0) close(ends[i]);
  return uv_loop_close(&loop);
}

static void tells_how_it_ended(void **state)
{
  (void) state;
  char text[64];
  assert_int_equal(spawn("echo to both >&2; exit 7", false, false), 0);
  await_end(text, sizeof text);
  assert_int_equal(status_seen, 7);
  assert_int_equal(signal_seen, 0);
  assert_string_equal(text, "to both\n");
}

static void tells_which_signal_ended_it_also_through_a_group(void **state)
{
  (void) state;
  char text[64];
  assert_int_equal(spawn("kill -KILL $$", true, false), 0);
  await_end(text, sizeof text);
  assert_int_equal(signal_seen, SIGKILL);
}

static void a_program_that_cannot_run_is_an_error_and_leaves_nothing(void **state)
{
  (void) state;
  char *arguments[] = {"/nowhere/at-all", NULL};
  const struct child_options options = {.file = arguments[0], .arguments = arguments, .output = -1};
  assert_int_equal(child_spawn(&loop, &child, &options, on_ended), UV_ENOENT);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  const struct child_options group = {
      .file = arguments[0], .arguments = arguments, .output = -1, .group = true};
  assert_int_equal(child_spawn(&loop, &child, &group, on_ended), UV_ENOENT);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A mask or an ignored signal of ours would make it deaf: to SIGTERM, to Ctrl-C, to its own
   children. */
static void starts_with_default_signals_and_no_descriptor_of_ours(void **state)
{
  (void) state;
  char text[512];
  sigset_t all, old;
  int leaked = dup(ends[0]);
  sigfillset(&all);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  sigprocmask(SIG_SETMASK, &all, &old);
  assert_int_equal(
      spawn("grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l", false, false),
      0);
  sigprocmask(SIG_SETMASK, &old, NULL);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGUSR1, SIG_DFL);
  await_end(text, sizeof text);
  close(leaked);
  /* 0, 1, 2 and the folder that ls reads */
  assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\n");
}

static void only_a_hook_keeps_our_umask(void **state)
{
  (void) state;
  char text[64];
  mode_t old = umask(022);
  assert_int_equal(spawn("umask", false, false), 0);
  await_end(text, sizeof text);
  umask(old);
  assert_string_equal(text, "0077\n");
}

static void its_end_is_seen_although_sigchld_is_blocked_or_ignored(void **state)
{
  (void) state;
  char text[64];
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  assert_int_equal(spawn("exit 3", false, false), 0);
  await_end(text, sizeof text);
  sigprocmask(SIG_SETMASK, &old, NULL);
  assert_int_equal(status_seen, 3);
}

static void one_without_a_loop_has_the_streams_it_is_given(void **state)
{
  (void) state;
  int in[2], errors[2];
  char text[64] = "";
  char *arguments[] = {"/bin/sh", "-c", "cat; echo beside >&2; exit 5", NULL};
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
  const struct child_options options = {.file = "/bin/sh",
                                        .arguments = arguments,
                                        .input = in[0],
                                        .output = ends[1],
                                        .errors = errors[1]};
  pid_t pid = child_start(&options);
  assert_true(pid > 0);
  close(in[0]);
  close(errors[1]);
  assert_int_equal(write(in[1], "through", 7), 7);
  close(in[1]);
  assert_int_equal(WEXITSTATUS(child_wait(pid)), 5);
  assert_int_equal(read(ends[0], text, sizeof text), 7);
  assert_memory_equal(text, "through", 7);
  assert_int_equal(read(errors[0], text, sizeof text), 7);
  assert_memory_equal(text, "beside\n", 7);
  close(errors[0]);
}

static void one_without_a_loop_that_cannot_run_is_an_error_and_leaves_nothing(void **state)
{
  (void) state;
  char *arguments[] = {"/nowhere/at-all", NULL};
  const struct child_options options = {.file = arguments[0], .arguments = arguments, .output = -1};
  assert_int_equal(child_start(&options), UV_ENOENT);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The ends of a pipe that it keeps and that it does not. */
static void a_copy_closes_all_but_what_it_keeps(void **state)
{
  (void) state;
  pid_t pid = child_fork();
  if (pid == 0) {
    int kept[] = {ends[1]};
    child_close_others(kept, 1);
    bool closed_other = fcntl(ends[0], F_GETFD) < 0;
    _exit(closed_other && write(ends[1], "kept", 4) == 4 ? 0 : 1);
  }
  assert_int_equal(child_wait(pid), 0);
}

/* Its parent died between fork and the parent-death signal: no signal will come. */
/* What pkill does to all of our name reaches the keeper of a group, too. */
static void a_signal_for_its_keeper_does_not_end_a_group(void **state)
{
  (void) state;
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1};
  char text[64];
  assert_int_equal(spawn("echo begun; sleep 0.3; echo done; exit 3", true, false), 0);
  assert_int_equal(read(ends[0], text, sizeof text), 6);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) kill(child.pid, signals[i]);
  await_end(text, sizeof text);
  assert_string_equal(text, "done\n");
  assert_int_equal(status_seen, 3);
  assert_int_equal(signal_seen, 0);
}

/* What it started as well: the end of the pipe says that nobody is left. */
static void a_group_ends_with_its_keeper(void **state)
{
  (void) state;
  char text[64];
  assert_int_equal(spawn("sleep 600 & echo begun; sleep 600", true, false), 0);
  assert_int_equal(read(ends[0], text, sizeof text), 6);
  kill(child.pid, SIGKILL);
  alarm(PATIENCE_MS / 1000);
  await_end(text, sizeof text);
  alarm(0);
  assert_string_equal(text, "");
  assert_int_equal(signal_seen, SIGKILL);
}

static int set_up_whole(void **state)
{
  whole = true;
  return set_up(state);
}

static int tear_down_whole(void **state)
{
  whole = false;
  return tear_down(state);
}

/* With all of them the pipe ends. */
static void what_has_left_a_whole_group_ends_behind_it(void **state)
{
  (void) state;
  char text[64];
  assert_int_equal(
      spawn("setsid sleep 600 & (setsid sh -c 'setsid sleep 600 & sleep 600' &); exit 3", true,
            false),
      0);
  alarm(PATIENCE_MS / 1000);
  await_end(text, sizeof text);
  alarm(0);
  assert_string_equal(text, "");
  assert_int_equal(status_seen, 3);
  assert_int_equal(child.left, 4);
}

static void what_ends_soon_behind_the_command_is_not_ended(void **state)
{
  (void) state;
  char text[64];
  assert_int_equal(spawn("(setsid sh -c 'sleep 0.5; echo late' &); exit 4", true, false), 0);
  await_end(text, sizeof text);
  assert_string_equal(text, "late\n");
  assert_int_equal(status_seen, 4);
  assert_int_equal(child.left, 0);
}

static void a_whole_group_is_killed_whole(void **state)
{
  (void) state;
  static const char *const commands[] = {"setsid sleep 600 & echo begun; sleep 600",
                                         "setsid sleep 600 & echo begun; kill -STOP 0; sleep 600"};
  for (size_t i = 0; i < 2; i++) {
    char text[64];
    if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
    assert_int_equal(spawn(commands[i], true, false), 0);
    assert_int_equal(read(ends[0], text, sizeof text), 6);
    usleep(100000);
    child_kill(&child, SIGKILL);
    alarm(PATIENCE_MS / 1000);
    await_end(text, sizeof text);
    alarm(0);
    assert_string_equal(text, "");
  }
}

static void who_finds_another_parent_than_its_own_ends_at_once(void **state)
{
  (void) state;
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    child_bind(getpid());
    _exit(9);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

/* Killed before, while and after the child is made; what is left would still hold the pipe's
   end. */
enum manner { AS_CHILD, AS_GROUP, WITHOUT_LOOP, AS_COPY };

static void end_us(enum manner manner, unsigned delay_us)
{
  int life[2];
  char byte;
  assert_int_equal(pipe2(life, 0), 0);
  pid_t us = fork();
  if (us == 0) {
    bool group = manner == AS_GROUP;
    char *arguments[] = {"/bin/sh", "-c", group ? "sleep 600 & sleep 600" : "exec sleep 600", NULL};
    const struct child_options options = {
        .file = "/bin/sh", .arguments = arguments, .output = life[1], .group = group};
    close(life[0]);
    if (manner == AS_COPY && child_fork() < 0) _exit(1);
    if (manner == WITHOUT_LOOP && child_start(&options) < 0) _exit(1);
    if ((manner == AS_CHILD || group) &&
        (uv_loop_init(&loop) != 0 || child_spawn(&loop, &child, &options, on_ended) != 0))
      _exit(1);
    for (;;) pause();
  }
  close(life[1]);
  usleep(delay_us);
  kill(us, SIGKILL);
  waitpid(us, NULL, 0);
  alarm(PATIENCE_MS / 1000);
  assert_int_equal(read(life[0], &byte, 1), 0);
  alarm(0);
  close(life[0]);
}

static void ends_when_we_are_killed_at_any_moment_of_its_start(void **state)
{
  (void) state;
  for (unsigned i = 0; i < KILLS; i++) end_us(AS_CHILD, i * 100);
}

static void a_group_ends_with_us_and_all_that_it_started(void **state)
{
  (void) state;
  for (unsigned i = 0; i < KILLS; i++) end_us(AS_GROUP, i * 200);
}

static void so_do_one_without_a_loop_and_a_copy(void **state)
{
  (void) state;
  for (unsigned i = 0; i < KILLS; i++) end_us(i % 2 == 0 ? WITHOUT_LOOP : AS_COPY, i * 100);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define W(name) cmocka_unit_test_setup_teardown(name, set_up_whole, tear_down_whole)
  const struct CMUnitTest tests[] = {
      T(tells_how_it_ended),
      T(tells_which_signal_ended_it_also_through_a_group),
      T(a_signal_for_its_keeper_does_not_end_a_group),
      T(a_group_ends_with_its_keeper),
      T(a_program_that_cannot_run_is_an_error_and_leaves_nothing),
      T(starts_with_default_signals_and_no_descriptor_of_ours),
      T(only_a_hook_keeps_our_umask),
      T(its_end_is_seen_although_sigchld_is_blocked_or_ignored),
      T(one_without_a_loop_has_the_streams_it_is_given),
      T(one_without_a_loop_that_cannot_run_is_an_error_and_leaves_nothing),
      T(a_copy_closes_all_but_what_it_keeps),
      T(who_finds_another_parent_than_its_own_ends_at_once),
      T(ends_when_we_are_killed_at_any_moment_of_its_start),
      T(so_do_one_without_a_loop_and_a_copy),
      T(a_group_ends_with_us_and_all_that_it_started),
      W(what_has_left_a_whole_group_ends_behind_it),
      W(what_ends_soon_behind_the_command_is_not_ended),
      W(a_whole_group_is_killed_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
