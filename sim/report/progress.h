/* How far a run is, while it runs. On a terminal one live line:
 *
 *     phase 3/8 teach the fleet root B  online 950/1000  handshakes 212/s  failures 0  1:12 left
 *
 * elsewhere (CI logs) a plain line when the phase changes and every 5 s. No clock inside: the time
 * is handed in.
 */
#ifndef FLEETSIM_PROGRESS_H
#define FLEETSIM_PROGRESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress_state {
  uint64_t now_ms;           /* since the run began */
  size_t phase, phase_count; /* from 1; above phase_count when all are done */
  const char *phase_name;
  size_t online, wanted;
  uint64_t handshakes, failures; /* so far */
  uint64_t deadline_ms;          /* when the run ends at the latest, 0: not known */
};

struct progress;

/* Live if `out` is a terminal. NULL when memory is short: a run can do without. */
struct progress *progress_create(FILE *out);

/* Prints if it is time to; cheap enough for every turn of an event loop. */
void progress_update(struct progress *progress, const struct progress_state *state);

/* Clears the live line, so that what follows begins at the left. */
void progress_destroy(struct progress *progress);

#endif
