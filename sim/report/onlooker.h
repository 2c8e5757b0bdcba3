/* Who looks at a run while it goes on. The run shows how it stands where somebody wants to see it,
 * from the structs that its results are made of, and does what it is asked between its beats. It
 * never waits for an onlooker, and is the same without one.
 */
#ifndef FLEETSIM_ONLOOKER_H
#define FLEETSIM_ONLOOKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/results.h"

/* A run as it stands. All of it is gone when `look` returns. */
struct onlooker_view {
  /* the verdict is NULL while the run goes on; gauges are as they were looked at last */
  const struct results *results;
  bool ended;                    /* the last view: the results are those that were written */
  double now_s, limit_s, held_s; /* held: in pauses so far, which are not the limit's */
  size_t phase, phase_count;     /* the first is 1; 0: not so far, phase_count + 1: they are over */
  const char *phase_name;        /* "": none */
  const char *step;              /* the one that began last in this phase, "": none so far */
  const char *gate, *observed;   /* that is waited for, and what was seen last; NULL: none */
  double gate_s, gate_within_s;  /* for so long already, of so long */
  size_t online, wanted, shelved, attempts_open;
  bool pausing, paused; /* it will pause when the phase is over; it does */
};

/* What may be wanted: bits. */
enum onlooker_wants { ONLOOKER_WANTS_DOCUMENT = 1u, ONLOOKER_WANTS_METRICS = 2u };

/* What may be asked of a run: bits. */
enum onlooker_asks {
  ONLOOKER_ASKS_PAUSE = 1u, /* when the phase under way is over */
  ONLOOKER_ASKS_GO_ON = 2u, /* takes a pause back, or ends it */
  ONLOOKER_ASKS_ABORT = 4u, /* as Ctrl-C does */
};

/* Functions are called with `ctx`, on the run's thread, and return at once. */
struct onlooker {
  /* whether `look` is to be called now: bits of enum onlooker_wants */
  unsigned (*wants)(void *ctx, uint64_t now_ms);
  void (*look)(void *ctx, unsigned wants, const struct onlooker_view *view);
  /* what was asked since the last call: bits of enum onlooker_asks */
  unsigned (*asked)(void *ctx);
  void *ctx;
};

#endif
