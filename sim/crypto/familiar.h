/* Public keys that signatures are verified with again and again get a table of their multiples.
 *
 * A fleet meets the same few brokers thousands of times, and each handshake has a fresh signature
 * by the same key. With a table (150 KiB) u * Q costs 9 us instead of 54, as u * G always does.
 * Every signature is still verified in full.
 *
 * A table takes 30 ms to make, longer than thirty handshakes: a thread makes it, lest the devices
 * that are waiting for the event loop be told to have waited for their broker. Until it is there
 * their signatures are verified without.
 */
#ifndef FLEETSIM_CRYPTO_FAMILIAR_H
#define FLEETSIM_CRYPTO_FAMILIAR_H

#include <openssl/ec.h>

#include "crypto/curve.h"

#define FAMILIAR_KEYS  8  /* a key that was not seen for the longest time gives way to a new one */
#define FAMILIAR_AFTER 64 /* verifications with a key until its table is begun */

/* P-256 with this key's point in the place of its generator, and a table for it; NULL while there
 * is none. To be asked once per verification, by one thread. Valid until the next call. */
const EC_GROUP *familiar_group(const uint8_t public_key[CURVE_PUBLIC_SIZE]);

/* Returns once no table is being made any more. */
void familiar_wait(void);

#endif
