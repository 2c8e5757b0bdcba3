/* What is true of a cipher suite. */
#ifndef FLEETSIM_GAUNTLET_HELLO_SUITES_H
#define FLEETSIM_GAUNTLET_HELLO_SUITES_H

#include <stdint.h>

enum hello_suite_trait {
  HELLO_SUITE_KNOWN = 1u << 0,
  HELLO_SUITE_SIGNAL = 1u << 1, /* no suite: an SCSV */
  HELLO_SUITE_TLS12 = 1u << 2,  /* of no version before that */
  HELLO_SUITE_TLS13 = 1u << 3,  /* of no other version */
  HELLO_SUITE_NULL = 1u << 4,   /* nothing is encrypted */
  HELLO_SUITE_ANONYMOUS = 1u << 5,
  HELLO_SUITE_EXPORT = 1u << 6, /* less than 112 bits: export, DES, RC2 */
  HELLO_SUITE_RC4 = 1u << 7,
  HELLO_SUITE_3DES = 1u << 8,
  HELLO_SUITE_CBC = 1u << 9,
  HELLO_SUITE_RSA = 1u << 10,         /* the client encrypts the secret to the server's key */
  HELLO_SUITE_STATIC_DH = 1u << 11,   /* over a finite field, with the certificate's key */
  HELLO_SUITE_STATIC_ECDH = 1u << 12, /* the same over a curve */
  HELLO_SUITE_DHE = 1u << 13,         /* over a finite field, with a key of its own */
  HELLO_SUITE_PSK = 1u << 14,         /* both ends know the secret beforehand */
};

/* A sum of those; 0: no such suite is known. */
unsigned hello_suite_traits(uint16_t suite);

#endif
