/* The device's non-volatile memory page: what flash holds, and how it survives a power cut at any
 * byte.
 *
 *     0      identity   written once at flashing: id, name, raw private key, update key, CRC
 *     256    trust A | trust B               two slots each: the newest whole one is in force
 *            certificate A | certificate B
 *            ticket A | ticket B
 *            images A | images B            sim/device/slots.h
 *
 * This is the format in which a factory (sim/pki) fills pages and reads them back, so a client that
 * is to stand in the built-in one's place keeps identity, trust and certificate in it; tickets and
 * images are each client's own business. A trust payload is a signed bundle (sim/device/trust.h). A
 * certificate payload is a chain: 1 byte number of certificates (leaf first, 1..4), then per
 * certificate 2 bytes size and X.509 DER (sim/device/identity.h parses and makes it).
 *
 * A slot is a header {magic, sequence, size, CRC-32 of header and payload} and a payload. An update
 * stages the payload in the slot that is not in force, reads it back, and commits by writing the
 * header last. A torn write leaves a header whose CRC does not fit, so the other slot stays in
 * force: the old state or the new, never neither.
 *
 * Numbers are big-endian. Freestanding.
 */
#ifndef FLEETSIM_NVM_H
#define FLEETSIM_NVM_H

#include "fleetsim/device.h"

#define DEVICE_NVM_PAGE_SIZE       12288u
#define DEVICE_NVM_SLOT_HEADER     16u
#define DEVICE_NVM_TRUST_MAX       2304u /* payload bytes of one trust slot */
#define DEVICE_NVM_CERTIFICATE_MAX 1536u /* payload bytes of one certificate slot */
#define DEVICE_NVM_TICKET_MAX      1536u /* payload bytes of one session ticket slot */
#define DEVICE_NVM_IMAGES_MAX      512u  /* payload bytes of one record of the image slots */

enum device_nvm_area {
  DEVICE_NVM_TRUST,
  DEVICE_NVM_CERTIFICATE,
  DEVICE_NVM_TICKET,
  DEVICE_NVM_IMAGES, /* after those that a connection stands on */
  DEVICE_NVM_AREAS
};

/* Where a certificate says whose it is. */
enum device_subject {
  DEVICE_SUBJECT_CN,            /* commonName of its subject */
  DEVICE_SUBJECT_SERIAL_NUMBER, /* serialNumber of its subject (X.520) */
  DEVICE_SUBJECT_SAN_URI, /* uniformResourceIdentifier in subjectAltName (RFC 5280, 4.2.1.6) */
  DEVICE_SUBJECT_SAN_DNS, /* dNSName there */
  DEVICE_SUBJECTS
};

struct device_nvm_identity {
  uint32_t id; /* short, for whoever keeps pages; the device itself goes by its name */
  /* Flashing: empty is the eight digits of `id`. A page of the older format has no other. */
  char name[DEVICE_NAME_TEXT];
  /* What a certificate must say there to be this device's. Flashing: empty is the name. */
  char subject[DEVICE_NAME_TEXT];
  uint8_t subject_kind;    /* enum device_subject */
  uint8_t private_key[32]; /* P-256 scalar, big-endian */
  uint8_t update_key[65];  /* uncompressed P-256 point that signs trust bundles; not a TLS key */
};

/* The slot in force. `size` 0 and `sequence` 0: none. */
struct device_nvm_slot {
  uint32_t sequence;
  uint32_t offset; /* of the payload in the page */
  uint32_t size;
  uint32_t crc;  /* of header and payload, as checked */
  uint8_t index; /* 0 = A, 1 = B */
};

/* All return 0 or -1 (a hook failed, or the data is damaged). */
int device_nvm_read_identity(const struct device_host *host, struct device_nvm_identity *out);

/* Puts in what stands for an empty name and an empty subject. */
void device_nvm_name_identity(struct device_nvm_identity *identity);

/* Finds the slot in force by reading both headers and checking CRCs. An area with no whole slot
   gives size 0. */
int device_nvm_find(const struct device_host *host, enum device_nvm_area area,
                    struct device_nvm_slot *out);

/* 1 if the slot in force holds exactly these bytes, 0 if not, -1 if it cannot be read. */
int device_nvm_holds(const struct device_host *host, enum device_nvm_area area, const uint8_t *data,
                     size_t size);

/* Writes `data` into the slot that is not in force, commits it and reads it back. On -1 the old
   slot is in force. */
int device_nvm_replace(const struct device_host *host, enum device_nvm_area area,
                       const uint8_t *data, size_t size);

/* Empties an area, payloads too; writes nothing where there is nothing. After a power cut the slot
 * in force is the one from before or none, never an older one. */
int device_nvm_erase(const struct device_host *host, enum device_nvm_area area);

/* Flashing: writes identity and empties all slots. -1 also for a name or a subject that is none
   (device_name_is_good). */
int device_nvm_format(const struct device_host *host, const struct device_nvm_identity *identity);

/* CRC-32 (IEEE 802.3) of these bytes. */
uint32_t device_nvm_crc(const uint8_t *data, size_t size);

/* Largest payload of an area. */
uint32_t device_nvm_capacity(enum device_nvm_area area);

#endif
