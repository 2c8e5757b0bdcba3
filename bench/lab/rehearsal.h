/* A scenario, run by the fleetsim that was built beside the bench: what its results.json says of
   it. */
#ifndef FLEETSIM_BENCH_REHEARSAL_H
#define FLEETSIM_BENCH_REHEARSAL_H

#include "base/error.h"
#include "lab/process.h"

struct rehearsal {
  double cpu_s, rss_mib; /* of fleetsim itself, without its brokers and servers */
  double last_phase_s;
  double updated;               /* the metric ota.updated */
  double connections, messages; /* connect.ok, telemetry.delivered */
};

/* Runs `text` in `folder`, where it leaves scenario.yaml, and rehearsal/ until the next one;
 * `watch` may be NULL. -1 when it does not pass. */
int rehearse(const char *folder, const char *text, const struct process_watch *watch,
             struct rehearsal *out, struct error *error);

/* The same with a live page at `place` (ADDR:PORT); NULL: none. */
int rehearse_at(const char *folder, const char *text, const char *place,
                const struct process_watch *watch, struct rehearsal *out, struct error *error);

#endif
