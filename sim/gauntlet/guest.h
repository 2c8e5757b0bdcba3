/* A real device that comes to a listener, connection by connection: which case it is at, what was seen
 * of it, and when it is through. Pure but for the clock that it is handed.
 *
 *     guest_next -> the trial that its next connection belongs to
 *     guest_seen -> what a connection has shown; the trial ends when that is enough
 */
#ifndef FLEETSIM_GAUNTLET_GUEST_H
#define FLEETSIM_GAUNTLET_GUEST_H

#include "gauntlet/report.h"

#define GUEST_NAME  96
#define GUEST_TRIES 3u /* connections that show nothing, before a trial is given up */

struct guest {
  char address[64];      /* where it comes from, and the port that it comes to if that tells */
  char name[GUEST_NAME]; /* of its certificate, or of SNI; "": it has shown none */
  struct report report;  /* its results, in the order of the plan */
  size_t at;             /* the trial under way; == report.count: it is through */
  unsigned tries;        /* connections of that trial that have shown nothing */
  unsigned open;         /* connections under way */
  double began_ms;       /* of that trial: its first connection; -1 */
  double ended_ms;       /* the last connection; -1 */
  unsigned offered;      /* versions of TLS that its hello has offered, a bit each; 0: not known */
  bool mixed;            /* two certificates have come from that one place */
};

/* The trial that a connection at that time belongs to; NULL: the guest is through. Notes how long it
 * has stayed away. */
struct trial_result *guest_next(struct guest *guest, double now_ms);

/* A connection of the trial under way is over; true: so is the trial, and it is judged. */
bool guest_seen(struct guest *guest, const struct observation *seen, double now_ms);

/* A connection of a trial that is over is over too: what a client gave away counts on whichever of them.
 * Returns whether it has changed what is known of that trial. */
bool guest_seen_late(struct guest *guest, size_t trial, const struct observation *seen,
                     double now_ms);

/* The trial under way is over though nothing more was seen. */
void guest_give_up(struct guest *guest, const char *why);

/* Whether it is through. */
bool guest_is_through(const struct guest *guest);

#endif
