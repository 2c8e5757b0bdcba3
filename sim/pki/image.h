/* Firmware images (sim/device/image.h) and manifests (sim/device/manifest.h) from the side of
 * whoever makes them, and the ways in which somebody else may spoil them.
 *
 * Images are signed by image.key of the fleet folder, manifests by its update.key: two keys, apart
 * from every TLS CA. A firmware house's own key works as well: put it into image.key before the
 * fleet's first update.
 */
#ifndef FLEETSIM_PKI_IMAGE_H
#define FLEETSIM_PKI_IMAGE_H

#include "device/manifest.h"
#include "pki/pki.h"

struct evp_pkey_st; /* an EVP_PKEY of OpenSSL */

/* The key that the folder's devices believe images by. Made now in a folder from before there was
 * one. The key is the folder's: valid until pki_close, not to be freed. */
int pki_image_key(struct pki *pki, struct evp_pkey_st **key, struct error *error);
int pki_image_point(struct pki *pki, uint8_t out[65], struct error *error);

/* An image that is to be made. */
struct pki_image {
  uint32_t version, counter, device_class;
  /* bytes of the whole file; its body is pseudo-random. Not used when there is a body */
  uint32_t size;
  uint64_t seed;       /* of that body: the same seed and size, the same bytes */
  const uint8_t *body; /* a firmware's own bytes, or NULL */
  uint32_t body_size;
  const uint8_t *trust; /* a whole trust bundle that comes into force with the image, or NULL */
  size_t trust_size;
};

/* Bytes of the file that such an image becomes: the same each time. USAGE: it has no body, or is 4
   GiB or more. */
int pki_image_size(const struct pki_image *image, uint32_t *size, struct error *error);

/* Writes the image's pki_image_size bytes to `out`, signed with `key`. `hash` receives what its
 * SHA256 entry holds. `image->body` may be `out` + DEVICE_IMAGE_HEADER_SIZE, its place in the
 * file. */
int pki_image_write(const struct pki_image *image, struct evp_pkey_st *key, uint8_t *out,
                    uint8_t hash[32], struct error *error);

/* The same with the folder's key; the caller frees *out. */
int pki_image_make(struct pki *pki, const struct pki_image *image, uint8_t **out, size_t *size,
                   uint8_t hash[32], struct error *error);

/* Encodes and signs a manifest; at most DEVICE_MANIFEST_MAX bytes. USAGE: devices would refuse it
   as BAD_MANIFEST. */
int pki_manifest_make(struct pki *pki, const struct device_manifest *manifest, uint8_t *out,
                      size_t capacity, size_t *size, struct error *error);

/* What may be wrong with an update: symbol, word (of scenario files), how a device ends that is
 * offered it, sentence.
 */
/* clang-format off */
#define PKI_IMAGE_HARMS(X) \
  X(NONE,               "none",               CONFIRMED,          "nothing is wrong") \
  /* of the image; what the manifest says of it stays as it was */ \
  X(BIT_FLIP,           "bit-flip",           HASH_MISMATCH,      "one bit of the body is another") \
  X(TRUNCATED,          "truncated",          TRUNCATED,          "the file ends early") \
  X(ENDLESS,            "endless",            ENDLESS,            "the file goes on where it should end") \
  X(BAD_MAGIC,          "bad-magic",          BAD_IMAGE,          "it does not begin as an image does") \
  X(BAD_TLV,            "bad-tlv",            BAD_TLV,            "an entry says that it is longer than its list") \
  X(WRONG_KEY,          "wrong-key",          WRONG_KEY,          "it is signed by a stranger's key") \
  X(BAD_SIGNATURE,      "bad-signature",      BAD_SIGNATURE,      "the signature is of something else") \
  /* of what the owner of the keys has made; image and manifest are signed */ \
  X(NO_TLV,             "no-tlv",             BAD_TLV,            "it has no signature at all") \
  X(WRONG_CLASS,        "wrong-class",        WRONG_CLASS,        "it is for another class of device, and says so") \
  X(OLDER_COUNTER,      "older-counter",      OLD_COUNTER,        "its security counter is 0") \
  X(NOT_AS_ANNOUNCED,   "not-as-announced",   NOT_AS_ANNOUNCED,   "it is for another class than the manifest says") \
  /* of the manifest alone */ \
  X(OVERSIZE,           "oversize",           OVERSIZE,           "the manifest announces more than any slot holds") \
  X(STALE_MANIFEST,     "stale-manifest",     STALE_MANIFEST,     "the manifest's serial is 1 again") \
  X(MANIFEST_SIGNATURE, "manifest-signature", MANIFEST_SIGNATURE, "the manifest was changed after it was signed") \
  X(BAD_MANIFEST,       "bad-manifest",       BAD_MANIFEST,       "the manifest does not begin as one does")
/* clang-format on */

enum pki_image_harm {
#define X(symbol, word, status, sentence) PKI_HARM_##symbol,
  PKI_IMAGE_HARMS(X)
#undef X
      PKI_HARM_COUNT
};

const char *pki_harm_name(enum pki_image_harm harm);
const char *pki_harm_sentence(enum pki_image_harm harm);
int pki_harm_find(const char *name); /* -1: there is none */

/* How an update ends that has this harm. Over MQTT, where nobody sees the end of a file, a
 * TRUNCATED one may also end as NO_ANSWER. */
enum device_ota_status pki_harm_status(enum pki_image_harm harm);

/* Spoils a good image, *size bytes from malloc (which may become others), and what its manifest
 * will say: `manifest` is that of the good image and is changed where the harm is one of the
 * manifest; NULL: there is none, then harms of the manifest alone, and NOT_AS_ANNOUNCED, are a
 * USAGE error. `key` signs again where the owner would; NULL: harms that need it are a USAGE error.
 * `seed` chooses bit and place. The harms of a signed manifest are pki_manifest_spoil's. */
int pki_image_spoil(enum pki_image_harm harm, uint64_t seed, struct evp_pkey_st *key,
                    uint8_t **image, size_t *size, struct device_manifest *manifest,
                    struct error *error);

/* Spoils a signed manifest: MANIFEST_SIGNATURE, BAD_MANIFEST. Other harms are in what was signed
   and change nothing. */
void pki_manifest_spoil(enum pki_image_harm harm, uint8_t *data, size_t size);

#endif
