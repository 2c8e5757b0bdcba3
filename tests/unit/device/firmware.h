/* Firmware images and manifests for unit tests, put together byte by byte. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include "certificate.h"
#include "device/image.h"
#include "device/manifest.h"

struct firmware_recipe {
  uint32_t version, counter, device_class;
  uint16_t header_size;  /* 0: 32 */
  uint32_t body_size;    /* of bytes that count up */
  const struct key *key; /* that signs; also named by the key hash */
  struct bytes trust;    /* size 0: none */
  uint16_t extra_type;   /* an entry of four bytes more, at the end of the list; 0: none */
  uint16_t signed_type;  /* the same in the protected list */
  uint16_t left_out;     /* type of an entry that is missing; 0: none */
  uint16_t twice;        /* type of an entry that is there twice; 0: none */
  uint16_t longer;       /* type of an entry with one byte more than it should have; 0: none */
};

struct firmware {
  uint8_t data[8192];
  uint32_t size;
  uint32_t protected_at, list_at;              /* offsets of the two lists */
  uint32_t hash_at, key_hash_at, signature_at; /* offsets of values; 0: not there */
  uint8_t hash[32];                            /* of header, body and protected list */
};

struct firmware firmware_make(const struct firmware_recipe *recipe);

/* Its bytes; valid as long as it is. A read beyond them stops the test. */
struct device_image_source firmware_source(const struct firmware *firmware);

/* A signed manifest, or size 0: device_manifest_encode refuses it. */
struct bytes manifest_make(const struct key *signer, const struct device_manifest *manifest);

#endif
