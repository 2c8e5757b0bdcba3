/* What a run has recorded, recorded once more with nothing beside it: so that its CPU time is known to a part of a
 * percent of a run's, which changes by several from run to run. */
#ifndef FLEETSIM_BENCH_REPLAY_H
#define FLEETSIM_BENCH_REPLAY_H

#include <stddef.h>

#include "base/error.h"

/* The lines of its list of events. */
struct replay_lines {
  size_t online, offline, failed, others, bytes;
};

struct replay_cost { /* CPU seconds */
  double events, series, results;
  double documents; /* of the live page, two a second */
  double bytes;     /* of the lines that it wrote, of those of the run */
};

/* Counts what the run in `folder` has left. */
int replay_count(const char *folder, struct replay_lines *out, struct error *error);

/* Writes as many lines of the same kinds into `folder`, as evenly as they come in `seconds`; keeps a series by the
 * run's beats; writes results, junit.xml and the page at the end. */
int replay(const char *folder, const struct replay_lines *lines, size_t devices, double seconds,
           struct replay_cost *out, struct error *error);

#endif
