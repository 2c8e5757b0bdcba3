/* A command that is run to its end, and what it cost. It does not outlive the bench. */
#ifndef FLEETSIM_BENCH_PROCESS_H
#define FLEETSIM_BENCH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/files.h"

struct process_cost {
  double wall_s, cpu_s; /* user and system, all threads, its own children too */
  double rss_mib;       /* peak resident memory */
  int exit_code;
};

/* A look at it while it runs, every so often; `at_s` is from its start. */
struct process_watch {
  double every_s;
  void (*look)(void *ctx, pid_t pid, double at_s);
  void *ctx;
};

/* `arguments` as execvp takes them; what it prints goes to the file `out_path`, both streams with
 * `quiet`; `watch` may be NULL. -1: it could not be run, was ended by a signal, or a signal asked
 * for the bench's end (lab_interrupted). */
int process_run(char *const *arguments, const char *out_path, bool quiet,
                const struct process_watch *watch, struct process_cost *out, struct error *error);

struct process_memory {
  double anonymous_kib, resident_kib; /* the second with what is of files */
};

/* What is resident of a process now. -1: there is no such process. */
int process_memory(pid_t pid, struct process_memory *out);

/* The executable NAME that was built beside the bench's own; "" as NAME: the bench itself. */
int process_beside(const char *name, char out[FILES_PATH_MAX], struct error *error);

#endif
