/* Firmware updates over the air: what a device, whoever feeds it, and whoever watches it must agree
 * on.
 *
 * An image is a file in MCUboot's format (docs.mcuboot.com, "Bootloader design";
 * sim/device/image.h). It lies in one of two slots of NOR flash; the other slot holds the image
 * that runs. A manifest, signed by the update key, announces an image; the device downloads it in
 * blocks over MQTT or as ranges of an HTTPS file, checks it against the image key of its boot
 * loader, and restarts. The first run is a trial: the new image confirms itself or the boot loader
 * goes back.
 *
 * Topics behind ROOT (struct device_naming):
 *     ota/manifest   down  QoS 1: a signed manifest (sim/device/manifest.h)
 *     ota/get        up QoS 0: 4 bytes serial of the manifest, 4 bytes number of a block n, 4 bytes
 *                    bitmap: bit i asks for block n + i
 *     ota/block      down QoS 0: 4 bytes serial, 4 bytes number, then the block; only the last may
 *                    be short
 *     ota/status     up QoS 1:
 *                    {"status":"confirmed","serial":3,"version":"1.2.0","running":"1.2.0"}:
 *                    of the update with that serial, 0: none; "version" is what it was to bring
 * Numbers are big-endian. Freestanding.
 */
#ifndef FLEETSIM_OTA_H
#define FLEETSIM_OTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_FLASH_SECTOR   4096u /* bytes that one erase sets to 0xff */
#define DEVICE_FLASH_WORD     4u    /* least bytes of one program operation, and its alignment */
#define DEVICE_FLASH_SLOTS    2u
#define DEVICE_OTA_BLOCK_MIN  256u
#define DEVICE_OTA_BLOCK_MAX  2048u
#define DEVICE_OTA_WINDOW_MAX 32u
#define DEVICE_OTA_URL_MAX    192u /* with its terminating zero */
/* "255.255.65535" and the terminating zero, see device_version_text */
#define DEVICE_VERSION_TEXT 16u

/* major 8 bits, minor 8 bits, revision 16 bits: compares as a number. MCUboot's build number is not
   used. */
#define DEVICE_VERSION(major, minor, revision) \
  ((uint32_t) (major) << 24 | (uint32_t) (minor) << 16 | (revision))

/* Where an update stands, or why it ended. The word goes into ota/status, into results.json and
   scenario files. */
/* clang-format off */
#define DEVICE_OTA_STATUSES(X) \
  X(NONE,               "none",               "no update was offered") \
  /* on its way */ \
  X(DOWNLOADING,        "downloading",        "the manifest was accepted, blocks are being fetched") \
  X(STAGED,             "staged",             "the image is whole and its signature good; the device restarts into it") \
  X(TRIAL,              "trial",              "the new image runs and has not confirmed itself yet") \
  /* ended well */ \
  X(CONFIRMED,          "confirmed",          "the new image confirmed itself") \
  X(SAME,               "same",               "the device runs that image already") \
  X(CANCELLED,          "cancelled",          "the back office called the update off before the restart") \
  /* the manifest was refused; nothing was fetched */ \
  X(BAD_MANIFEST,       "bad_manifest",       "the manifest cannot be parsed") \
  X(MANIFEST_SIGNATURE, "manifest_signature", "the manifest is not signed by the update key") \
  X(STALE_MANIFEST,     "stale_manifest",     "the manifest's serial is lower than one that the device has accepted") \
  X(WRONG_CLASS,        "wrong_class",        "the image is for another class of device") \
  X(OLD_COUNTER,        "old_counter",        "the security counter is not above that of the image that runs") \
  X(OVERSIZE,           "oversize",           "the image or its blocks do not fit the device") \
  X(BUSY,               "busy",               "the device tries another image just now") \
  /* the image was refused; the slot is given up */ \
  X(BAD_IMAGE,          "bad_image",          "the image's header is none that this boot loader starts: 'fleetsim image show' says why") \
  X(BAD_TLV,            "bad_tlv",            "the image's lists of entries are not as this boot loader wants them: 'fleetsim image show' says why") \
  X(HASH_MISMATCH,      "hash_mismatch",      "the image does not hash to what it says, or to what the manifest says") \
  X(WRONG_KEY,          "wrong_key",          "the image is signed by another key than the device's image key") \
  X(BAD_SIGNATURE,      "bad_signature",      "the image's signature is wrong") \
  X(NOT_AS_ANNOUNCED,   "not_as_announced",   "version, counter or class of the image are not those of the manifest") \
  X(ENDLESS,            "endless",            "more came than the manifest announced") \
  X(TRUNCATED,          "truncated",          "the file ended before the size that the manifest announced") \
  /* the download was given up */ \
  X(NO_ANSWER,          "no_answer",          "requests for blocks, or for the file, were not answered") \
  X(SERVER_NOT_TRUSTED, "server_not_trusted", "the update server's certificate was refused: chain, name or time") \
  X(SERVER_UNREACHABLE, "server_unreachable", "no connection to the update server") \
  X(SERVER_STATUS,      "server_status",      "the update server answered with an HTTP status that is no success") \
  X(SERVER_RANGE,       "server_range",       "the update server ignored or misread the range that was asked for") \
  X(SERVER_REDIRECTS,   "server_redirects",   "the update server redirected too often, or away from HTTPS") \
  X(SERVER_CUT,         "server_cut",         "the connection to the update server broke too often") \
  X(SERVER_TIMEOUT,     "server_timeout",     "the update server was too slow") \
  X(FLASH_FAILED,       "flash_failed",       "flash or non-volatile memory could not be written") \
  /* after the restart: the old image runs again */ \
  X(SELF_TEST,          "self_test",          "the new image failed its self-test; the old one runs again") \
  X(UNCONFIRMED,        "unconfirmed",        "the new image restarted, or took too long, before it confirmed itself; the old one runs again")
