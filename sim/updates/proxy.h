/* A TCP proxy on the loop, in front of a server on 127.0.0.1: the place where an update server's
 * network goes bad.
 *
 * It listens on 127.0.0.1 and passes bytes on both ways, in order; the end of either direction is
 * passed on by itself (half-close), a reset resets the other side. It knows no TLS. What each
 * connection has of it:
 *     cut_share, cut_after   so many of the connections end by RST both ways after a random number
 *                            of bytes, both ways together: 1 to cut_after, each as likely
 *     latency                each way; the opening of a connection takes none
 *     bandwidth              token bucket each way
 *     refuse                 nobody listens: new connections are refused by the system, open ones
 *                            go on
 *     stall                  nothing moves, not even ends; new connections are taken and stand
 *                            still too
 *
 * Bounded: RELAY_WAITING_MAX of a connection waits in either direction, then nothing more is read
 * from there; beyond `connections` new ones are closed; one on which nothing moved for
 * PROXY_IDLE_MS is reset.
 */
#ifndef FLEETSIM_PROXY_H
#define FLEETSIM_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PROXY_IDLE_MS 300000u

struct proxy;
struct uv_loop_s;

struct proxy_config {
  uint16_t to_port; /* the server's */
  uint16_t port;    /* 0: any that is free */
  size_t connections;
  /* of what is random: the same connections in the same order are cut at the same bytes */
  uint64_t seed;
};

/* All zero: none. */
struct proxy_fault {
  double cut_share; /* 0..1 */
  uint64_t cut_after;
  uint32_t latency_ms;
  uint64_t bandwidth_per_s; /* bytes; 0: no limit */
  bool refuse, stall;
};

/* Since it was opened. Bytes are those on the line: TLS and HTTP are in them. */
struct proxy_totals {
  /* taken up; closed because there were too many, or the server was not there */
  uint64_t connections, refused;
  uint64_t cut;
  uint64_t up, down; /* bytes to the server, from it */
  uint64_t connections_peak_per_s, down_peak_per_s;
  size_t open;
  size_t waiting; /* memory of what waits now, in all connections */
};

/* Listens when it returns. The loop is the caller's. */
int proxy_open(struct uv_loop_s *loop, const struct proxy_config *config, struct proxy **out,
               struct error *error);
uint16_t proxy_port(const struct proxy *proxy);

/* Replaces the faults in force, for open connections too: whether they will be cut is drawn anew,
 * their bytes count from now. All zero mends everything. -1: the port that was refused could not be
 * had again. */
int proxy_set(struct proxy *proxy, const struct proxy_fault *fault, struct error *error);

void proxy_totals(const struct proxy *proxy, struct proxy_totals *out);

/* Resets what is open. `closed` comes from the loop. */
void proxy_close(struct proxy *proxy, void (*closed)(void *ctx), void *ctx);

#endif
