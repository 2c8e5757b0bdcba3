/* One call of PSA each, with the key imported for it and destroyed after it. Whatever goes wrong
 * in between, want of memory included, is a signature that is not believed. */
#include "signature.h"

#include <psa/crypto.h>

bool device_signature_is_of_hash(const uint8_t key[65], const uint8_t hash[32],
                                 const uint8_t signature[DEVICE_SIGNATURE_SIZE])
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
  psa_key_id_t id = 0;
  if (psa_import_key(&attributes, key, 65, &id) != PSA_SUCCESS) return false;
  psa_status_t status = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, 32, signature,
                                        DEVICE_SIGNATURE_SIZE);
  psa_destroy_key(id);
  return status == PSA_SUCCESS;
}

bool device_signature_is_of(const uint8_t key[65], const uint8_t *data, size_t size,
                            const uint8_t signature[DEVICE_SIGNATURE_SIZE])
{
  uint8_t hash[32];
  size_t hash_size = 0;
  return psa_hash_compute(PSA_ALG_SHA_256, data, size, hash, sizeof hash, &hash_size) ==
             PSA_SUCCESS &&
         device_signature_is_of_hash(key, hash, signature);
}
