/* The JSON file of a bench: where, when and with what it ran, then what it measured. */
#ifndef FLEETSIM_BENCH_REPORT_H
#define FLEETSIM_BENCH_REPORT_H

#include <jansson.h>

#include "base/error.h"
#include "lab/options.h"
#include "lab/subject.h"

/* {bench, started, command, rounds, devices, machine: {cpu, cores, memory_mib, kernel}, versions:
 * {fleetsim}}; the bench adds its own keys. */
json_t *report_begin(const struct options *options, int argc, char **argv);

/* The version of the library `name`, or of the one that the client kind `name` stands on: of ours,
   that is Mbed TLS. */
void report_version(json_t *report, const char *name, const char *version);

/* `count` more connections of `kind` that did not come or stay online; 0 is reported as well. */
void report_failures(json_t *report, const char *kind, size_t count);

/* The same of the `devices` that `answer` is about; their names go to `failure_names`, and how long
 * the client itself kept them waiting to `longest_wait_ms`. */
void report_connections(json_t *report, const char *kind, size_t devices,
                        const struct subject_answer *answer);

/* Writes the file, says a failed measurement (-1 in `status`, with its sentence) or connections
 * that failed, and releases `report`. Returns the bench's exit code. After a failed measurement
 * nothing is written. */
int report_end(json_t *report, const struct options *options, int status,
               const struct error *error);

#endif
