/* Firmware images in MCUboot's format: what a device asks of one before its boot loader starts it.
 *
 * Little-endian (docs.mcuboot.com, "Bootloader design", "Image format";
 * boot/bootutil/include/bootutil/image.h):
 *     header   32 bytes {u32 magic 0x96f3b83d, u32 load address 0, u16 header_size >= 32, u16 size
 *              of the protected list, u32 body_size, u32 flags 0, version {u8 major, u8 minor, u16
 *              revision, u32 build}, u32 padding}, then header_size - 32 bytes that mean nothing
 *              here
 *     body     body_size bytes
 *     protected list  {u16 magic 0x6908, u16 size with these four bytes}, entries {u16 type, u16
 *                     size, value}:
 *              SEC_CNT 0x50 (u32), our device class 0xA0 (u32), optionally a trust bundle 0xA1
 *              (sim/device/trust.h) that is put in force when this image boots
 *     list     the same with magic 0x6907: SHA256 0x10 over all before this list, KEYHASH 0x01
 *              (SHA-256 of the signing key's DER SubjectPublicKeyInfo), ECDSA 0x22 (DER, over that
 *              hash)
 *
 * Stricter than MCUboot, so that each byte of the file is either signed or checked: the file ends
 * with the list; an entry occurs once; the list, which is not signed, has these three entries and
 * no other; flags ask for a treatment (encryption, compression, execution from RAM) that this boot
 * loader does not have, so there are none. A dependency 0x40 (u8 image, 3 bytes, version) is met by
 * this image alone, image 0. Other entries of the protected list are signed and skipped; that goes
 * for the vendor and class ids 0x74 and 0x75 too, as for an MCUboot built without them.
 *
 * An image is read in slices wherever it lies and is never whole in RAM. Freestanding, no
 * allocation. Functions that hash or verify: inside device_platform_enter, after psa_crypto_init.
 */
#ifndef FLEETSIM_DEVICE_IMAGE_H
#define FLEETSIM_DEVICE_IMAGE_H

#include <psa/crypto.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/ota.h"

#define DEVICE_IMAGE_MAGIC           0x96f3b83du
#define DEVICE_IMAGE_HEADER_SIZE     32u
#define DEVICE_IMAGE_LIST_MAGIC      0x6907u
#define DEVICE_IMAGE_PROTECTED_MAGIC 0x6908u
#define DEVICE_IMAGE_TLV_KEYHASH     0x01u
#define DEVICE_IMAGE_TLV_SHA256      0x10u
#define DEVICE_IMAGE_TLV_ECDSA       0x22u
#define DEVICE_IMAGE_TLV_DEPENDENCY  0x40u
#define DEVICE_IMAGE_TLV_COUNTER     0x50u
#define DEVICE_IMAGE_TLV_CLASS       0xA0u
#define DEVICE_IMAGE_TLV_TRUST       0xA1u
#define DEVICE_IMAGE_SIGNATURE_MAX   72u /* DER: two integers of at most 33 bytes */

/* Where an image lies. `read` is never asked for bytes beyond `size`; 0, or a negative number on
   failure. */
struct device_image_source {
  void *ctx;
  int (*read)(void *ctx, uint32_t offset, void *out, size_t size);
  uint32_t size; /* of the whole file */
};

/* What an image says of itself. Offsets are from the file's first byte. */
struct device_image_info {
  uint32_t version, counter, device_class;
  uint32_t header_size, body_size;
  /* bytes that the hash covers: header, body and protected list */
  uint32_t signed_size;
  uint32_t trust_offset, trust_size; /* size 0: it carries no trust bundle */
  uint32_t signature_offset;
  uint8_t signature_size;
  uint8_t hash[32], key_hash[32];
};

/* What may be wrong with header and lists: symbol, the status that it makes, sentence. imgtool is
   MCUboot's. */
