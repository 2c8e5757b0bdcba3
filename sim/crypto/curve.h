/* P-256 on plain bytes, computed by libcrypto.
 *
 * Private keys are 32 bytes, public keys 65 (0x04, x, y), signatures 64 (r, s), all big-endian:
 * PSA's own formats. Every function checks what it is given: scalars lie in 1..n-1, points lie on
 * the curve. One thread at a time, as Mbed TLS itself is used here. OpenSSL's error queue is left
 * as it was found.
 */
#ifndef FLEETSIM_CRYPTO_CURVE_H
#define FLEETSIM_CRYPTO_CURVE_H

#include <stddef.h>
#include <stdint.h>

#define CURVE_PRIVATE_SIZE   32
#define CURVE_PUBLIC_SIZE    65
#define CURVE_SHARED_SIZE    32
#define CURVE_SIGNATURE_SIZE 64

enum curve_result {
  CURVE_OK = 0,
  CURVE_REFUSED = -1, /* a key, nonce or signature is not one */
  CURVE_MEMORY = -2,  /* libcrypto could not allocate */
};

enum curve_result curve_check_private(const uint8_t private_key[CURVE_PRIVATE_SIZE]);
enum curve_result curve_check_public(const uint8_t public_key[CURVE_PUBLIC_SIZE]);

/* The public key that belongs to `private_key`. */
enum curve_result curve_public(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                               uint8_t public_key[CURVE_PUBLIC_SIZE]);

/* ECDH: the x coordinate of private_key * peer. */
enum curve_result curve_shared(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                               const uint8_t peer[CURVE_PUBLIC_SIZE],
                               uint8_t shared[CURVE_SHARED_SIZE]);

/* Two uniform scalars that are used for one signature and never again. The second one leaves no
 * trace in it: it hides the first from whoever measures how long the division by it takes. */
struct curve_nonce {
  uint8_t k[CURVE_PRIVATE_SIZE], blind[CURVE_PRIVATE_SIZE];
};

/* ECDSA. Refused when one of the nonce's scalars is out of range, or gives a signature with a zero
 * in it: draw others.
 */
enum curve_result curve_sign(const uint8_t private_key[CURVE_PRIVATE_SIZE],
                             const struct curve_nonce *nonce, const uint8_t *hash, size_t hash_size,
                             uint8_t signature[CURVE_SIGNATURE_SIZE]);

enum curve_result curve_verify(const uint8_t public_key[CURVE_PUBLIC_SIZE], const uint8_t *hash,
                               size_t hash_size, const uint8_t signature[CURVE_SIGNATURE_SIZE]);

#endif
