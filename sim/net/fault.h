/* What a bad network does to one connection, at the seam: between a device and backend.h, with the
 * same calls.
 *
 * A device without faults has no fault_link and pays nothing. With one, fault_connect, fault_send,
 * fault_pause and fault_close stand in for the backend's functions of these names, and the owner's
 * handler is told what comes through, and when. Deadlines stay with the backend. Works with any
 * broker, because it is on the devices' side of the line.
 *
 * The line of a device is slow or broken in both directions alike, and stays so from connection to
 * connection:
 *     latency +- jitter   each way, order kept; a TCP connection takes one round trip to open
 *     bandwidth           token bucket each way
 *     cut after           so many bytes of a connection, both ways together, then RST in both
 *                         directions
 *     cut share           of the connections, each cut after a random number of bytes: 1 to `cut
 *                         after`, each as likely; the others are not cut
 *     slice               what arrives comes in pieces of at most so many bytes, each told by itself
 *     black hole          nothing arrives and nothing leaves, not even the end of a connection: the
 *                         broker is left with one that it takes for open. What waits goes on when the
 *                         hole is mended, as TCP would send it again; a connection that the device
 *                         has given up by then is reset
 *     slow close          each side learns so much later that the other has closed
 *     refuse              new connections are refused, and the broker hears nothing of them
 *     reset               the open connection is reset once, when the fault is set
 *
 * Bounded: what waits in either direction is at most FAULT_WAITING_MAX, its bookkeeping included;
 * beyond it sending is refused as backend_send does it, and reading stops, after which one read of
 * the backend may still come in.
 */
#ifndef FLEETSIM_FAULT_H
#define FLEETSIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/backend.h"

#define FAULT_WAITING_MAX BACKEND_BACKLOG_MAX
/* The longest time that a connection which its device has closed is kept open to send the rest on a
   slow line. */
#define FAULT_REST_MS 10000u

/* All zero: none. Times at most a day. */
struct fault {
  uint32_t latency_ms, jitter_ms; /* jitter <= latency */
  uint64_t bandwidth_per_s;       /* bytes; 0: no limit */
  /* bytes, counted from the connection's beginning or the fault's; 0: never */
  uint64_t cut_after;
  double cut_share; /* 0..1; 0: every connection, after exactly cut_after */
  uint32_t slice;   /* bytes; 0: as they come */
  uint32_t slow_close_ms;
  bool black_hole, refuse, reset;
};

/* True for a line that is mended; a reset counts while it is being set only. */
bool fault_is_none(const struct fault *fault);

/* What faults did, each told once where it happens. */
enum fault_count {
  FAULT_CUT,       /* a connection was cut after its bytes */
  FAULT_RESET,     /* a connection was reset */
  FAULT_REFUSED,   /* an attempt was refused */
  FAULT_SWALLOWED, /* an attempt went into the black hole: the broker never heard of it */
  FAULT_DELAYED,   /* bytes were kept back */
};

struct fault_owner {
  const struct backend_handler *handler;
  void *user;
  uint64_t *random; /* state of base/random.h that jitter and cuts are drawn from */
  void (*count)(void *user, enum fault_count what, uint64_t n);
};

struct fault_link;

/* Takes `conn` over, in whatever state it is, without a fault yet. NULL: out of memory. */
struct fault_link *fault_create(struct backend *backend, struct backend_conn *conn,
                                const struct fault_owner *owner);

/* Replaces the fault in force from now on; an all-zero one mends the line. What waits of an earlier
   one is due. */
void fault_set(struct fault_link *link, const struct fault *fault);
const struct fault *fault_get(const struct fault_link *link);

/* As backend_connect, backend_send, backend_backlog, backend_pause and backend_close. */
void fault_connect(struct fault_link *link, const struct sockaddr_storage *to,
                   const struct sockaddr_storage *from);
int fault_send(struct fault_link *link, const uint8_t *data, size_t size);
size_t fault_backlog(const struct fault_link *link);
void fault_pause(struct fault_link *link, bool paused);
void fault_close(struct fault_link *link);

/* Gives the connection back to its owner, closed; `released(user)` runs when the link is freed. */
void fault_release(struct fault_link *link, void (*released)(void *user), void *user);

#endif
