/* kill_after_spawn NTH DELAY_US PROGRAM ARGUMENT...: runs the program and sends it SIGKILL so long
 * after its main thread has made its NTH child. Its children go on untraced. Exit code 0: killed;
 * 3: the program ended before. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(char **arguments)
{
  pid_t pid = fork();
  if (pid != 0) return pid;
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(4);
  raise(SIGSTOP);
  execvp(arguments[0], arguments);
  _exit(4);
}

static void let_go(pid_t child)
{
  int status;
  if (waitpid(child, &status, __WALL) == child) ptrace(PTRACE_DETACH, child, 0, 0);
}

int main(int argc, char **argv)
{
  if (argc < 4) return 2;
  int nth = atoi(argv[1]), status, seen = 0;
  useconds_t delay_us = (useconds_t) atoi(argv[2]);
  pid_t pid = start(argv + 3);
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return 4;
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, pid, 0, 0);
  while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    int event = status >> 16;
    unsigned long child = 0;
    int number = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
      let_go((pid_t) child);
      seen++;
    }
    ptrace(PTRACE_CONT, pid, 0, number);
    if (seen < nth) continue;
    usleep(delay_us);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return 0;
  }
  fprintf(stderr, "the program ended after %d children\n", seen);
  return 3;
}
