/* Counts P-256 operations and SHA-256 blocks for the device in whose name they run: the input of
 * the timing model.
 *
 * Whether the host computed an operation quickly, slowly or not at all makes no difference here:
 * the device would have had to compute it. An operation is counted when it is asked for, so a
 * refused one counts too. AES-GCM is not counted here: a TLS record carries its plaintext and 22
 * bytes, so whoever moves the records knows.
 */
#ifndef FLEETSIM_CRYPTO_METER_H
#define FLEETSIM_CRYPTO_METER_H

#include <stdint.h>

/* Small, as every member of a fleet has one: a step or a handshake does a dozen operations. */
struct crypto_meter {
  uint32_t sha256_blocks;     /* of 64 bytes, padding included */
  uint16_t keygen;            /* private keys drawn */
  uint16_t public_key;        /* public keys computed from private ones: one multiplication of G */
  uint16_t ecdh;              /* shared secrets */
  uint16_t sign;              /* ECDSA signatures made */
  uint16_t verify;            /* ECDSA signatures verified, the remembered ones included */
  uint16_t verify_remembered; /* those of them that the host did not compute again */
};                            /* without padding: meters compare as bytes */

/* From here on operations count for `meter`, which the caller keeps alive until the next call;
   NULL: for nobody. */
void crypto_meter_use(struct crypto_meter *meter);

/* The driver's side: where to count now. Never NULL; what nobody asked for ends in a meter that
   nobody reads. */
struct crypto_meter *crypto_meter_current(void);

#endif
