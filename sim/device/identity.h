/* The device's certificate: renewed from the CSR that the back office kept, never touching the
 * private key.
 *
 * Wire and NVM format: 1 byte number of certificates (leaf first, 1..4), then per certificate 2
 * bytes size (big-endian) and X.509 DER.
 */
#ifndef FLEETSIM_DEVICE_IDENTITY_H
#define FLEETSIM_DEVICE_IDENTITY_H

#include "fleetsim/nvm.h"

#define DEVICE_CHAIN_MAX 4u

struct device_chain {
  uint8_t count;
  struct {
    const uint8_t *der; /* points into the parsed bytes */
    uint16_t size;
  } certificate[DEVICE_CHAIN_MAX];
};

enum device_update device_chain_parse(const uint8_t *data, size_t size, struct device_chain *out);

/* Writes the format above; returns its size, or 0 if it does not fit. */
size_t device_chain_encode(const struct device_chain *chain, uint8_t *out, size_t capacity);

/* What this device would say of the chain, which is not put in force: COMMITTED, or what is wrong
 * with certificate number *which (0: the leaf). The leaf's key and name are asked for after all
 * certificates were found to parse. For whoever makes or takes over chains; `identity` is as
 * device_nvm_name_identity leaves it. Inside device_platform_enter, after psa_crypto_init. */
enum device_update device_identity_vet(const struct device_nvm_identity *identity,
                                       const struct device_chain *chain, uint8_t *which);

/* Checks that the leaf's public key belongs to the private key and that its only name of the kind
 * that counts is the one the device was flashed with, that every certificate parses, then puts the
 * chain in force in NVM. SAME if these very bytes are in force already. `identity` is as NVM has
 * it. Inside device_platform_enter, after psa_crypto_init. */
enum device_update device_identity_update(const struct device_host *host,
                                          const struct device_nvm_identity *identity,
                                          const uint8_t *data, size_t size);

#endif
