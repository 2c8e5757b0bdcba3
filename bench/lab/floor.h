/* The least that a connect can cost: the P-256 that TLS 1.3 with mutual authentication asks of a
   client. */
#ifndef FLEETSIM_BENCH_FLOOR_H
#define FLEETSIM_BENCH_FLOOR_H

#include "base/error.h"

/* CPU milliseconds of one key generation, ECDH, ECDSA signature and verification by libcrypto, one
 * after the other, in the cheapest form that it offers: one shared group, its keys and the other
 * side's made beforehand. A connect verifies three signatures; a fleet has seen two of them before.
 *
 * `rate`: 0, as fast as it goes, which keeps its code and tables in the processor's caches; else so
 * many times a second, asleep in between as a client is, for 2 s at most or 20 times. */
int floor_measure(double rate, double *cpu_ms, struct error *error);

/* As in "OpenSSL 3.0.17 1 Jul 2025". */
const char *floor_version(void);

#endif
