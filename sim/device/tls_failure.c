/* Which named failure a TLS error is. Three questions, in this order: did the broker send a fatal
 * alert, what did we find wrong with its chain, and which error did the library give. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509.h>

#include "tls.h"

/* The weightiest reason first: without a path to an anchor, nothing else in the chain can be
   believed. */
static const struct {
  uint32_t flags;
  enum device_failure failure;
} flag_failures[] = {
    {MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
     DEVICE_FAIL_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, DEVICE_FAIL_TLS_NOT_TRUSTED},
    {MBEDTLS_X509_BADCERT_REVOKED, DEVICE_FAIL_TLS_REVOKED},
    {MBEDTLS_X509_BADCERT_EXPIRED, DEVICE_FAIL_TLS_EXPIRED},
    {MBEDTLS_X509_BADCERT_FUTURE, DEVICE_FAIL_TLS_NOT_YET_VALID},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, DEVICE_FAIL_TLS_NAME_MISMATCH},
    {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
         MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     DEVICE_FAIL_TLS_BAD_USAGE},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE |
         MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY |
         DEVICE_TLS_CRL_MISSING,
     DEVICE_FAIL_TLS_CRL},
};

static enum device_failure of_flags(uint32_t flags)
{
  /* the chain is longer than the library follows */
  if (flags == UINT32_MAX) return DEVICE_FAIL_TLS_BAD_CERTIFICATE;
  for (size_t i = 0; i < sizeof flag_failures / sizeof flag_failures[0]; i++)
    if ((flags & flag_failures[i].flags) != 0) return flag_failures[i].failure;
  return DEVICE_FAIL_TLS_BAD_CERTIFICATE;
}

/* Errors of X.509 and public key parsing are a high-level code plus a low-level one (0x7f) of ASN.1
   or OID. */
static enum device_failure of_certificate_error(int error)
{
  int high = -((-error) & 0x7f80);
  if (high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || high == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE ||
      high == MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG || high == MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE)
    return DEVICE_FAIL_TLS_WEAK;
  if (high == MBEDTLS_ERR_X509_ALLOC_FAILED || high == MBEDTLS_ERR_PK_ALLOC_FAILED)
    return DEVICE_FAIL_TLS_INTERNAL;
  return DEVICE_FAIL_TLS_BAD_CERTIFICATE;
}

static bool is_certificate_error(int error)
{
  int high = (-error) & 0x7f80;
  return (high >= 0x2080 && high <= 0x3000) || (high >= 0x3880 && high <= 0x3f80);
}

/* One code stands for a failed signature and for failed negotiation: the handshake's state tells
   which. */
static enum device_failure of_handshake_failure(int state)
{
  switch (state) {
  case MBEDTLS_SSL_CERTIFICATE_VERIFY:
  case MBEDTLS_SSL_SERVER_FINISHED: return DEVICE_FAIL_TLS_SIGNATURE;
  default: return DEVICE_FAIL_TLS_PARAMETERS;
  }
}

/* A ServerHello that has come whole in the record at hand: what is wrong with it is what it says. The
 * library has the same code for a suite that it does not know. */
static bool is_whole_server_hello(const struct device_tls *tls)
{
  const uint8_t *header = tls->ssl.in_hdr, *message = header + 5;
  if (tls->ssl.state != MBEDTLS_SSL_SERVER_HELLO || header[0] != MBEDTLS_SSL_MSG_HANDSHAKE)
    return false;
  size_t size = (size_t) header[3] << 8 | header[4];
  return size >= 4 && size <= MBEDTLS_SSL_IN_CONTENT_LEN &&
         4 + ((size_t) message[1] << 16 | (size_t) message[2] << 8 | message[3]) <= size;
}

/* RFC 8446 5.1, 5.2: what a header may say. The library has one code for what does not fit its
 * buffer and for what fits no TLS, and another where only the overhead of encryption made it
 * fit. */
bool device_tls_is_too_large(const struct device_tls *tls)
{
  const uint8_t *header = tls->ssl.in_hdr;
  bool unfit = tls->error == MBEDTLS_ERR_SSL_BAD_INPUT_DATA,
       overfull = tls->error == MBEDTLS_ERR_SSL_INVALID_RECORD;
  if (!tls->open || (!unfit && !overfull) || header == NULL) return false;
  size_t size = (size_t) header[3] << 8 | header[4];
  bool valid = header[0] >= MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC &&
               header[0] <= MBEDTLS_SSL_MSG_APPLICATION_DATA && header[1] == 3 &&
               size <= 16384 + 256;
  if (unfit && is_whole_server_hello(tls)) return false;
  return valid && (unfit || size > MBEDTLS_SSL_IN_CONTENT_LEN);
}

static enum device_failure of_error(const struct device_tls *tls)
{
  switch (tls->error) {
  case DEVICE_TLS_KEY: return DEVICE_FAIL_DEVICE_IDENTITY;
  case DEVICE_TLS_MEMORY: return DEVICE_FAIL_DEVICE_NVM;
  case MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED: return DEVICE_FAIL_TLS_NOT_TRUSTED;
  case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
  case MBEDTLS_ERR_SSL_CONN_EOF:
    return device_tls_is_secured(tls) ? DEVICE_FAIL_TLS_CLOSED : DEVICE_FAIL_TCP_CLOSED;
  case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE: return of_handshake_failure(tls->ssl.state);
  case MBEDTLS_ERR_ECP_VERIFY_FAILED:
  case MBEDTLS_ERR_ERROR_GENERIC_ERROR: return DEVICE_FAIL_TLS_SIGNATURE;
  case MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE: /* compression */
  case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
  case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER: return DEVICE_FAIL_TLS_PARAMETERS;
  case MBEDTLS_ERR_SSL_INVALID_RECORD:
    return tls->ssl.state <= MBEDTLS_SSL_SERVER_HELLO ? DEVICE_FAIL_TLS_NOT_TLS
                                                      : DEVICE_FAIL_TLS_PROTOCOL;
  case MBEDTLS_ERR_SSL_BAD_INPUT_DATA: /* longer than any record may be, or that suite */
    return is_whole_server_hello(tls) ? DEVICE_FAIL_TLS_PARAMETERS : DEVICE_FAIL_TLS_PROTOCOL;
  case MBEDTLS_ERR_SSL_INVALID_MAC:
  case MBEDTLS_ERR_SSL_DECODE_ERROR:
  case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
  case MBEDTLS_ERR_SSL_UNEXPECTED_RECORD:
  case MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL:
  case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION: return DEVICE_FAIL_TLS_PROTOCOL;
  default: return DEVICE_FAIL_TLS_INTERNAL;
  }
}

enum device_failure device_tls_failure(const struct device_tls *tls)
{
  if (tls->error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    return device_failure_of_alert(tls->verdict.alert);
  if (tls->verdict.flags != 0) return of_flags(tls->verdict.flags);
  if (device_tls_is_too_large(tls)) return DEVICE_FAIL_TLS_RECORD;
  if (is_certificate_error(tls->error)) return of_certificate_error(tls->error);
  return of_error(tls);
}
