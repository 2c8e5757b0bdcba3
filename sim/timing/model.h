/* Modelled time on a device: counted operations times a profile's cycles. Pure.
 *
 * A handshake costs its elliptic-curve operations, its record bytes through SHA-256 and AES-GCM,
 * and a constant rest. Against an emulated whole handshake the sum is exact for the chain that the
 * rest was taken from, and within 1 % for longer ones (bench/m4/README.md).
 */
#ifndef FLEETSIM_TIMING_MODEL_H
#define FLEETSIM_TIMING_MODEL_H

#include <stdint.h>

#include "crypto/meter.h"
#include "timing/profile.h"

/* A modelled time and what it may be on real memory, in microseconds. */
struct timing_band {
  double low, nominal, high;
};

/* Cycles of the operations alone. A remembered verification costs what a computed one does: the
   device has no host. */
double timing_operations(const struct timing_profile *profile, const struct crypto_meter *meter);

/* Cycles of hashing and encrypting that much, as records of a connection. */
double timing_records(const struct timing_profile *profile, uint64_t bytes, uint64_t records);

/* Cycles of SHA-256 over that much: an image, a block. */
double timing_hash(const struct timing_profile *profile, uint64_t bytes);

/* Cycles of a whole handshake in which `bytes` went over the wire both ways. */
double timing_handshake(const struct timing_profile *profile, const struct crypto_meter *meter,
                        uint64_t bytes);

/* The nominal time of so many cycles in microseconds, and with its band. */
double timing_us(const struct timing_profile *profile, double cycles);
struct timing_band timing_band(const struct timing_profile *profile, double cycles);

#endif
