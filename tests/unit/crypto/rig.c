#include "rig.h"

#include <assert.h>
#include <stdio.h>

#include "crypto/p256_host.h"
#include "device/platform.h"

#include "fleetsim/device.h"

static uint64_t seed_state;
static bool out_of_entropy;

static int hook_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  if (out_of_entropy) return -1;
  rig_random(out, size);
  return 0;
}

static const struct device_host host = {.random = hook_random};
static const struct device_platform platform = {.host = &host};

int rig_open(void **state)
{
  (void) state;
  rig_seed(1);
  device_platform_enter(&platform);
  p256_host_set_native(false);
  return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

int rig_close(void **state)
{
  (void) state;
  mbedtls_psa_crypto_free();
  device_platform_leave();
  return 0;
}

void rig_seed(uint64_t seed)
{
  seed_state = seed;
}

/* splitmix64 */
void rig_random(uint8_t *out, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    uint64_t z = seed_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    out[i] = (uint8_t) ((z ^ (z >> 31)) >> 24);
  }
}

void rig_starve(bool starved)
{
  out_of_entropy = starved;
}

size_t rig_hex(const char *hex, uint8_t *out, size_t capacity)
{
  size_t size = 0;
  for (unsigned byte; hex[2 * size] != '\0'; size++) {
    int fields = sscanf(hex + 2 * size, "%2x", &byte);
    assert(fields == 1 && size < capacity);
    out[size] = (uint8_t) byte;
  }
  return size;
}

psa_status_t rig_import(bool is_private, const uint8_t *bytes, size_t size, size_t bits,
                        psa_algorithm_t alg, psa_key_id_t *id)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, is_private ? PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1)
                                           : PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, bits);
  psa_key_usage_t private_usage =
      PSA_KEY_USAGE_EXPORT | PSA_KEY_USAGE_DERIVE | PSA_KEY_USAGE_SIGN_HASH;
  psa_set_key_usage_flags(&attributes,
                          PSA_KEY_USAGE_VERIFY_HASH | (is_private ? private_usage : 0));
  psa_set_key_algorithm(&attributes, alg);
  return psa_import_key(&attributes, bytes, size, id);
}

psa_status_t rig_public(const uint8_t private_key[32], uint8_t public_key[65])
{
  psa_key_id_t id;
  psa_status_t status = rig_import(true, private_key, 32, 256, PSA_ALG_ECDH, &id);
  if (status != PSA_SUCCESS) return status;
  size_t size;
  status = psa_export_public_key(id, public_key, 65, &size);
  psa_destroy_key(id);
  return status;
}

psa_status_t rig_sign(const uint8_t private_key[32], const uint8_t *hash, size_t hash_size,
                      uint8_t signature[64])
{
  psa_key_id_t id;
  psa_status_t status = rig_import(true, private_key, 32, 256, PSA_ALG_ECDSA_ANY, &id);
  if (status != PSA_SUCCESS) return status;
  size_t size;
  status = psa_sign_hash(id, PSA_ALG_ECDSA_ANY, hash, hash_size, signature, 64, &size);
  psa_destroy_key(id);
  return status;
}

psa_status_t rig_verify(const uint8_t public_key[65], const uint8_t *hash, size_t hash_size,
                        const uint8_t *signature, size_t signature_size)
{
  psa_key_id_t id;
  psa_status_t status = rig_import(false, public_key, 65, 256, PSA_ALG_ECDSA_ANY, &id);
  if (status != PSA_SUCCESS) return status;
  status = psa_verify_hash(id, PSA_ALG_ECDSA_ANY, hash, hash_size, signature, signature_size);
  psa_destroy_key(id);
  return status;
}

psa_status_t rig_shared(const uint8_t private_key[32], const uint8_t *peer, size_t peer_size,
                        uint8_t shared[32])
{
  psa_key_id_t id;
  psa_status_t status = rig_import(true, private_key, 32, 256, PSA_ALG_ECDH, &id);
  if (status != PSA_SUCCESS) return status;
  size_t size;
  status = psa_raw_key_agreement(PSA_ALG_ECDH, id, peer, peer_size, shared, 32, &size);
  psa_destroy_key(id);
  return status;
}
