/* A gate before a local broker, for what mosquitto has no setting for: a handshake time-out, and a
 * broker that is slow.
 *
 * It listens on 127.0.0.1, passes bytes to the broker's port and back, and keeps none of them back
 * for long: what a side cannot take stops the reading of the other one.
 *
 * Rate: connections are taken up in the order in which they came, at most so many a second, as a
 * broker does that has so many handshakes to give. Who waits is not looked at: a connection whose
 * client has left in the meantime has its turn like any other, and mosquitto answers the
 * ClientHello of a client that is gone. Up to FRONT_WAITING_MAX wait, and FRONT_BACKLOG more in the
 * kernel; then the kernel drops SYNs, as everywhere.
 *
 * Time-out: who has not completed the TLS handshake in time, counted from where the connection is
 * taken up, is cut off. Nothing is read for that but the headers of the client's TLS records: the
 * first one of type application data (in TLS 1.3 its Certificate, which leaves together with
 * Finished; in TLS 1.2 its first message) ends the deadline.
 *
 * The work is done by child processes (gate.c), as many as the limit of descriptors makes
 * necessary: a connection has two of them there. They share the listening port, the connections and
 * the rate, and end with this process.
 */
#ifndef FLEETSIM_BROKER_FRONT_H
#define FLEETSIM_BROKER_FRONT_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"

#define FRONT_LISTENERS   2
#define FRONT_WAITING_MAX 4096
#define FRONT_BACKLOG     1024
#define FRONT_GATES_MAX   64

struct front;

struct front_config {
  uint32_t timeout_ms;     /* 0: a handshake may take any time */
  double rate;             /* connections taken up per second; 0: as they come */
  size_t connections;      /* how many there may be at once: one more waits to be accepted */
  void (*died)(void *ctx); /* a gate has ended by itself; from the loop */
  void *ctx;
};

/* Starts the gates, which listen on a free port before each of `ports`. On failure *out is not to
   be used. */
int front_open(uv_loop_t *loop, const struct front_config *config,
               const uint16_t ports[FRONT_LISTENERS], struct front **out, struct error *error);

/* The broker has moved: connections that are taken up from now on go to these ports. */
void front_move(struct front *front, const uint16_t ports[FRONT_LISTENERS]);

uint16_t front_port(const struct front *front, int listener);

/* Connections that were cut off so far, and those that wait for their turn now. */
uint64_t front_timed_out(const struct front *front);
size_t front_waiting(const struct front *front);

/* The broker has ended: all connections end, who waits is forgotten, and the port refuses until the
   broker is back. */
void front_drop(struct front *front);
void front_resume(struct front *front);

/* Ends the gates and all connections; `closed` comes from the loop when nothing of it is left. */
void front_close(struct front *front, void (*closed)(void *ctx), void *ctx);

#endif
