/* Certificates and keys for unit tests of the device, made without any library but PSA, and without
 * a key in a file. A certificate's own signature is a fake: a device looks at it only in a
 * handshake. */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/identity.h"
#include "device/trust.h"

struct key {
  uint8_t scalar[32];
  uint8_t point[65];
};

/* Group setup: lends Mbed TLS random bytes (a fixed sequence) and starts PSA. 0, or -1. */
int keys_begin(void);

/* The same label gives the same key. */
struct key key_make(const char *label);

/* ECDSA P-256 over SHA-256 of data, r||s. */
void key_sign(const struct key *key, const uint8_t *data, size_t size, uint8_t signature[64]);

struct recipe {
  const char *cn, *second_cn;         /* second_cn may be NULL */
  const char *serial_number;          /* of the subject; may be NULL */
  const char *uri, *second_uri, *dns; /* alternative names; each may be NULL */
  const struct key *key;
  size_t filler;      /* bytes of an O attribute, up to 200, to reach a realistic size */
  bool no_extensions; /* a certificate without basicConstraints and keyUsage */
  bool not_ca;
  /* first byte of the bit string: 0x04 keyCertSign, 0x02 cRLSign, 0x80 digitalSignature */
  uint8_t key_usage;
  bool p384; /* claims a curve that the device does not have */
};

struct certificate {
  uint8_t der[1024];
  uint16_t size;
};

struct certificate certificate_make(const struct recipe *recipe);

/* A usable root of this name, about 450 bytes, with a key of its own. */
struct certificate root_make(const char *name);

struct crl_recipe {
  const char *issuer;       /* a root of root_make, or anybody */
  const struct key *signer; /* NULL: the issuer's own */
  const char *next_update;  /* UTCTime; NULL: 491231235959Z */
  bool sha384;              /* says that its signature is ECDSA with SHA-384 */
  bool critical_extension;  /* has one that nobody knows, as a partitioned list would */
};

/* A revocation list of one serial number, really signed. */
struct certificate crl_make(const struct crl_recipe *recipe);

struct bytes {
  uint8_t data[4096];
  size_t size;
};

/* A signed bundle of these anchors, and of these revocation lists. */
struct bytes bundle_make(const struct key *signer, uint32_t version, size_t count,
                         const struct certificate *anchors);
struct bytes bundle_make_with_lists(const struct key *signer, uint32_t version, size_t count,
                                    const struct certificate *anchors, size_t list_count,
                                    const struct certificate *lists);

/* A chain of these certificates, leaf first. */
struct bytes chain_make(size_t count, const struct certificate *certificates);

#endif
