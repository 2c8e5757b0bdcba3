/* A process that leaves its group, or its session, still has a parent: the kernel gives orphans to the
 * nearest ancestor that asked for them, and tells who its children are. One that cannot be ended (it
 * waits for a disk) is left after two seconds. */
#define _GNU_SOURCE
#include "child/family.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUND_MS = 10, ROUNDS = 200 };

void family_adopt(void)
{
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* False: nobody is left. */
static bool reap(unsigned *count)
{
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) ++*count;
  return pid == 0;
}

void family_wait(int life, int ms)
{
  unsigned count = 0;
  struct pollfd end = {.fd = life, .events = POLLIN};
  for (; ms > 0 && reap(&count); ms -= ROUND_MS)
    if (poll(&end, 1, ROUND_MS) > 0) return;
}

/* "12 345 6 ", as much of it as there is; more come in the next round. */
static void kill_children(void)
{
  char text[4096];
  int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  ssize_t size = fd >= 0 ? read(fd, text, sizeof text) : 0;
  pid_t pid = 0;
  if (fd >= 0) close(fd);
  for (ssize_t i = 0; i < size; i++) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (!digit && pid > 1) kill(pid, SIGKILL);
    pid = digit ? pid * 10 + (text[i] - '0') : 0;
  }
}

unsigned family_end(void)
{
  unsigned count = 0, before = 0;
  if (!reap(&before)) return 0;
  for (int round = 0; round < ROUNDS; round++) {
    kill_children();
    (void) poll(NULL, 0, ROUND_MS);
    if (!reap(&count)) break;
  }
  return count;
}
