/* Per-operation marks: the same Mbed TLS that the client is linked with, each operation alone. */
#include "operations.h"

#include <psa/crypto.h>

#include "board.h"
#include "device/platform.h"
#include "m4/marks.h"

static void start_psa(void)
{
  for (int i = 0; i < REPEAT; i++) {
    mbedtls_psa_crypto_free();
    m4_mark_begin("psa_init");
    psa_status_t status = psa_crypto_init();
    m4_mark_end("psa_init");
    board_require(status == PSA_SUCCESS, "psa_crypto_init failed: is the heap too small?");
  }
}

int main(void)
{
  const struct device_platform platform = {
      .host = &board_host, .now_ms = m4_read(M4_TIME_MS), .unix_s = (int64_t) m4_read(M4_UNIX_S)};
  device_platform_enter(&platform);
  start_psa();
  operations_x509(); /* first: it may find that there is no chain to measure with */
  operations_p256();
  operations_symmetric();
  device_platform_leave();
  return 0;
}
