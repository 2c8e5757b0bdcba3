/* Mbed TLS's AES-GCM context on the host; <mbedtls/gcm.h> asks for a file of this name. The
 * functions are gcm_host.c.
 */
#ifndef FLEETSIM_CRYPTO_GCM_ALT_H
#define FLEETSIM_CRYPTO_GCM_ALT_H

#include <mbedtls/aes.h>

typedef struct mbedtls_gcm_context {
  mbedtls_aes_context aes;
  struct gcm128_context *gcm; /* libcrypto's; NULL: no key yet */
  int mode;
} mbedtls_gcm_context;

#endif
