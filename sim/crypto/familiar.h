/* Public keys that signatures are verified with again and again get a table of their multiples.
 *
 * A fleet meets the same few brokers thousands of times, and each handshake has a fresh signature
 * by the same key. With a table it is verified in a sixth of the time, and in full.
 */
#ifndef FLEETSIM_CRYPTO_FAMILIAR_H
#define FLEETSIM_CRYPTO_FAMILIAR_H

#include "crypto/multiples.h"

#define FAMILIAR_KEYS  8  /* a key that was not seen for the longest time gives way to a new one */
#define FAMILIAR_AFTER 16 /* verifications with a key until it has a table, which costs ten */

/* The table of this key, which is a point of the curve then, and one of the generator exists; NULL:
 * there is none. To be asked once per verification. Valid until the next call. */
const struct multiples *familiar_multiples(const uint8_t public_key[MULTIPLES_KEY]);

#endif
