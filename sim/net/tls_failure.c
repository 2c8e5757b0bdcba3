/* OpenSSL's verdicts and reasons by the devices' names for them: one table each. What has no name of
 * its own is a chain that is not trusted, or a broken protocol. */
#include "net/tls_failure.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

enum device_failure tls_failure_of_verdict(int verdict)
{
  switch (verdict) {
  case X509_V_OK: return DEVICE_FAIL_NONE;
  case X509_V_ERR_CERT_HAS_EXPIRED: return DEVICE_FAIL_TLS_EXPIRED;
  case X509_V_ERR_CERT_NOT_YET_VALID: return DEVICE_FAIL_TLS_NOT_YET_VALID;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: return DEVICE_FAIL_TLS_NAME_MISMATCH;
  case X509_V_ERR_CERT_REVOKED: return DEVICE_FAIL_TLS_REVOKED;
  case X509_V_ERR_INVALID_PURPOSE:
  case X509_V_ERR_INVALID_CA:
  case X509_V_ERR_KEYUSAGE_NO_CERTSIGN: return DEVICE_FAIL_TLS_BAD_USAGE;
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
  case X509_V_ERR_CA_MD_TOO_WEAK: return DEVICE_FAIL_TLS_WEAK;
  case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
  case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: return DEVICE_FAIL_TLS_BAD_CERTIFICATE;
  default: return DEVICE_FAIL_TLS_NOT_TRUSTED;
  }
}

enum device_failure tls_failure_of_reason(int reason)
{
  if (reason > SSL_AD_REASON_OFFSET)
    return device_failure_of_alert((uint8_t) (reason - SSL_AD_REASON_OFFSET));
  switch (reason) {
  case SSL_R_WRONG_VERSION_NUMBER:
  case SSL_R_HTTP_REQUEST:
  case SSL_R_HTTPS_PROXY_REQUEST:
  case SSL_R_PACKET_LENGTH_TOO_LONG:
#ifdef SSL_R_RECORD_LAYER_FAILURE /* from OpenSSL 3.2 on */
  case SSL_R_RECORD_LAYER_FAILURE:
#endif
  case SSL_R_BAD_RECORD_TYPE: return DEVICE_FAIL_TLS_NOT_TLS;
  case SSL_R_UNSUPPORTED_PROTOCOL:
  case SSL_R_WRONG_SSL_VERSION:
  case SSL_R_WRONG_CIPHER_RETURNED:
  case SSL_R_DH_KEY_TOO_SMALL: return DEVICE_FAIL_TLS_PARAMETERS;
  case SSL_R_BAD_SIGNATURE:
  case SSL_R_DIGEST_CHECK_FAILED: return DEVICE_FAIL_TLS_SIGNATURE;
  default: return DEVICE_FAIL_TLS_PROTOCOL;
  }
}
