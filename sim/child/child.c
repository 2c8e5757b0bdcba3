/* fork; in the child: default signals, the parent-death signal and a look at the parent,
 * descriptors, exec. A pipe that exec closes brings errno back where that fails. Between fork and
 * exec only async-signal-safe calls: other threads may have held any lock. */
#define _GNU_SOURCE
#include "child/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/family.h"

enum { LOOK_MS = 20, NOT_FOUND = 127, FAMILY_MS = 2000, READ_END = 0, WRITE_END = 1 };

struct pipes {
  int error[2], life[2]; /* life: only for a group, else -1; a pair of sockets */
};

static void block_signals(sigset_t *old)
{
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, old);
}

static void reset_signals(void)
{
  sigset_t none;
  struct sigaction usual = {.sa_handler = SIG_DFL};
  for (int number = 1; number < NSIG; number++) (void) sigaction(number, &usual, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_bind(pid_t parent)
{
  reset_signals();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0); /* it was faster */
}

/* --- The child -------------------------------------------------------------------------------- */

static _Noreturn void give_up(int error_end)
{
  int error = errno;
  (void) !write(error_end, &error, sizeof error);
  _exit(NOT_FOUND);
}

/* Where it has its 0, 1 and 2 from. False: errno says why not. */
static bool connect_streams(const struct child_options *options)
{
  int input = options->input > 0 ? options->input : open("/dev/null", O_RDWR | O_CLOEXEC);
  int errors = options->errors > 0 ? options->errors : options->output;
  return input >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
         (errors < 0 || dup2(errors, STDERR_FILENO) >= 0) &&
         (options->output < 0 || dup2(options->output, STDOUT_FILENO) >= 0);
}

static _Noreturn void become(const struct child_options *options, int error_end)
{
  if (!connect_streams(options)) give_up(error_end);
  close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  if (options->folder != NULL && chdir(options->folder) != 0) give_up(error_end);
  if (!options->keeps_umask) umask(077);
  execve(options->file, options->arguments,
         options->environment != NULL ? options->environment : environ);
  give_up(error_end);
}

/* The keeper of a group: ends as the command ends, and ends the group when the life pipe does. What
 * is sent to the whole group, or to all who are named as we are, is for the command: the keeper
 * blocks it, and goes by another name. */
static _Noreturn void mirror(int status)
{
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  reset_signals();
  kill(getpid(), WTERMSIG(status));
  _exit(128 + WTERMSIG(status));
}

static void end_family_of_command(int life)
{
  family_wait(life, FAMILY_MS);
  unsigned left = family_end();
  (void) send(life, &left, sizeof left, MSG_NOSIGNAL);
}

static _Noreturn void keep(pid_t command, int life, bool whole)
{
  int pidfd = (int) syscall(SYS_pidfd_open, command, 0);
  struct pollfd ends[2] = {{.fd = life, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
  for (;;) {
    int status;
    pid_t gone = waitpid(command, &status, WNOHANG);
    if (gone == command && whole) end_family_of_command(life);
    if (gone == command) mirror(status);
    if (poll(ends, 2, pidfd >= 0 ? -1 : LOOK_MS) <= 0 || ends[0].revents == 0) continue;
    if (!whole) kill(0, SIGKILL);
    (void) family_end();
    _exit(128 + SIGKILL);
  }
}

static _Noreturn void be_group(const struct child_options *options, const struct pipes *pipes)
{
  struct pollfd life = {.fd = pipes->life[READ_END], .events = POLLIN};
  pid_t keeper = getpid();
  setpgid(0, 0);
  prctl(PR_SET_NAME, "hook keeper");
  close(pipes->life[WRITE_END]);
  if (poll(&life, 1, 0) > 0) _exit(0); /* our parent is gone already */
  if (options->whole) family_adopt();
  pid_t command = fork();
  if (command == 0) {
    child_bind(keeper);
    become(options, pipes->error[WRITE_END]);
  }
  if (command < 0) give_up(pipes->error[WRITE_END]);
  child_close_others(&life.fd, 1);
  keep(command, life.fd, options->whole);
}

/* --- The parent ------------------------------------------------------------------------------- */

static void close_both(int ends[2])
{
  for (int i = 0; i < 2; i++)
    if (ends[i] >= 0) close(ends[i]);
  ends[0] = ends[1] = -1;
}

static int open_pipes(struct pipes *pipes, bool group)
{
  *pipes = (struct pipes){.error = {-1, -1}, .life = {-1, -1}};
  if (pipe2(pipes->error, O_CLOEXEC) != 0) return -errno;
  if (!group || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes->life) == 0) return 0;
  int error = errno;
  close_both(pipes->error);
  return -error;
}

/* 0 once exec has closed the pipe, else what went wrong. */
static int read_error(int end)
{
  int error = 0;
  ssize_t n;
  do n = read(end, &error, sizeof error);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t) sizeof error ? -error : 0;
}

static pid_t fork_child(const struct child_options *options, const struct pipes *pipes)
{
  sigset_t old;
  pid_t parent = getpid();
  block_signals(&old);
  pid_t pid = fork();
  int error = errno;
  if (pid == 0 && options->group) be_group(options, pipes);
  if (pid == 0) {
    child_bind(parent);
    become(options, pipes->error[WRITE_END]);
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (pid > 0 && options->group) setpgid(pid, pid); /* both do: whoever is first */
  errno = error;
  return pid;
}

int child_wait(pid_t pid)
{
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/* A group whose keeper or command was killed ends whole. It is not reaped yet: nobody else has its
   number. */
static void end_group(pid_t keeper)
{
  siginfo_t how = {.si_code = CLD_EXITED};
  if (waitid(P_PID, (id_t) keeper, &how, WEXITED | WNOWAIT) == 0 && how.si_code != CLD_EXITED)
    kill(-keeper, SIGKILL);
}

static void on_end(uv_poll_t *poll, int error, int events)
{
  (void) error, (void) events;
  struct child *child = (struct child *) ((char *) poll - offsetof(struct child, end));
  uv_poll_stop(poll);
  child->alive = false;
  if (child->group) end_group(child->pid);
  if (child->whole) (void) recv(child->life, &child->left, sizeof child->left, MSG_DONTWAIT);
  int status = child_wait(child->pid);
  child->ended(child, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* From here on the child runs: what fails ends it. */
static int watch(uv_loop_t *loop, struct child *child)
{
  int status = 0;
  child->pidfd = (int) syscall(SYS_pidfd_open, child->pid, 0);
  if (child->pidfd < 0) status = -errno;
  if (status == 0) status = uv_poll_init(loop, &child->end, child->pidfd);
  if (status == 0) {
    uv_poll_start(&child->end, UV_READABLE, on_end);
    return 0;
  }
  if (child->pidfd >= 0) close(child->pidfd);
  return status;
}

/* A child that exec has become; what fails has left nothing. */
static int start(const struct child_options *options, struct pipes *pipes, pid_t *pid)
{
  int status = open_pipes(pipes, options->group);
  if (status != 0) return status;
  *pid = fork_child(options, pipes);
  status = *pid < 0 ? -errno : 0;
  close(pipes->error[WRITE_END]);
  pipes->error[WRITE_END] = -1;
  if (status == 0) status = read_error(pipes->error[READ_END]);
  if (status != 0 && *pid > 0) (void) child_wait(*pid);
  if (status != 0) close_both(pipes->life);
  close_both(pipes->error);
  return status;
}

int child_spawn(uv_loop_t *loop, struct child *child, const struct child_options *options,
                void (*ended)(struct child *child, int status, int signal_number))
{
  struct pipes pipes;
  child->alive = false;
  int status = start(options, &pipes, &child->pid);
  if (status != 0) return status;
  child->group = options->group;
  child->whole = options->group && options->whole;
  child->left = 0;
  child->alive = true;
  status = watch(loop, child);
  if (status != 0) {
    kill(child->group ? -child->pid : child->pid, SIGKILL);
    (void) child_wait(child->pid);
    child->alive = false;
  }
  child->life = pipes.life[WRITE_END];
  if (status == 0) pipes.life[WRITE_END] = -1;
  close_both(pipes.life);
  child->ended = ended;
  return status;
}

pid_t child_start(const struct child_options *options)
{
  struct pipes pipes;
  pid_t pid;
  assert(!options->group);
  int status = start(options, &pipes, &pid);
  return status == 0 ? pid : status;
}

pid_t child_fork(void)
{
  sigset_t old;
  pid_t parent = getpid();
  block_signals(&old);
  pid_t pid = fork();
  int status = pid < 0 ? -errno : pid;
  if (pid == 0) {
    child_bind(parent);
    return 0;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return status;
}

static int by_number(const void *a, const void *b)
{
  return *(const int *) a - *(const int *) b;
}

void child_close_others(int *kept, size_t count)
{
  unsigned from = STDERR_FILENO + 1;
  qsort(kept, count, sizeof *kept, by_number);
  for (size_t i = 0; i < count; i++) {
    if ((unsigned) kept[i] > from) close_range(from, (unsigned) kept[i] - 1, 0);
    from = (unsigned) kept[i] + 1;
  }
  close_range(from, ~0u, 0);
}

/* The keeper ends its family, and may have been stopped with its group. */
static void end_whole(struct child *child)
{
  (void) shutdown(child->life, SHUT_WR);
  kill(-child->pid, SIGCONT);
}

void child_kill(struct child *child, int number)
{
  if (child->alive && child->whole && number == SIGKILL)
    end_whole(child);
  else if (child->alive)
    kill(child->group ? -child->pid : child->pid, number);
}

static void on_closed(uv_handle_t *handle)
{
  struct child *child = (struct child *) ((char *) handle - offsetof(struct child, end));
  child->closed(child);
}

void child_close(struct child *child, void (*closed)(struct child *child))
{
  child->closed = closed;
  uv_close((uv_handle_t *) &child->end, on_closed);
  close(child->pidfd);
  if (child->life >= 0) close(child->life);
}
