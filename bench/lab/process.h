/* A command that is run to its end, and what it cost. It does not outlive the bench. */
#ifndef FLEETSIM_BENCH_PROCESS_H
#define FLEETSIM_BENCH_PROCESS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/files.h"

struct process_cost {
  double wall_s, cpu_s; /* user and system, all threads, its own children too */
  double rss_mib;       /* peak resident memory */
  int exit_code;
};

/* `arguments` as execvp takes them; what it prints goes to the file `out_path`, both streams with `quiet`. -1: it could
 * not be run, was ended by a signal, or a signal asked for the bench's end (lab_interrupted). */
int process_run(char *const *arguments, const char *out_path, bool quiet, struct process_cost *out,
                struct error *error);

/* The executable NAME that was built beside the bench's own; "" as NAME: the bench itself. */
int process_beside(const char *name, char out[FILES_PATH_MAX], struct error *error);

#endif