/* clang-format off */
#define DEVICE_IMAGE_FLAWS(X) \
  X(NONE,            NONE,         "nothing") \
  X(READ,            FLASH_FAILED, "it could not be read") \
  /* of the header; `number` is what its field says */ \
  X(SHORT,           BAD_IMAGE,    "it is shorter than an image's header") \
  X(MAGIC,           BAD_IMAGE,    "it does not begin as an image of MCUboot does: sign the firmware first") \
  X(HEADER_SIZE,     BAD_IMAGE,    "it says that its header has less than 32 bytes") \
  X(NO_BODY,         BAD_IMAGE,    "there is no firmware in it: its body has 0 bytes") \
  X(ENCRYPTED,       BAD_IMAGE,    "it is encrypted, and these devices have no key for that: sign it without --encrypt") \
  X(COMPRESSED,      BAD_IMAGE,    "it is compressed, and these devices do not decompress: sign it without --compression") \
  X(RAM_LOAD,        BAD_IMAGE,    "it is to be loaded into RAM, and these devices run from flash: sign it without --load-addr") \
  X(ROM_FIXED,       BAD_IMAGE,    "it was built for one address in flash, which these devices cannot promise: sign it without --rom-fixed") \
  X(NON_BOOTABLE,    BAD_IMAGE,    "it says that it cannot be booted: sign it without --non-bootable") \
  X(FLAGS,           BAD_IMAGE,    "its flags ask for something that these devices do not do") \
  X(LOAD_ADDRESS,    BAD_IMAGE,    "it has a load address, and these devices run from flash: sign it without --load-addr") \
  /* of the lists */ \
  X(CUT_OFF,         BAD_TLV,      "the file ends before its lists of entries do: it is not whole") \
  X(NO_PROTECTED,    BAD_TLV,      "it has no protected entries, so neither security counter nor device class: sign it with imgtool's -s N --custom-tlv 0xa0 0x01000000") \
  X(LIST,            BAD_TLV,      "where a list of entries should begin there is something else") \
  X(PROTECTED_SIZE,  BAD_TLV,      "header and protected list do not agree about the list's size") \
  X(ENTRY,           BAD_TLV,      "an entry is longer than the list that it is in") \
  X(AFTER,           BAD_TLV,      "the file goes on after the image") \
  X(SIZE,            BAD_TLV,      "an entry has the wrong size") \
  X(TWICE,           BAD_TLV,      "an entry is there twice") \
  X(DEPENDENCY,      BAD_TLV,      "it depends on an image that these devices do not have, or on a newer one of itself") \
  X(WHOLE_KEY,       BAD_TLV,      "it has its whole public key in place of the key's hash: sign it without --public-key-format full") \
  X(OTHER_HASH,      BAD_TLV,      "its hash is another than SHA-256: sign it without --sha, by a P-256 key") \
  X(OTHER_SIGNATURE, BAD_TLV,      "its signature is another than ECDSA over its hash: sign it by a P-256 key, without --pure") \
  X(ENCRYPTION_KEY,  BAD_TLV,      "it carries an encryption key, and these devices have no use for one: sign it without --encrypt and --clear") \
  X(UNSIGNED,        BAD_TLV,      "an entry stands in the list that nobody signed and does not belong there") \
  X(NO_COUNTER,      BAD_TLV,      "it has no security counter: sign it with imgtool's -s N") \
  X(NO_CLASS,        BAD_TLV,      "it has no device class: sign it with imgtool's --custom-tlv 0xa0 0x01000000 (class 1, little-endian)") \
  X(NO_HASH,         BAD_TLV,      "it has no SHA-256") \
  X(NO_SIGNATURE,    BAD_TLV,      "it is not signed: sign it with imgtool's -k KEY") \
  X(NO_KEY_HASH,     BAD_TLV,      "it does not say by whose key it is signed: sign it with imgtool's -k KEY")
/* clang-format on */

enum device_image_flaw {
#define X(symbol, status, sentence) DEVICE_IMAGE_FLAW_##symbol,
  DEVICE_IMAGE_FLAWS(X)
#undef X
      DEVICE_IMAGE_FLAW_COUNT
};

/* A flaw, and where: the entry's type, or 0, and the number that is wrong: a field of the header,
 * an offset, bytes too many, the size of an entry, the image that another depends on. */
struct device_image_finding {
  enum device_image_flaw flaw;
  uint16_t type;
  uint32_t number;
};

/* Reads header and lists. NONE when they are whole and have all that is needed, else BAD_IMAGE: the
 * header is none; BAD_TLV: the file ends before its lists do, or after, or they are malformed or
 * lack an entry; FLASH_FAILED: a read failed. `info` is all zero unless NONE. Says nothing about
 * hash and signature. */
enum device_ota_status device_image_parse(const struct device_image_source *source,
                                          struct device_image_info *info);

/* The same, and why: `finding->flaw` is DEVICE_IMAGE_FLAW_NONE where the status is NONE. */
enum device_ota_status device_image_examine(const struct device_image_source *source,
                                            struct device_image_info *info,
                                            struct device_image_finding *finding);

/* SHA-256 of an image, a slice at a time. After begin, end it with finish or abort. */
struct device_image_check {
  psa_hash_operation_t operation;
  uint32_t at, size;
};

/* Begins the hash over info->signed_size bytes. 0, or -1. */
int device_image_hash_begin(struct device_image_check *check, const struct device_image_info *info);

/* Hashes at most `max_bytes` more, at least one. 1: there is more to hash, 0: it is complete, -1: a
 * read or the hash failed. */
int device_image_hash_continue(struct device_image_check *check,
                               const struct device_image_source *source, uint32_t max_bytes);

/* 0, or -1 when it was not complete; either way it is over. */
int device_image_hash_finish(struct device_image_check *check, uint8_t hash[32]);
void device_image_hash_abort(struct device_image_check *check);

/* By what a boot loader believes an image. */
struct device_image_owner {
  const uint8_t *key;     /* uncompressed point, 65 bytes */
  bool padded_signatures; /* zeros after the signature's DER are taken, see device_ota_profile */
};

/* Whether an image that parsed to `info` and hashes to `hash` is one that `owner` signed. NONE,
 * else HASH_MISMATCH, WRONG_KEY (the key hash is another key's), BAD_SIGNATURE or FLASH_FAILED.
 * Version, counter and class are the caller's to compare. */
enum device_ota_status device_image_judge(const struct device_image_source *source,
                                          const struct device_image_info *info,
                                          const uint8_t hash[32],
                                          const struct device_image_owner *owner);

/* All of it in one call: parse, hash, judge. */
enum device_ota_status device_image_verify(const struct device_image_source *source,
                                           const struct device_image_owner *owner,
                                           struct device_image_info *info);

/* SHA-256 of the DER SubjectPublicKeyInfo (RFC 5480) of a P-256 key: the value of KEYHASH. 0, or
   -1. */
int device_image_key_hash(const uint8_t image_key[65], uint8_t hash[32]);

#endif
