/* Numbers for certificates by their SHA-256. The latest DER is kept, so that a crowd of devices is
 * hashed once; where no number is left, or the hash fails, it is LEAVES_OTHER. */
#include "fleet/leaves.h"

#include <string.h>

#include <psa/crypto.h>

uint8_t leaves_number(struct leaves *leaves, const uint8_t fingerprint[32])
{
  for (size_t i = 0; i < leaves->count; i++)
    if (memcmp(leaves->fingerprint[i], fingerprint, 32) == 0) return (uint8_t) (i + 1);
  if (leaves->count == LEAVES_MAX) return LEAVES_OTHER;
  memcpy(leaves->fingerprint[leaves->count++], fingerprint, 32);
  return (uint8_t) leaves->count;
}

uint8_t leaves_number_of(struct leaves *leaves, const uint8_t *der, size_t size)
{
  uint8_t fingerprint[32];
  size_t length = 0;
  if (size == leaves->der_size && memcmp(der, leaves->der, size) == 0) return leaves->der_number;
  if (psa_hash_compute(PSA_ALG_SHA_256, der, size, fingerprint, sizeof fingerprint, &length) !=
      PSA_SUCCESS)
    return LEAVES_OTHER;
  uint8_t number = leaves_number(leaves, fingerprint);
  if (size > sizeof leaves->der) return number;
  memcpy(leaves->der, der, size);
  leaves->der_size = size;
  leaves->der_number = number;
  return number;
}
