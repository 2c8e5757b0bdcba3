/* The device's key, certificate chain, trust anchors and revocation lists, out of NVM into a
   handshake. */
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "anchors.h"
#include "identity.h"
#include "tls.h"
#include "trust.h"

/* A slot is checked to its last byte once after power-on and after an update, not in every
   handshake. */
static int find(struct device_tls *tls, const struct device_host *host, enum device_nvm_area area)
{
  return tls->found[area].size != 0 ? 0 : device_nvm_find(host, area, &tls->found[area]);
}

static int outcome_of(int error)
{
  return error == 0 || error == MBEDTLS_ERR_X509_ALLOC_FAILED ? error : DEVICE_TLS_KEY;
}

static int load_trust(struct device_tls *tls, const struct device_host *host)
{
  struct device_tls_handshake *handshake = tls->handshake;
  const struct device_nvm_slot *slot = &tls->found[DEVICE_NVM_TRUST];
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  struct device_trust_bundle bundle;
  if (find(tls, host, DEVICE_NVM_TRUST) != 0) return DEVICE_TLS_MEMORY;
  if (slot->size == 0) return 0;
  if (slot->size > sizeof bytes || host->nvm_read(host->ctx, slot->offset, bytes, slot->size) != 0)
    return DEVICE_TLS_MEMORY;
  if (device_trust_parse(bytes, slot->size, &bundle) != DEVICE_UPDATE_COMMITTED)
    return DEVICE_TLS_KEY;
  int error = device_anchors_get(&bundle, &handshake->own_anchors, &handshake->anchors);
  if (handshake->revocation == DEVICE_REVOCATION_OFF) return outcome_of(error);
  for (size_t i = 0; i < bundle.crl_count && error == 0; i++)
    error = mbedtls_x509_crl_parse_der(&handshake->crls, bundle.crl[i].der, bundle.crl[i].size);
  return outcome_of(error);
}

static int load_chain(struct device_tls *tls, const struct device_host *host)
{
  mbedtls_x509_crt *own = &tls->handshake->chain;
  const struct device_nvm_slot *slot = &tls->found[DEVICE_NVM_CERTIFICATE];
  uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  struct device_chain chain;
  if (find(tls, host, DEVICE_NVM_CERTIFICATE) != 0) return DEVICE_TLS_MEMORY;
  if (slot->size == 0) return DEVICE_TLS_KEY;
  if (slot->size > sizeof bytes || host->nvm_read(host->ctx, slot->offset, bytes, slot->size) != 0)
    return DEVICE_TLS_MEMORY;
  if (device_chain_parse(bytes, slot->size, &chain) != DEVICE_UPDATE_COMMITTED)
    return DEVICE_TLS_KEY;
  for (size_t i = 0; i < chain.count; i++) {
    int error = outcome_of(
        mbedtls_x509_crt_parse_der(own, chain.certificate[i].der, chain.certificate[i].size));
    if (error != 0) return error;
  }
  return 0;
}

static int load_key(struct device_tls_handshake *handshake, const struct device_host *host)
{
  struct device_nvm_identity identity;
  if (device_nvm_read_identity(host, &identity) != 0) return DEVICE_TLS_MEMORY;
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  psa_status_t status = psa_import_key(&attributes, identity.private_key,
                                       sizeof identity.private_key, &handshake->key_id);
  mbedtls_platform_zeroize(&identity, sizeof identity);
  if (status == PSA_ERROR_INSUFFICIENT_MEMORY) return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  if (status != PSA_SUCCESS) return DEVICE_TLS_KEY;
  return mbedtls_pk_setup_opaque(&handshake->key, handshake->key_id);
}

static int load_own(struct device_tls *tls, const struct device_host *host)
{
  struct device_tls_handshake *handshake = tls->handshake;
  int error = load_chain(tls, host);
  if (error == 0) error = load_key(handshake, host);
  return error != 0
             ? error
             : mbedtls_ssl_conf_own_cert(&handshake->config, &handshake->chain, &handshake->key);
}

int device_tls_load(struct device_tls *tls, const struct device_tls_options *options)
{
  const struct device_host *host = options->host;
  struct device_tls_handshake *handshake = tls->handshake;
  int error = load_trust(tls, host);
  if (error == 0 && !options->profile->no_certificate) error = load_own(tls, host);
  if (error == 0)
    mbedtls_ssl_conf_ca_chain(&handshake->config, handshake->anchors, &handshake->crls);
  return error;
}
