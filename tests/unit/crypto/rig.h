/* PSA with entropy from a seed, in either mode, for the tests of this room. */
#ifndef FLEETSIM_TESTS_CRYPTO_RIG_H
#define FLEETSIM_TESTS_CRYPTO_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psa/crypto.h>

/* Wycheproof's signature whose point has an x between n and p, as happens once in 2^128: r is that
   x, less n. */
#define LARGE_X_KEY                                                    \
  "040ad99500288d466940031d72a9f5445a4d43784640855bf0a69874d2de5fe103" \
  "c5011e6ef2c42dcd50d5d3d29f99ae6eba2c80c9244f4c5422f0979ff0c3ba5e"
#define LARGE_X_HASH "BB5A52F42F9C9261ED4361F59422A1E30036E7C32B270C8807A419FECA605023"
#define LARGE_X      "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC"
#define LARGE_X_R    "000000000000000000000000000000004319055358E8617B0C46353D039CDAAB"
#define LARGE_X_S    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63254E"

/* cmocka group fixtures: PSA is open, its entropy is seeded, the driver is not native. */
int rig_open(void **state);
int rig_close(void **state);

/* The next random bytes are those that follow from this seed. */
void rig_seed(uint64_t seed);
void rig_random(uint8_t *out, size_t size);

/* From here on PSA's entropy fails, or works again. */
void rig_starve(bool starved);

/* Bytes of a hexadecimal string; returns how many. */
size_t rig_hex(const char *hex, uint8_t *out, size_t capacity);

/* What PSA says to an ECC key of the SECP_R1 family with that many `bits` (0: as many as it
   has). */
psa_status_t rig_import(bool is_private, const uint8_t *bytes, size_t size, size_t bits,
                        psa_algorithm_t alg, psa_key_id_t *id);

/* One operation with a key that is imported for it and destroyed. */
psa_status_t rig_public(const uint8_t private_key[32], uint8_t public_key[65]);
psa_status_t rig_sign(const uint8_t private_key[32], const uint8_t *hash, size_t hash_size,
                      uint8_t signature[64]);
psa_status_t rig_verify(const uint8_t public_key[65], const uint8_t *hash, size_t hash_size,
                        const uint8_t *signature, size_t signature_size);
psa_status_t rig_shared(const uint8_t private_key[32], const uint8_t *peer, size_t peer_size,
                        uint8_t shared[32]);

#endif
