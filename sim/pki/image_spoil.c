/* Images that are spoiled on purpose: one harm at a time, everything else stays good. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device/bytes.h"
#include "device/image.h"
#include "internal.h"
#include "pki/image.h"
#include "pki/image_cause.h"

#define ENDLESS_MIN 65536u /* bytes too many, at least */

/* A good image that is being spoiled. */
struct victim {
  uint8_t *data;
  size_t size;
  struct device_image_info info;
};

static int read_memory(void *ctx, uint32_t offset, void *out, size_t size)
{
  memcpy(out, (const uint8_t *) ctx + offset, size);
  return 0;
}

static int examine(struct victim *victim, struct error *error)
{
  struct device_image_source source = {victim->data, read_memory, (uint32_t) victim->size};
  struct device_image_finding finding;
  char cause[PKI_IMAGE_CAUSE_MAX] = "it has 4 GiB or more";
  if (victim->size <= UINT32_MAX) {
    if (device_image_examine(&source, &victim->info, &finding) == DEVICE_OTA_NONE) return 0;
    pki_image_cause(&source, &finding, cause);
  }
  return error_set(error, EXIT_CODE_USAGE, "only a good image can be spoiled, and this is none: %s",
                   cause);
}

/* Where the value of an entry of the unsigned list begins; it is there, because the image has been
   parsed. */
static uint8_t *find(struct victim *victim, uint16_t type)
{
  uint8_t *at = victim->data + victim->info.signed_size + 4, *end = victim->data + victim->size;
  while (at < end && device_get16_le(at) != type) at += 4 + device_get16_le(at + 2);
  return at + 4;
}

/* The same firmware, made and signed anew: entries of its protected list that this program does not
   know are lost. */
static int remake(struct victim *victim, uint32_t counter, uint32_t device_class, EVP_PKEY *key,
                  struct error *error)
{
  const struct device_image_info *info = &victim->info;
  const struct pki_image image = {.version = info->version,
                                  .counter = counter,
                                  .device_class = device_class,
                                  .body = victim->data + info->header_size,
                                  .body_size = info->body_size,
                                  .trust = victim->data + info->trust_offset,
                                  .trust_size = info->trust_size};
  uint8_t hash[32];
  uint32_t size = 0;
  if (key == NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "this harm is one that the owner signs: name the key, or the fleet");
  if (pki_image_size(&image, &size, error) != 0 || size == 0) return -1;
  uint8_t *made = malloc(size);
  if (made == NULL)
    return error_set(error, EXIT_CODE_SETUP, "no memory for an image of %u bytes", size);
  if (pki_image_write(&image, key, made, hash, error) != 0) {
    free(made);
    return -1;
  }
  free(victim->data);
  victim->data = made;
  victim->size = size;
  return examine(victim, error);
}

static int sign_as_stranger(struct victim *victim, struct error *error)
{
  EVP_PKEY *stranger = pki_key_generate(error);
  if (stranger == NULL) return -1;
  int result = remake(victim, victim->info.counter, victim->info.device_class, stranger, error);
  EVP_PKEY_free(stranger);
  return result;
}

static int lengthen(struct victim *victim, uint64_t *random, struct error *error)
{
  size_t more = victim->size < ENDLESS_MIN ? ENDLESS_MIN : victim->size;
  uint8_t *longer = realloc(victim->data, victim->size + more);
  if (longer == NULL)
    return error_set(error, EXIT_CODE_SETUP, "no memory for %zu bytes more", more);
  for (size_t i = 0; i < more; i++) longer[victim->size + i] = (uint8_t) random_next(random);
  victim->data = longer;
  victim->size += more;
  return 0;
}

/* The signature is the last entry of what this program makes; in others it becomes the last one. */
static void drop_signature(struct victim *victim)
{
  uint8_t *entry = find(victim, DEVICE_IMAGE_TLV_ECDSA) - 4,
          *list = victim->data + victim->info.signed_size;
  size_t entry_size = 4u + victim->info.signature_size;
  memmove(entry, entry + entry_size, (size_t) (victim->data + victim->size - entry) - entry_size);
  device_put16_le(list + 2, (uint16_t) (device_get16_le(list + 2) - entry_size));
  victim->size -= entry_size;
}

static int spoil(enum pki_image_harm harm, struct victim *v, uint64_t random, EVP_PKEY *key,
                 struct error *error)
{
  switch (harm) {
  case PKI_HARM_BIT_FLIP:
    assert(v->info.body_size > 0); /* it has been examined */
    v->data[v->info.header_size + random_next(&random) % v->info.body_size] ^=
        (uint8_t) (1u << random_next(&random) % 8);
    return 0;
  case PKI_HARM_TRUNCATED: v->size = 1 + random_next(&random) % (v->size - 1); return 0;
  case PKI_HARM_ENDLESS: return lengthen(v, &random, error);
  case PKI_HARM_BAD_MAGIC: v->data[0] ^= 0xff; return 0;
  case PKI_HARM_BAD_TLV: device_put16_le(find(v, DEVICE_IMAGE_TLV_ECDSA) - 2, 0xffff); return 0;
  case PKI_HARM_WRONG_KEY: return sign_as_stranger(v, error);
  case PKI_HARM_BAD_SIGNATURE:
    find(v, DEVICE_IMAGE_TLV_ECDSA)[v->info.signature_size - 1] ^= 1;
    return 0;
  case PKI_HARM_NO_TLV: drop_signature(v); return 0;
  case PKI_HARM_WRONG_CLASS:
  case PKI_HARM_NOT_AS_ANNOUNCED:
    return remake(v, v->info.counter, v->info.device_class + 1, key, error);
  case PKI_HARM_OLDER_COUNTER: return remake(v, 0, v->info.device_class, key, error);
  default: return 0;
  }
}

/* What the manifest says after the harm: the truth about an image that its owner has made, else
   what it said before. */
static void announce(enum pki_image_harm harm, const struct victim *victim,
                     struct device_manifest *manifest)
{
  if (harm == PKI_HARM_STALE_MANIFEST) manifest->serial = 1;
  if (harm == PKI_HARM_OVERSIZE) manifest->size = UINT32_MAX;
  if (harm == PKI_HARM_NO_TLV) manifest->size = (uint32_t) victim->size;
  if (harm != PKI_HARM_WRONG_CLASS && harm != PKI_HARM_OLDER_COUNTER &&
      harm != PKI_HARM_NOT_AS_ANNOUNCED && harm != PKI_HARM_WRONG_KEY)
    return;
  manifest->size = (uint32_t) victim->size;
  manifest->counter = victim->info.counter;
  if (harm != PKI_HARM_NOT_AS_ANNOUNCED) manifest->device_class = victim->info.device_class;
  memcpy(manifest->hash, victim->info.hash, sizeof manifest->hash);
}

int pki_image_spoil(enum pki_image_harm harm, uint64_t seed, EVP_PKEY *key, uint8_t **image,
                    size_t *size, struct device_manifest *manifest, struct error *error)
{
  struct victim victim = {.data = *image, .size = *size};
  if (manifest == NULL && (harm >= PKI_HARM_OVERSIZE || harm == PKI_HARM_NOT_AS_ANNOUNCED))
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' is a harm of the manifest, not of an image: rehearse it with the step "
                     "'corrupt' of a scenario",
                     pki_harm_name(harm));
  if (examine(&victim, error) != 0) return -1;
  int result = spoil(harm, &victim, seed, key, error);
  *image = victim.data;
  *size = victim.size;
  if (result == 0 && manifest != NULL) announce(harm, &victim, manifest);
  return result;
}
