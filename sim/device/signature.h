/* ECDSA P-256 over SHA-256, as everything signs that a device believes apart from TLS: trust
 * bundles, manifests, images.
 */
#ifndef FLEETSIM_DEVICE_SIGNATURE_H
#define FLEETSIM_DEVICE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_SIGNATURE_SIZE 64u /* r||s, 32 bytes each, big-endian */

/* Whether `signature` is one of this SHA-256 by the key whose uncompressed point `key` is. After
   psa_crypto_init. */
bool device_signature_is_of_hash(const uint8_t key[65], const uint8_t hash[32],
                                 const uint8_t signature[DEVICE_SIGNATURE_SIZE]);

/* The same over bytes. */
bool device_signature_is_of(const uint8_t key[65], const uint8_t *data, size_t size,
                            const uint8_t signature[DEVICE_SIGNATURE_SIZE]);

#endif
