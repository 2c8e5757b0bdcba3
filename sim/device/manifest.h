/* Manifests: the signed announcement of a firmware image, or of the end of one.
 *
 * Wire format "FSM1", big-endian:
 *      0  magic "FSM1"
 *      4  serial u32, from 1, never goes backwards
 *      8  version u32 (DEVICE_VERSION)      12  security counter u32
 *     16  device class u32                  20  size of the whole image file u32
 *     24  block size u16: a power of two    26  kind u8
 *     27  length of the URL u8 28 SHA-256 that the image carries (its TLV 0x10), 32 bytes
 *     60  URL, without terminator: kind HTTPS only, "https://" and printable ASCII
 *      n  ECDSA P-256 signature r||s by the update key over SHA-256 of all before, 64 bytes
 *
 * The update key is that of trust bundles, and not the key that signs images: who may announce
 * cannot make firmware.
 */
#ifndef FLEETSIM_DEVICE_MANIFEST_H
#define FLEETSIM_DEVICE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "fleetsim/ota.h"
#include "signature.h"

#define DEVICE_MANIFEST_HEAD 60u /* bytes before the URL */
#define DEVICE_MANIFEST_MAX  (DEVICE_MANIFEST_HEAD + DEVICE_OTA_URL_MAX - 1u + DEVICE_SIGNATURE_SIZE)

enum device_manifest_kind {
  DEVICE_MANIFEST_BLOCKS, /* over MQTT, ota/get and ota/block */
  DEVICE_MANIFEST_HTTPS,  /* from `url` */
  /* call off the update of this serial or a lower one; the rest says nothing */
  DEVICE_MANIFEST_CANCEL,
};

struct device_manifest {
  uint32_t serial, version, counter, device_class;
  uint32_t size; /* bytes of the whole file */
  /* a power of two, DEVICE_OTA_BLOCK_MIN or more; may be above DEVICE_OTA_BLOCK_MAX */
  uint16_t block_size;
  uint8_t kind; /* enum device_manifest_kind */
  uint8_t hash[32];
  char url[DEVICE_OTA_URL_MAX]; /* terminated; "" unless HTTPS */
};

/* Parses the structure; does not look at the signature. NONE, or BAD_MANIFEST, and then `out` is
 * all zero. Whether the image is wanted and fits is the device's to say. A cancellation's size and
 * block size may be anything. */
enum device_ota_status device_manifest_parse(const uint8_t *data, size_t size,
                                             struct device_manifest *out);

/* NONE, or MANIFEST_SIGNATURE: the last 64 bytes are no signature of the others by `update_key`
 * (uncompressed point). Any bytes may be given. Inside device_platform_enter, after
 * psa_crypto_init. */
enum device_ota_status device_manifest_verify(const uint8_t *data, size_t size,
                                              const uint8_t update_key[65]);

/* Writes everything that is signed; returns its size, or 0 if it does not fit, or if
 * device_manifest_parse would refuse it. For the one who makes manifests. */
size_t device_manifest_encode(const struct device_manifest *manifest, uint8_t *out,
                              size_t capacity);

#endif
