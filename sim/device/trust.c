/* When a bundle is put in force. Its format is trust_format.c's. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* the signature of a revocation list: the library checks it in handshakes only \
                                       */
#include "trust.h"

#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <string.h>

#include "signature.h"

bool device_trust_anchor_is_usable(const uint8_t *der, size_t size)
{
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  bool usable = mbedtls_x509_crt_parse_der_nocopy(&crt, der, size) == 0 && crt.raw.len == size &&
                mbedtls_x509_crt_get_ca_istrue(&crt) == 1 &&
                mbedtls_x509_crt_check_key_usage(&crt, MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0;
  mbedtls_x509_crt_free(&crt);
  return usable;
}

/* The same anchor twice is no second anchor. */
static unsigned distinct_anchors(const struct device_trust_bundle *bundle)
{
  unsigned distinct = 0;
  for (uint8_t i = 0; i < bundle->anchor_count; i++) {
    uint8_t j = 0;
    while (j < i &&
           (bundle->anchor[j].size != bundle->anchor[i].size ||
            memcmp(bundle->anchor[j].der, bundle->anchor[i].der, bundle->anchor[i].size) != 0))
      j++;
    if (j == i) distinct++;
  }
  return distinct;
}

static bool is_signed_by(const mbedtls_x509_crl *crl, const mbedtls_x509_crt *ca)
{
  uint8_t hash[32];
  size_t size = 0;
  return mbedtls_x509_crt_check_key_usage(ca, MBEDTLS_X509_KU_CRL_SIGN) == 0 &&
         psa_hash_compute(PSA_ALG_SHA_256, crl->tbs.p, crl->tbs.len, hash, sizeof hash, &size) ==
             PSA_SUCCESS &&
         mbedtls_pk_verify_ext(MBEDTLS_PK_ECDSA, NULL, (mbedtls_pk_context *) &ca->pk,
                               MBEDTLS_MD_SHA256, hash, size, crl->sig.p, crl->sig.len) == 0;
}

/* False if the bundle's anchors of the list's issuer's name, where it has any, did not sign it.
 * `by_anchor` becomes true if one did. */
static bool agrees_with_anchors(const mbedtls_x509_crl *crl,
                                const struct device_trust_bundle *bundle, bool *by_anchor)
{
  bool named = false, is_signed = false;
  for (uint8_t i = 0; i < bundle->anchor_count && !is_signed; i++) {
    mbedtls_x509_crt anchor;
    mbedtls_x509_crt_init(&anchor);
    if (mbedtls_x509_crt_parse_der_nocopy(&anchor, bundle->anchor[i].der, bundle->anchor[i].size) ==
            0 &&
        anchor.subject_raw.len == crl->issuer_raw.len &&
        memcmp(anchor.subject_raw.p, crl->issuer_raw.p, crl->issuer_raw.len) == 0) {
      named = true;
      is_signed = is_signed_by(crl, &anchor);
    }
    mbedtls_x509_crt_free(&anchor);
  }
  *by_anchor |= is_signed;
  return is_signed || !named;
}

/* What holds for ever: see trust.h, also for why its dates are not looked at. */
static bool crl_is_usable(const struct device_trust_der *item,
                          const struct device_trust_bundle *bundle, bool *by_anchor)
{
  mbedtls_x509_crl crl;
  mbedtls_x509_crl_init(&crl);
  bool usable = mbedtls_x509_crl_parse_der(&crl, item->der, item->size) == 0 &&
                crl.sig_md == MBEDTLS_MD_SHA256 && crl.sig_pk == MBEDTLS_PK_ECDSA &&
                agrees_with_anchors(&crl, bundle, by_anchor);
  mbedtls_x509_crl_free(&crl);
  return usable;
}

/* What speaks against a well-formed bundle of a higher version; COMMITTED if nothing does. */
static enum device_update vet_bundle(const uint8_t update_key[65], enum device_revocation policy,
                                     const struct device_trust_bundle *bundle, const uint8_t *data)
{
  bool by_anchor = false;
  if (!device_signature_is_of(update_key, data, bundle->signed_size, data + bundle->signed_size))
    return DEVICE_UPDATE_BAD_SIGNATURE;
  if (distinct_anchors(bundle) < DEVICE_TRUST_ANCHORS_MIN) return DEVICE_UPDATE_TOO_FEW_ANCHORS;
  for (uint8_t i = 0; i < bundle->anchor_count; i++)
    if (!device_trust_anchor_is_usable(bundle->anchor[i].der, bundle->anchor[i].size))
      return DEVICE_UPDATE_BAD_ANCHOR;
  for (uint8_t i = 0; i < bundle->crl_count; i++)
    if (!crl_is_usable(&bundle->crl[i], bundle, &by_anchor)) return DEVICE_UPDATE_BAD_CRL;
  if (policy == DEVICE_REVOCATION_REQUIRED && !by_anchor) return DEVICE_UPDATE_NO_CRL;
  return DEVICE_UPDATE_COMMITTED;
}

enum device_update device_trust_update(const struct device_host *host, const uint8_t update_key[65],
                                       enum device_revocation policy, uint32_t current,
                                       const uint8_t *data, size_t size, uint32_t *version)
{
  *version = current;
  if (size > device_nvm_capacity(DEVICE_NVM_TRUST)) return DEVICE_UPDATE_TOO_LARGE;
  struct device_trust_bundle bundle;
  enum device_update verdict = device_trust_parse(data, size, &bundle);
  if (verdict != DEVICE_UPDATE_COMMITTED) return verdict;
  if (bundle.version < current) return DEVICE_UPDATE_OLDER;
  if (bundle.version == current)
    return device_nvm_holds(host, DEVICE_NVM_TRUST, data, size) == 1 ? DEVICE_UPDATE_SAME
                                                                     : DEVICE_UPDATE_OLDER;

  verdict = vet_bundle(update_key, policy, &bundle, data);
  if (verdict != DEVICE_UPDATE_COMMITTED) return verdict;
  if (device_nvm_replace(host, DEVICE_NVM_TRUST, data, size) != 0) return DEVICE_UPDATE_NVM_FAILED;
  *version = bundle.version;
  return DEVICE_UPDATE_COMMITTED;
}
