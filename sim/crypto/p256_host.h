/* Mbed TLS's P-256, computed by libcrypto on the host instead of the library's own code, which is
 * many times slower.
 *
 * It stands behind PSA's driver interface under the names that Mbed TLS calls when
 * MBEDTLS_PSA_P256M_DRIVER_ENABLED is defined (sim/crypto/mbedtls_host_config.h): linking
 * fleetsim_crypto is all it takes. Keys have PSA's export format in both modes, so a key that was
 * imported in one works in the other. All entropy is PSA's, that is, the device's.
 */
#ifndef FLEETSIM_CRYPTO_P256_HOST_H
#define FLEETSIM_CRYPTO_P256_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* Native: the library's own P-256 runs, bit for bit the device's, and nothing is remembered. Off at
 * start; for the whole process. The meter counts in both modes. SHA-256 and AES are the host's in
 * both: for them there is one right answer to every question, while a signature also shows how its
 * nonce was drawn. */
void p256_host_set_native(bool native);

/* How often a verification was found among the remembered ones, and how often it had to be
 * computed, since the start.
 */
struct p256_host_memory {
  uint64_t hits;
  uint64_t misses;
};
struct p256_host_memory p256_host_memory(void);

#endif
