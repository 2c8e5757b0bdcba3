/* A child process whose end is tied to ours: however this process ends, SIGKILL included, the child
 * is ended too.
 *
 * The kernel's parent-death signal does it, and a look at the parent afterwards: who dies between
 * fork and prctl would be missed otherwise. A `group` (a shell command that starts others) gets a
 * keeper in between: it sees the end of this process by a pipe and ends the whole process group.
 *
 * A child starts with default signals, none blocked, no descriptor but 0, 1 and 2. Its end is seen
 * by a pidfd: it needs no SIGCHLD. Linux 5.11 or later. To be used on the thread that lives as long
 * as the process.
 */
#ifndef FLEETSIM_CHILD_H
#define FLEETSIM_CHILD_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct child_options {
  const char *file;         /* absolute path */
  char *const *arguments;   /* NULL-terminated, with the name of the program first */
  char *const *environment; /* NULL: ours */
  const char *folder;       /* working directory; NULL: ours */
  int input;                /* becomes 0; 0: it has /dev/null there */
  int output;               /* becomes 1 and 2; -1: ours stay */
  int errors;               /* becomes 2; 0: as `output` says */
  bool group;               /* what it starts ends with it */
  bool
      whole; /* of a group: also what has left it for a session of its own; such have two seconds to end
               * behind the command, and are ended then */
  bool keeps_umask; /* false: 077, as for everything that lies beside keys */
};

struct child {
  pid_t pid; /* of a group: also its process group */
  int pidfd, life;
  bool alive, group, whole;
  unsigned left; /* of `whole`: so many outlived the command by more than that, and were ended */
  uv_poll_t end;
  void (*ended)(struct child *child, int status, int signal_number); /* one of them is 0 */
  void (*closed)(struct child *child);
  void *data; /* the caller's */
};

/* 0, or a UV_ error: nothing is open then. `ended` is called once, from the loop. `child->data` is
   left alone. */
int child_spawn(uv_loop_t *loop, struct child *child, const struct child_options *options,
                void (*ended)(struct child *child, int status, int signal_number));

/* The same without a loop, and never as a group: its pid, which the caller waits for, or a UV_
   error. */
pid_t child_start(const struct child_options *options);

/* Waits for one of child_start or child_fork; the status as of waitpid. */
int child_wait(pid_t pid);

/* A copy of this process, its end tied to ours: 0 there, with default signals; a UV_ error where
   it cannot be made. */
pid_t child_fork(void);

/* In such a copy: closes every descriptor above 2 that is none of `kept`, which are put in order.
   A socket ends only when its last descriptor does. */
void child_close_others(int *kept, size_t count);

/* Nothing where it has ended. A group gets the signal as a whole. */
void child_kill(struct child *child, int number);

/* After `ended`: gives the handle back; `closed` comes from the loop. */
void child_close(struct child *child, void (*closed)(struct child *child));

/* In a process that was just forked with all signals blocked: default signals, none blocked, and
 * the end tied to that of `parent`; exits if that is gone already. Async-signal-safe. */
void child_bind(pid_t parent);

#endif
