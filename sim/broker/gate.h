/* The child process behind front.h: its own loop, nothing of its parent's but what is named here.
   Internal. */
#ifndef FLEETSIM_BROKER_GATE_H
#define FLEETSIM_BROKER_GATE_H

#include <stdatomic.h>

#include "broker/front.h"

/* In memory that the parent shares with all of its gates. */
struct gate_shared {
  _Atomic uint16_t target[FRONT_LISTENERS];
  _Atomic uint64_t timed_out;
  _Atomic size_t waiting;
};

struct gate_config {
  int listeners[FRONT_LISTENERS]; /* sockets that listen, until the first GATE_DROP */
  uint16_t port[FRONT_LISTENERS]; /* theirs, and of those after them */
  int control;                    /* orders come from it; its end is ours */
  uint32_t timeout_ms;
  double rate;
  size_t waiting_max;
  struct gate_shared *shared;
};

#define GATE_DROP   'd' /* close everything, and listen no more */
#define GATE_RESUME 'r' /* listen again */

/* A socket that listens on 127.0.0.1, on *port or, where that is 0, on one that it then says; -1:
   errno says why. */
int gate_listen(uint16_t *port);

/* Passes connections on until the parent has gone. */
_Noreturn void gate_run(const struct gate_config *config);

#endif
