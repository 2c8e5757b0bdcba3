/* The broker certificates that a fleet has met, each with a small number of its own: a member
 * remembers the one that it accepted last in a byte. */
#ifndef FLEETSIM_LEAVES_H
#define FLEETSIM_LEAVES_H

#include <stddef.h>
#include <stdint.h>

#define LEAVES_NONE     0u   /* no certificate */
#define LEAVES_OTHER    255u /* one of those for which there was no number left */
#define LEAVES_MAX      254u
#define LEAVES_DER_KEPT 2048u

/* All zeros: none so far. */
struct leaves {
  uint8_t fingerprint[LEAVES_MAX][32]; /* number n is at n - 1 */
  size_t count;
  /* of the latest: devices come in crowds, and hashing costs more than looking */
  uint8_t der[LEAVES_DER_KEPT];
  size_t der_size;
  uint8_t der_number;
};

/* The number of the certificate with this SHA-256 of its DER; it gets one if it has none. */
uint8_t leaves_number(struct leaves *leaves, const uint8_t fingerprint[32]);

/* The same for a certificate itself. */
uint8_t leaves_number_of(struct leaves *leaves, const uint8_t *der, size_t size);

#endif
