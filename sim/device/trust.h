/* Trust bundles: the signed, versioned set of trust anchors that a device accepts brokers by.
 *
 * Wire and NVM format, big-endian:
 *     4  magic "FST1", or "FST2" when it carries revocation lists
 *     4  version, from 1, never goes backwards
 *     1  number of anchors, 2..DEVICE_ANCHORS_MAX
 *     n  per anchor: 2 bytes size, X.509 DER
 *     1  FST2: number of revocation lists, 1..DEVICE_CRLS_MAX
 *     n  FST2: per list: 2 bytes size, X.509 CRL DER
 *    64  ECDSA P-256 signature r||s by the update key over SHA-256 of all bytes before it
 *
 * The update key is no TLS key: a broken broker CA cannot sign its own successor. A bundle without
 * lists is FST1 still, so that a device on a shelf with the firmware of last year takes it.
 *
 * What is asked of a revocation list, and when:
 *   at the update, what is true for ever: it parses, its hash and curve are the device's own, and
 *   where its issuer is
 *     an anchor of this bundle, that anchor has signed it and may. A list by an intermediate waits
 *     for the handshake in which the broker shows that intermediate.
 *   at the update, where the device requires lists: that an anchor has one. Without, no chain could
 *   be accepted, and no
 *     bundle could mend that any more.
 *   never at the update: its dates. The device's clock may be wrong, and a device that refused
 *   bundles because of that
 *     would refuse the one that helps it.
 *   at the handshake (tls_revocation.c): signature by the issuer, dates and serial numbers, by the
 *   device's policy.
 */
#ifndef FLEETSIM_DEVICE_TRUST_H
#define FLEETSIM_DEVICE_TRUST_H

#include <stdbool.h>

#include "fleetsim/nvm.h"

#define DEVICE_TRUST_SIGNATURE_SIZE 64u
#define DEVICE_TRUST_ANCHORS_MIN    2u /* of a bundle that is received; a factory may give one */
#define DEVICE_CRLS_MAX             8u

struct device_trust_der {
  const uint8_t *der; /* points into the parsed bytes */
  uint16_t size;
};

struct device_trust_bundle {
  uint32_t version;
  uint8_t anchor_count, crl_count;
  struct device_trust_der anchor[DEVICE_ANCHORS_MAX], crl[DEVICE_CRLS_MAX];
  size_t signed_size; /* bytes that the signature covers */
};

/* Parses the structure; checks neither signature nor certificates nor lists. COMMITTED when it is
 * well formed (no anchor: TOO_FEW_ANCHORS), else MALFORMED. */
enum device_update device_trust_parse(const uint8_t *data, size_t size,
                                      struct device_trust_bundle *out);

/* Writes everything that is signed (header, anchors and lists, no signature) into `out`; returns
 * its size, or 0 if it does not fit. For the one who makes bundles. */
size_t device_trust_encode(const struct device_trust_bundle *bundle, uint8_t *out, size_t capacity);

/* Whether a device could end a broker's chain at this certificate: it parses to its last byte, is a
 * CA and may sign certificates. For whoever makes bundles, inside device_platform_enter. */
bool device_trust_anchor_is_usable(const uint8_t *der, size_t size);

/* Checks a received bundle (structure, version against `current`, signature, two different anchors,
 * each a CA certificate that parses and may sign certificates, lists as above) and puts it in force
 * in NVM. The version in force again is SAME if the bytes are, else OLDER. `version` receives the
 * version in force afterwards. Inside device_platform_enter, after psa_crypto_init. */
enum device_update device_trust_update(const struct device_host *host, const uint8_t update_key[65],
                                       enum device_revocation policy, uint32_t current,
                                       const uint8_t *data, size_t size, uint32_t *version);

#endif
