/* A real device that comes to a listener, connection by connection: which case it is at, what was seen
 * of it, and when it is through. Pure but for the clock that it is handed.
 *
 *     guest_next -> the trial that its next connection belongs to
 *     guest_seen -> what a connection has shown; the trial ends when that is enough
 *
 * Behind the trials of the plan come its controls once more: who refuses a sound server at the end may
 * have refused everybody for a while, and has passed nothing by that.
 */
#ifndef FLEETSIM_GAUNTLET_GUEST_H
#define FLEETSIM_GAUNTLET_GUEST_H

#include "gauntlet/report.h"

#define GUEST_NAME  96
#define GUEST_TRIES 3u /* connections that show nothing, before a trial is given up */

#define GUEST_MIXED 300
#define GUEST_MIXED 300
/* how long nobody else comes than who says no ClientHello, before a trial is given up */
#define GUEST_SILENCE_MS 120000.0
#define GUEST_NONE       ((size_t) -1)

struct guest {
  char address[64];      /* where it comes from, and the port that it comes to if that tells */
  char name[GUEST_NAME]; /* of its certificate, or of SNI; "": it has shown none */
  struct report
      report;      /* its results, in the order of the plan; room for its controls behind them */
  size_t controls; /* they come first in the plan */
  bool by_port;    /* the n-th port shows the n-th trial, in whatever order it comes to them */
  size_t at;       /* the first trial that is not over, of those of guest_trials */
  size_t asked;    /* the control that its owner was asked to lead it to; 0: none */
  bool has_come;   /* with a ClientHello, or MQTT without TLS: until then it is no device */
  unsigned silent; /* connections with neither, which belong to no trial: a port scanner's */
  unsigned silent_now; /* of them, those since it was heard last .. */
  double heard_ms;     /* .. which was then; -1 */
  double back_ms,
      away_ms;      /* when it came back last, with no other connection open, from how long */
  unsigned open;    /* connections under way */
  double began_ms;  /* of the trial under way: its first connection; -1 */
  double ended_ms;  /* the last connection; -1 */
  unsigned offered; /* versions of TLS that its hello has offered, a bit each; 0: not known */
  char client_id[OBSERVATION_TEXT]; /* of its CONNECT; "": none has come, or an empty one */
  char mixed[GUEST_MIXED]; /* why it may be two devices that come from one place: a sentence; "" */
};

/* Of the plan, and the controls behind it. */
size_t guest_trials(const struct guest *guest);

/* The trial that a connection at that time belongs to, which came to that port; GUEST_NONE: there is
 * nothing more to show it. Notes how long it has stayed away. */
size_t guest_next(struct guest *guest, size_t port, double now_ms);

/* A connection of that trial is over; true: so is the trial, and it is judged, or judged anew: what a
 * client gave away counts on whichever connection. */
bool guest_seen(struct guest *guest, size_t trial, const struct observation *seen, double now_ms);

/* Whether it is through. */
bool guest_is_through(const struct guest *guest);

/* It will not come again: what is not proven has not been passed. `interrupted`: it might have come to
 * a sound server once more. */
void guest_conclude(struct guest *guest, bool interrupted);

#endif
