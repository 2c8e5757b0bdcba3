/* A certificate chain by the SHA-256 of what it is made of: enough to tell whether the chain that
 * was written is the one that a broker serves. */
#ifndef FLEETSIM_CHAIN_PRINTS_H
#define FLEETSIM_CHAIN_PRINTS_H

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_PRINTS_MAX 16u /* what is served after these is not kept */

struct chain_prints {
  unsigned count;                       /* 0: no chain is known */
  uint8_t sha256[CHAIN_PRINTS_MAX][32]; /* of the DER, the leaf first */
};

/* How many certificates of `wanted` are served, up to the first that is missing: all of them, in
 * their order, are wanted.count. Others may stand after the leaf and between: a device looks for an
 * issuer in what follows (RFC 8446, 4.4.2). 0 where the leaf is another, or none is wanted. */
unsigned chain_prints_served(const struct chain_prints *served, const struct chain_prints *wanted);

/* Whether all that is wanted is served; of nothing wanted nothing is. */
bool chain_prints_serve(const struct chain_prints *served, const struct chain_prints *wanted);

#endif
