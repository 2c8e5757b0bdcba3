/* Counts P-256 operations for the device in whose name they run: the input of the timing model.
 *
 * Whether the host computed an operation quickly, slowly or not at all makes no difference here: the device would have
 * had to compute it. An operation is counted when it is asked for, so a refused one counts too.
 */
#ifndef FLEETSIM_CRYPTO_METER_H
#define FLEETSIM_CRYPTO_METER_H

#include <stdint.h>

struct crypto_meter {
  uint64_t keygen;            /* private keys drawn */
  uint64_t public_key;        /* public keys computed from private ones: one multiplication of G */
  uint64_t ecdh;              /* shared secrets */
  uint64_t sign;              /* ECDSA signatures made */
  uint64_t verify;            /* ECDSA signatures verified, the remembered ones included */
  uint64_t verify_remembered; /* those of them that the host did not compute again */
};

/* From here on operations count for `meter`, which the caller keeps alive until the next call; NULL: for nobody. */
void crypto_meter_use(struct crypto_meter *meter);

/* The driver's side: where to count now. Never NULL; what nobody asked for ends in a meter that nobody reads. */
struct crypto_meter *crypto_meter_current(void);

#endif
