/* The device's policy on revocation lists, over what the library found.
 *
 * The library compares a certificate with the list of its issuer's name and flags it as revoked, or
 * the list as not signed by that issuer or out of date. It passes over an issuer without a list in
 * silence: whether that is enough is the policy's question.
 */
#include <string.h>

#include "tls.h"

static bool holds_list_of(const mbedtls_x509_crl *list, const mbedtls_x509_buf *issuer)
{
  for (; list != NULL; list = list->next)
    if (list->version != 0 && list->issuer_raw.len == issuer->len &&
        memcmp(list->issuer_raw.p, issuer->p, issuer->len) == 0)
      return true;
  return false;
}

/* HELD: what an old list revokes stays revoked, but its age alone refuses nobody. A device that has
 * slept on a shelf past nextUpdate would otherwise be worse off with a list than without, and could
 * not fetch the new one. REQUIRED is for fleets that would rather lose a device than talk to a
 * broker whose standing is unknown. */
uint32_t device_tls_revocation(const struct device_tls_handshake *handshake,
                               const mbedtls_x509_crt *certificate, bool is_end, uint32_t flags)
{
  switch (handshake->revocation) {
  case DEVICE_REVOCATION_HELD:
    return flags & ~(uint32_t) (MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE);
  case DEVICE_REVOCATION_REQUIRED:
    return is_end || holds_list_of(&handshake->crls, &certificate->issuer_raw)
               ? flags
               : flags | DEVICE_TLS_CRL_MISSING;
  default: return flags;
  }
}
