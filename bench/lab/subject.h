/* One client kind in a process of its own, as bench/client/main.c runs it: commands in, one line of
   JSON out. */
#ifndef FLEETSIM_BENCH_SUBJECT_H
#define FLEETSIM_BENCH_SUBJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/lab.h"

/* Zero it before use. */
struct subject {
  const char *kind;
  uint16_t port; /* where its devices connect to; 0: the lab's broker */
  pid_t pid;     /* 0: none */
  int commands, answers;
};

/* A distribution in milliseconds; zeros where the kind does not tell. */
struct subject_times {
  double p50, p99, max;
};

#define SUBJECT_FAILURES_MAX 8

/* Connections that ended for one reason. */
struct subject_failure {
  char name[48];
  size_t count;
};

/* See bench/client/main.c; cpu_us, wall_us and messages are the command's, the rest holds at its
   end. */
struct subject_answer {
  size_t online, failed, lost;
  uint64_t messages, cpu_us, wall_us;
  double anonymous_kib;
  uint64_t remembered, computed;    /* verifications; 0 where the kind does not tell */
  struct subject_times device_ms;   /* modelled handshakes */
  struct subject_times lateness_ms; /* of paced devices */
  char version[64];                 /* of the library under test */
  /* that the client kept its own sockets waiting, or was kept from running */
  double longest_wait_ms;
  /* of kinds that tell: how connections ended, the first names */
  struct subject_failure failure[SUBJECT_FAILURES_MAX];
  size_t failure_names;
};

/* Connections on their way at once that no broker drops for want of room: mosquitto listens with a
   backlog of 100. */
#define SUBJECT_AT_MOST 100u

/* Starts a client of `devices` devices on the lab's broker; `answer` is from before its first
 * connect. Its standard error is ours. After a failure too, subject_end must follow. */
int subject_start(struct subject *subject, const struct lab *lab, const char *kind, size_t devices,
                  struct subject_answer *answer, struct error *error);

/* Each waits for the end of the command, with a deadline well beyond what the command itself
 * allows. `at_most` connections are on their way at once, so that a broker slower than `rate` is
 * met with what it takes; 0: any number.
 */
int subject_connect(struct subject *subject, size_t count, double rate, size_t at_most,
                    struct subject_answer *answer, struct error *error);
int subject_idle(struct subject *subject, double seconds, struct subject_answer *answer,
                 struct error *error);
int subject_publish(struct subject *subject, int qos, double seconds, struct subject_answer *answer,
                    struct error *error);

/* Ends the process, whatever it is doing. */
void subject_end(struct subject *subject);

#endif
