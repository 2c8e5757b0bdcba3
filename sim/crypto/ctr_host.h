/* AES in counter mode with a 32-bit counter, as GCM has it: the last four bytes of the block, which
 * count on from 0 behind 2^32 - 1 and carry nothing. Both have the type that libcrypto's GCM takes
 * (ctr128_f); `key` is an mbedtls_aes_context for encryption.
 */
#ifndef FLEETSIM_CRYPTO_CTR_HOST_H
#define FLEETSIM_CRYPTO_CTR_HOST_H

#include <stddef.h>

/* Eight blocks at a time with the processor's instructions where it has them. `out` may be `in`. */
void ctr_host_blocks(const unsigned char *in, unsigned char *out, size_t blocks, const void *key,
                     const unsigned char counter[16]);

/* The same by Mbed TLS's AES, a block at a time. */
void ctr_host_blocks_anywhere(const unsigned char *in, unsigned char *out, size_t blocks,
                              const void *key, const unsigned char counter[16]);

#endif
