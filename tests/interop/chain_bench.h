/* One case of the matrix on the bench: a real device client against an OpenSSL server, in memory.
 *
 * Time is the case's clock and does not pass; nothing is waited for. When neither side has anything
 * to say, the case ends as `stalled`. */
#ifndef CHAIN_BENCH_H
#define CHAIN_BENCH_H

#include "fleetsim/device.h"
#include "gauntlet/cases.h"

struct chain_verdict {
  char name[64]; /* "accept", a failure name, "update NAME", "stalled" or "bench: sentence" */
  uint32_t flags;
  int32_t tls_error;
  uint8_t alert;
};

/* tls is 12 or 13. */
void chain_bench(const struct gauntlet_case *c, int tls, struct chain_verdict *out);

#endif
