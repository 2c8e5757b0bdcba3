/* What is known of a run that did not end, by its list of events alone; whatever that holds, nothing of it
 * is a verdict. Internal to sim/report. */
#ifndef FLEETSIM_REPORT_SO_FAR_H
#define FLEETSIM_REPORT_SO_FAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

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
};

/* Reads the list in `folder`, as long as lines are whole. False: there is none, it is no run's, or the
 * run has ended. To be released in any case. */
bool so_far_read(const char *folder, struct so_far *out);
void so_far_release(struct so_far *so_far);

/* No phase is under way any more: the run waited by hand, or was through. */
bool so_far_between(const struct so_far *so_far);

/* Until when that phase was under way. */
double so_far_phase_end_s(const struct so_far *so_far, size_t phase);

/* so_far_print.c: how far the run in `folder` came; nothing where it has ended, or is none. */
void so_far_print(const char *folder, FILE *out, bool colour);

#endif
