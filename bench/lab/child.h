/* One client kind in a process of its own, as bench/client/main.c runs it: commands in, one line of JSON out. */
#ifndef FLEETSIM_BENCH_CHILD_H
#define FLEETSIM_BENCH_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/lab.h"

/* Zero it before use. */
struct child {
  const char *kind;
  pid_t pid; /* 0: none */
  int commands, answers;
};

/* See bench/client/main.c; cpu_us, wall_us and messages are the command's, the rest holds at its end. */
struct child_answer {
  size_t online, failed, lost;
  uint64_t messages, cpu_us, wall_us;
  double anonymous_kib;
  uint64_t remembered, computed; /* verifications; 0 where the kind does not tell */
  char version[64];              /* of the library under test */
};

/* Starts a client of `devices` devices on the lab's broker; `answer` is from before its first connect. Its standard
 * error is ours. After a failure too, child_end must follow. */
int child_start(struct child *child, const struct lab *lab, const char *kind, size_t devices,
                struct child_answer *answer, struct error *error);

/* Each waits for the end of the command, with a deadline well beyond what the command itself allows. */
int child_connect(struct child *child, size_t count, double rate, struct child_answer *answer, struct error *error);
int child_idle(struct child *child, double seconds, struct child_answer *answer, struct error *error);
int child_publish(struct child *child, int qos, double seconds, struct child_answer *answer, struct error *error);

/* Ends the process, whatever it is doing. */
void child_end(struct child *child);

#endif
