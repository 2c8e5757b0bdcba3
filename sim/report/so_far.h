/* What is known of a run that did not end, by its list of events alone; whatever that holds, nothing of it
 * is a verdict. Internal to sim/report. */
#ifndef FLEETSIM_REPORT_SO_FAR_H
#define FLEETSIM_REPORT_SO_FAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "report/series.h"

struct so_far {
  json_t *run;      /* its first line; NULL: there is none */
  json_t *phases;   /* the lines that begin them; "until": over since then, where a pause says so */
  json_t *online;   /* each device that ever was, and whether it is */
  json_t *failures; /* by name: count, and the first devices */
  json_t *step, *last;
  json_t *unwritten; /* the line that says so; NULL: there is none */
  size_t online_count;
  /* by hand, on the live page */
  unsigned pauses;
  double paused_s, pause_began_s; /* of those that are over; of the one that is not */
  bool pause_asked, paused;
  bool ended;
  bool under_way; /* it holds its folder; false: nobody knows, as some file systems lock none */
  /* second by second: who is online, and failures by name; of the metrics nothing else is known */
  struct metrics *metrics;
  struct series *series;
  uint64_t now_ms; /* of the lines so far, the latest */
};

/* Reads the list in `folder`, as long as lines are whole. False: there is none, it is no run's, the
 * run has ended, or there is no memory. To be released in any case. */
bool so_far_read(const char *folder, struct so_far *out);
void so_far_release(struct so_far *so_far);

/* No phase is under way any more: the run waited by hand, or was through. */
bool so_far_between(const struct so_far *so_far);

/* Until when that phase was under way. */
double so_far_phase_end_s(const struct so_far *so_far, size_t phase);

/* so_far_json.c: what is known, in the shape of results.json for the page, with "none" for a verdict and
 * without what only an end tells: gates, what was foretold, all other figures. NULL: no memory. */
json_t *so_far_json(const struct so_far *so_far);

/* so_far_print.c: how far the run in `folder` came; nothing where it has ended, or is none. */
void so_far_print(const char *folder, FILE *out, bool colour);

#endif
