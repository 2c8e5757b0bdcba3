/* Any bytes as a stored session ticket: what is taken for one can be offered without reading past its arrays. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/bytes.h"
#include "device/tls.h"

#define STANDING_AT 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *invariant)
{
  if (holds) return;
  fprintf(stderr, "broken: %s\n", invariant);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t standing[DEVICE_TLS_STANDING_SIZE] = {0};
  mbedtls_ssl_session session;
  uint32_t age_s = 0;
  mbedtls_ssl_session_init(&session);
  /* most inputs shall come past the comparison; one second after it was received */
  bool whole = size >= STANDING_AT + sizeof standing;
  if (whole) memcpy(standing, data + STANDING_AT, sizeof standing);
  uint64_t received = whole ? (uint64_t) device_get32(data + 4) << 32 | device_get32(data + 8) : 0;
  enum device_tls_ticket verdict =
      device_tls_ticket_parse(data, size, standing, (int64_t) (received + 1), &session, &age_s);
  if (verdict == DEVICE_TLS_TICKET_GOOD) {
    require(whole && age_s == 1, "a good ticket has an age");
    require(session.ticket != NULL && session.ticket_len > 0, "a good ticket has a ticket");
    require(session.id_len <= sizeof session.id, "the session id is inside its array");
    require(session.resumption_key_len <= sizeof session.resumption_key, "the secret is inside its array");
    standing[0] ^= 1;
    mbedtls_ssl_session other;
    mbedtls_ssl_session_init(&other);
    require(device_tls_ticket_parse(data, size, standing, (int64_t) (received + 1), &other, &age_s) ==
                DEVICE_TLS_TICKET_ELSEWHERE,
            "nowhere else");
  }
  mbedtls_ssl_session_free(&session);
  return 0;
}
