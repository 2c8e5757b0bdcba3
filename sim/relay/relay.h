/* One connection that is passed on: what comes from its client goes to its server, and back.
 *
 * What one side does not take stops the reading of the other: of either direction
 * RELAY_WAITING_MAX waits at most, and one piece that a socket did not take at once. Bytes keep
 * their order. Nothing of them is looked at here; what an owner wants to see, count or hold back
 * goes through `pass` and `line`.
 *
 *     relay_init, relay_take: what has come to a listener
 *     relay_connect:          to its server; until it has answered nothing is read
 *     `ended`:                from then on it is none any more, and `closed` follows
 */
#ifndef FLEETSIM_RELAY_H
#define FLEETSIM_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/pipe.h"

#define RELAY_WAITING_MAX (64u * 1024u)
#define RELAY_PIECE       16384u

enum relay_side { RELAY_CLIENT, RELAY_SERVER };

enum relay_cause {
  RELAY_CLOSED,  /* by both sides, or by one where there is no half-close */
  RELAY_BROKEN,  /* a side was reset, or memory lacks */
  RELAY_REFUSED, /* the server is not there */
  RELAY_CUT,     /* by `pass` */
  RELAY_DROPPED  /* by the owner */
};

/* What the line between the two is like; all zero: as the machine gives it. */
struct relay_line {
  uint32_t latency_ms;      /* each way; the opening of the connection takes none */
  uint64_t bandwidth_per_s; /* bytes, each way, by a token bucket; 0: no limit */
  bool stall;               /* nothing moves, not even ends */
};

/* Shared by all relays of an owner, and outlives them. */
struct relay_config {
  /* Bytes that came from a side, before they are passed on. It may lower *size: the others are
     lost. False: both sides are reset once these have left. NULL: everything passes. */
  bool (*pass)(void *user, enum relay_side from, const uint8_t *data, size_t *size);

  /* Comes once, at once where the owner ends it, from the loop otherwise. */
  void (*ended)(void *user, enum relay_cause cause);

  /* Comes from the loop, after `ended`: the storage is the owner's again. */
  void (*closed)(void *user);

  const struct relay_line *line; /* relay_line_changed follows each change; NULL: none */

  /* True: the end of a direction is passed on by itself, and a reset as a reset. False: any end
     of a side ends both, without a reset. */
  bool half_close;
};

/* One side of it. */
struct relay_end {
  uv_tcp_t tcp;
  struct relay *relay;
  struct pipe out; /* what waits to go to this side */
  uv_shutdown_t shutdown;
  bool reading, writing;
  bool over;     /* it sends nothing more */
  bool shutting; /* it was told that nothing more comes */
};

/* Part of its owner's struct. */
struct relay {
  uv_loop_t *loop;
  const struct relay_config *config;
  void *user;
  struct relay_end end[2]; /* by enum relay_side */
  uv_connect_t connect;
  uv_timer_t timer;  /* until a pipe has something to give */
  uint64_t moved_ms; /* by the loop's clock: when something has come or left, or the line changed */
  bool connected, dead;
  unsigned handles;
};

/* From here on it must end, by itself or by relay_drop. */
void relay_init(struct relay *relay, uv_loop_t *loop, const struct relay_config *config,
                void *user);

/* Takes over the client's socket. A code of libuv where that fails; the descriptor is closed. */
int relay_take(struct relay *relay, int fd);

/* 0, or a code of libuv. */
int relay_connect(struct relay *relay, const struct sockaddr *server);

/* The line has become another: what waits goes on as it now may. */
void relay_line_changed(struct relay *relay);

/* Ends both sides at once, with a reset or without one. Nothing where it has ended. */
void relay_drop(struct relay *relay, bool reset);

/* Memory of what waits in it now. */
size_t relay_waiting(const struct relay *relay);

#endif
