/* A gauntlet: every case, in every version of TLS that it has, against one client, several at once.
 *
 * The control case comes first, in each version: a client that refuses a good server proves nothing
 * by refusing bad ones, so the rest of that version is not run then.
 */
#ifndef FLEETSIM_GAUNTLET_H
#define FLEETSIM_GAUNTLET_H

#include "gauntlet/trial.h"

#define GAUNTLET_JOBS_MAX 64u

struct gauntlet_options {
  const struct cases *cases;
  const char *const *wanted; /* ids, or patterns of them; `wanted_count` 0: all of them */
  size_t wanted_count;
  unsigned versions;           /* a bit each: 1 << 10 .. 1 << 13; 0: those of the cases */
  unsigned layers;             /* a bit each: 1 << CASE_TLS ..; 0: all of them */
  enum case_severity severity; /* cases of this one and above */
  const char *host;            /* what the client calls its server; NULL: as written */
  const char *command;         /* NULL: our own device */
  const char *folder;          /* for files that a command is given; 0700, the caller's */
  unsigned jobs;               /* trials at once */
  /* how long a client is watched from when it has shown what it does; 0: one that was content for 1 s,
   * one that has refused until it ends */
  uint32_t linger_ms;
  uint32_t patience_ms;
  /* called as trials end, may be NULL */
  void (*progress)(void *ctx, const struct report *report, size_t done);
  void *ctx;
};

/* Runs to the end on a loop of its own, which SIGINT and SIGTERM end early: what was seen until then
 * is in the report. 0, or -1: USAGE (no such case), SETUP. To be freed in both cases. */
int gauntlet_run(const struct gauntlet_options *options, struct report *out, struct error *error);

/* The trials of such a gauntlet, in their order: the control first. 0, or -1 (USAGE: no such case, or
 * the control alone is left); to be freed in both cases. */
int gauntlet_plan(const struct gauntlet_options *options, struct report *out, struct error *error);
/* How many of them are controls. */
size_t gauntlet_controls(const struct report *plan);
void gauntlet_free(struct report *report);

#endif
