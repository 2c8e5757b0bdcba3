/* A gate before a local broker that has none of its own: who has not completed the TLS handshake in time is cut off.
 *
 * mosquitto 2.0 waits for a handshake as long as its client keeps the connection; the brokers and load balancers of the
 * field do not. This listens on 127.0.0.1, passes bytes to the broker's port and back, and reads nothing but the
 * headers of the client's TLS records: the first one of type application data (in TLS 1.3 its Certificate, which leaves
 * together with Finished; in TLS 1.2 its first message) ends the deadline, which runs from the TCP connection on.
 * Bytes are never kept back: what a side cannot take stops the reading of the other one.
 *
 * While the broker is down a connection is accepted and closed, where the broker's own port would refuse it.
 */
#ifndef FLEETSIM_BROKER_FRONT_H
#define FLEETSIM_BROKER_FRONT_H

#include <stdint.h>
#include <uv.h>

#include "base/error.h"

#define FRONT_LISTENERS       2
#define FRONT_CONNECTIONS_MAX 8192 /* one more is closed as soon as it is accepted */

struct front;

/* Listens on a free port before each of `ports`, which may change until a connection comes and must outlive the front.
 */
int front_open(uv_loop_t *loop, const uint16_t ports[FRONT_LISTENERS], uint32_t timeout_ms, struct front **out,
               struct error *error);

uint16_t front_port(const struct front *front, int listener);

/* Connections that were cut off so far. */
uint64_t front_timed_out(const struct front *front);

/* Ends all connections; `closed` comes from the loop when nothing of it is left. */
void front_close(struct front *front, void (*closed)(void *ctx), void *ctx);

#endif
