/* The limit is a global that the library's configuration names where a firmware has a constant. */
#include "crypto/records.h"

#include <assert.h>

extern size_t crypto_record_limit;
size_t crypto_record_limit = CRYPTO_RECORD_MIN; /* the library reads it: mbedtls_host_config.h */

void crypto_set_record_bytes(size_t bytes)
{
  assert(bytes >= CRYPTO_RECORD_MIN && bytes <= CRYPTO_RECORD_MAX);
  crypto_record_limit = bytes;
}

size_t crypto_record_bytes(void)
{
  return crypto_record_limit;
}
