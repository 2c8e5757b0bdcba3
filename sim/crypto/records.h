/* How large a TLS record devices take. On firmware that is a constant of the library's build; here
 * it is set once, for all devices of a process, before the first of them connects: the library
 * makes its buffers by it.
 */
#ifndef FLEETSIM_CRYPTO_RECORDS_H
#define FLEETSIM_CRYPTO_RECORDS_H

#include <stddef.h>

/* bytes of content; what firmware is built with: sim/device/mbedtls_config.h */
#define CRYPTO_RECORD_MIN 4096u
#define CRYPTO_RECORD_MAX 16384u /* TLS allows no more */

void crypto_set_record_bytes(size_t bytes);
size_t crypto_record_bytes(void);

#endif
