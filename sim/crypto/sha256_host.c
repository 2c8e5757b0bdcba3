/* Mbed TLS's SHA-256 on the host: its one compression function, by libcrypto, which uses the
 * processor's instructions for it. Everything around it, padding included, stays the library's;
 * every block passes here, so it is counted here.
 */
/* SHA256_Transform is deprecated in favour of EVP, which offers no single block and allocates for
   each hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* the state is what an alternative implementation works on */

#include <assert.h>
#include <string.h>

#include <mbedtls/sha256.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "crypto/meter.h"

static_assert(sizeof((SHA256_CTX){0}.h) == sizeof((mbedtls_sha256_context){0}.state),
              "both keep eight 32-bit words");

int mbedtls_internal_sha256_process(mbedtls_sha256_context *ctx, const unsigned char data[64])
{
  SHA256_CTX host; /* of which a transformation reads and writes the state alone */
  memcpy(host.h, ctx->state, sizeof host.h);
  SHA256_Transform(&host, data);
  memcpy(ctx->state, host.h, sizeof host.h);
  OPENSSL_cleanse(host.h, sizeof host.h); /* it may be that of an HMAC's key */
  crypto_meter_current()->sha256_blocks++;
  return 0;
}
