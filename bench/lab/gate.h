/* A broker's side that measures: TLS 1.3 with mutual authentication on a port of its own, and as
 * little MQTT as a client needs to be online. It stamps when a connection's ClientHello arrives and
 * when its Finished has been verified.
 *
 * It runs in a thread of this process, so that a bench may wait for a client meanwhile.
 */
#ifndef FLEETSIM_BENCH_GATE_H
#define FLEETSIM_BENCH_GATE_H

#include "lab/lab.h"

struct gate;

/* One handshake that ended well. */
struct gate_handshake {
  uint64_t wall_ns;     /* first byte of ClientHello to the client's Finished verified */
  uint64_t cpu_ns;      /* of these, CPU time of this side */
  uint32_t hello_bytes; /* of the record with ClientHello */
};

/* Begins to listen on loopback with the certificates of the lab's broker. */
int gate_open(const struct lab *lab, struct gate **out, struct error *error);

uint16_t gate_port(const struct gate *gate);

/* Moves the handshakes seen since the last call to `out`, at most `most`; returns how many there
 * were, the ones that did not fit included. */
size_t gate_take(struct gate *gate, struct gate_handshake *out, size_t most);

/* Ends the thread and every connection; NULL is fine. */
void gate_close(struct gate *gate);

#endif