/* clang-format on */

enum device_ota_status {
#define X(symbol, name, sentence) DEVICE_OTA_##symbol,
  DEVICE_OTA_STATUSES(X)
#undef X
      DEVICE_OTA_STATUS_COUNT,
  /* Ranges of the list, each from its FIRST to its LAST: updates that were refused, or given up
     before the restart; of these, those that a download ended in */
  DEVICE_OTA_REFUSAL_FIRST = DEVICE_OTA_BAD_MANIFEST,
  DEVICE_OTA_REFUSAL_LAST = DEVICE_OTA_FLASH_FAILED,
  DEVICE_OTA_SERVER_FIRST = DEVICE_OTA_SERVER_NOT_TRUSTED,
  DEVICE_OTA_SERVER_LAST = DEVICE_OTA_SERVER_TIMEOUT,
};

const char *device_ota_status_name(enum device_ota_status status);
const char *device_ota_status_sentence(enum device_ota_status status);

/* By its name; -1: there is none. `size` bytes, not terminated. */
int device_ota_status_find(const char *name, size_t size);

/* What it is about: an update that goes on, one that ended well, a refusal or failed download, or a
   roll-back. */
static inline bool device_ota_is_under_way(enum device_ota_status s)
{
  return s == DEVICE_OTA_DOWNLOADING || s == DEVICE_OTA_STAGED || s == DEVICE_OTA_TRIAL;
}
static inline bool device_ota_is_refusal(enum device_ota_status s)
{
  return s >= DEVICE_OTA_REFUSAL_FIRST && s <= DEVICE_OTA_REFUSAL_LAST;
}
static inline bool device_ota_is_rolled_back(enum device_ota_status s)
{
  return s == DEVICE_OTA_SELF_TEST || s == DEVICE_OTA_UNCONFIRMED;
}

/* "1.2.0" */
void device_version_text(uint32_t version, char out[DEVICE_VERSION_TEXT]);

/* What is the same for all devices of one build: of the boot loader and the update client.
   Read-only, outlives them. */
struct device_ota_profile {
  /* uncompressed P-256 point that signs images; apart from every TLS key and the update key */
  uint8_t image_key[65];
  uint32_t device_class; /* images of another class are refused */
  /* bytes of each of the two slots: a multiple of DEVICE_FLASH_SECTOR; its last sector is the
     device's own, so the largest image is a sector less */
  uint32_t slot_size;
  uint8_t window; /* most blocks asked for that have not come, 1..DEVICE_OTA_WINDOW_MAX */
  /* requests, or fetches, in a row without a new byte until the download is given up */
  uint8_t attempts;
  /* blocks that have not come are asked for again, and a fetch that ended early begins again after
     rand(0, that) */
  uint32_t block_timeout_ms;
  /* from the first start of an image until it must have confirmed itself */
  uint32_t trial_timeout_ms;
  /* connection attempts in a row without CONNACK until the device looks at rescue_url by itself; 0:
     never */
  uint8_t rescue_after;
  const char *rescue_url; /* of a manifest; NULL: none */
  /* take a signature with zeros after its DER, as imgtool's --pad-sig writes it and MCUboot over
     TinyCrypt, CC310 and PSA does; over Mbed TLS it does not */
  bool padded_signatures;
};

/* A download that the body is asked for. Valid until the device's next step. */
struct device_fetch {
  const char *url; /* https; terminated, shorter than DEVICE_OTA_URL_MAX */
  uint32_t offset; /* a range from this byte on; 0: the whole file */
  /* bytes that the device can take; the body may stop beyond, but must hand over one byte more */
  uint32_t size_max;
};

#endif
