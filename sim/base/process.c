/* What a caller can hand down to us unseen: closed standard descriptors, blocked or ignored
 * signals, core dumps that would hold keys. All is set right before the first thread; what cannot
 * be is told by an errno, since there may be nobody to read a sentence. */
#define _GNU_SOURCE
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"

static int open_standard_descriptors(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
      return errno; /* the lowest free number: fd */
  return 0;
}

static void default_signals(void)
{
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  (void) signal(SIGCHLD, SIG_DFL);
}

/* The limit does not hold for a core that is piped to a program; a process that is not dumpable has
 * none. A child's exec makes it dumpable again, so the filter, which is inherited, leaves all
 * memory out of its dump. */
static void forbid_core_dumps(void)
{
  int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter >= 0) {
    (void) !write(filter, "0", 1);
    close(filter);
  }
  (void) setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  (void) prctl(PR_SET_DUMPABLE, 0);
}

/* libuv aborts where the system refuses it a thread or a place in epoll. */
static void on_abort(int number)
{
  static const char sentence[] =
      "fleetsim: internal error: a call that must not fail has failed (no memory, no thread, or a "
      "fault of ours); there are no results of this run\n";
  (void) number;
  (void) !write(STDERR_FILENO, sentence, sizeof sentence - 1);
  _exit(EXIT_CODE_INTERNAL);
}

int process_prepare(void)
{
  int error = open_standard_descriptors();
  default_signals();
  (void) signal(SIGABRT, on_abort);
  forbid_core_dumps();
  return error;
}

int process_path(char out[FILES_PATH_MAX])
{
  ssize_t size = readlink("/proc/self/exe", out, FILES_PATH_MAX);
  if (size <= 0 || size == FILES_PATH_MAX) return -1;
  out[size] = '\0';
  return 0;
}

uint64_t process_resident_bytes(void)
{
  char line[128];
  FILE *file = fopen("/proc/self/statm", "re");
  if (file == NULL) return 0;
  bool read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  char *resident = read ? strchr(line, ' ') : NULL; /* the second number, in pages */
  return resident == NULL ? 0 : strtoull(resident, NULL, 10) * (uint64_t) sysconf(_SC_PAGESIZE);
}
