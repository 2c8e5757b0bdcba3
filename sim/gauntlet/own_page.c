/* A bundle goes the way of every bundle: a device that refuses it never sees the broker. Its update
 * key is made here and forgotten. */
#include "gauntlet/own_page.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "device/identity.h"
#include "device/trust.h"
#include "pki/key.h"

#define TRUST_ROOM (DEVICE_NVM_TRUST_MAX + 4096) /* a bundle that is too large is to be refused */

static bool flash_identity(const struct device_host *host, const char *name, EVP_PKEY *key,
                           EVP_PKEY *update, struct device_nvm_identity *identity)
{
  *identity = (struct device_nvm_identity){.id = 1};
  snprintf(identity->name, sizeof identity->name, "%s", name);
  device_nvm_name_identity(identity);
  return pki_key_scalar(key, identity->private_key, NULL) == 0 &&
         pki_key_point(update, identity->update_key, NULL) == 0 &&
         device_nvm_format(host, identity) == 0;
}

static bool flash_chain(const struct device_host *host, const struct device_nvm_identity *identity,
                        X509 *certificate)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  unsigned char *der = NULL;
  int size = i2d_X509(certificate, &der);
  struct device_chain one = {.count = 1, .certificate = {{.der = der, .size = (uint16_t) size}}};
  size_t encoded = size > 0 ? device_chain_encode(&one, chain, sizeof chain) : 0;
  OPENSSL_free(der);
  return encoded > 0 &&
         device_identity_update(host, identity, chain, encoded) == DEVICE_UPDATE_COMMITTED;
}

static size_t make_bundle(X509 *const *anchors, size_t count, EVP_PKEY *update,
                          uint8_t out[TRUST_ROOM])
{
  struct device_trust_bundle bundle = {.version = 1};
  unsigned char *der[DEVICE_ANCHORS_MAX] = {NULL};
  for (size_t i = 0; i < count && i < DEVICE_ANCHORS_MAX; i++) {
    int size = i2d_X509(anchors[i], &der[i]);
    bundle.anchor[i] = (struct device_trust_der){der[i], (uint16_t) size};
    bundle.anchor_count++;
  }
  size_t size = device_trust_encode(&bundle, out, TRUST_ROOM - DEVICE_TRUST_SIGNATURE_SIZE);
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX; i++) OPENSSL_free(der[i]);
  if (size == 0 || pki_key_sign(update, out, size, out + size, NULL) != 0) return 0;
  return size + DEVICE_TRUST_SIGNATURE_SIZE;
}

enum device_update own_page_flash(const struct device_host *host, const char *name, EVP_PKEY *key,
                                  X509 *certificate, X509 *const *anchors, size_t count)
{
  uint8_t bundle[TRUST_ROOM];
  uint32_t version;
  struct device_nvm_identity identity;
  enum device_update verdict = DEVICE_UPDATE_COUNT;
  EVP_PKEY *update = pki_key_generate(NULL);
  if (update != NULL && flash_identity(host, name, key, update, &identity) &&
      flash_chain(host, &identity, certificate)) {
    size_t size = make_bundle(anchors, count, update, bundle);
    verdict = device_trust_update(host, identity.update_key, DEVICE_REVOCATION_HELD, 0, bundle,
                                  size, &version);
  }
  secret_wipe(&identity, sizeof identity);
  EVP_PKEY_free(update);
  return verdict;
}
