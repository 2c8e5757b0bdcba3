/* Images of a run: made or read, announced by a signed manifest, and spoiled on purpose. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/image.h"
#include "fleetsim/nvm.h"
#include "pki/image.h"
#include "pki/image_cause.h"
#include "stage/firmware.h"
#include "stage/folder.h"
#include "stage/wait.h"

#define FILE_MAX (64u * 1024u * 1024u)

/* --- Files ------------------------------------------------------------------------------------ */

static int read_memory(void *ctx, uint32_t offset, void *out, size_t size)
{
  memcpy(out, (const uint8_t *) ctx + offset, size);
  return 0;
}

/* What the file's bytes say of themselves, and whether devices of this run would take them. */
static int examine(const struct stage *stage, struct stage_image *image, const char *file,
                   struct device_image_info *info, struct error *error)
{
  const struct device_image_source source = {image->bytes, read_memory, (uint32_t) image->size};
  struct device_image_finding finding;
  char cause[PKI_IMAGE_CAUSE_MAX];
  if (device_image_examine(&source, info, &finding) != DEVICE_OTA_NONE) {
    pki_image_cause(&source, &finding, cause);
    return error_set(error, EXIT_CODE_USAGE, "%.400s is no image that a device would take: %s",
                     file, cause);
  }
  if (!stage->scenario->ota.profile.padded_signatures &&
      pki_image_signature_is_padded(&source, info))
    return error_set(error, EXIT_CODE_USAGE, "%.400s is no image that a device would take: %s",
                     file, PKI_IMAGE_PADDED_SENTENCE);
  pki_image_note(&source, info, cause);
  if (cause[0] != '\0') stage_clear_terminal(stage);
  if (cause[0] != '\0') fprintf(stderr, "fleetsim: note: %.400s: %s\n", file, cause);
  image->version = info->version;
  image->counter = info->counter;
  image->device_class = info->device_class;
  return 0;
}

static int check_version(const struct stage *stage, size_t index, struct error *error)
{
  const struct stage_image *image = &stage->ota->images[index];
  char version[DEVICE_VERSION_TEXT];
  for (size_t i = 0; i < stage->scenario->ota.image_count; i++) {
    if (i == index || stage->ota->images[i].version != image->version) continue;
    device_version_text(image->version, version);
    return error_set(error, EXIT_CODE_USAGE,
                     "%.400s is version %s, and so is image '%s': they could not be told apart",
                     stage->scenario->ota.images[index].file, version,
                     stage->scenario->ota.images[i].name);
  }
  return 0;
}

/* Before anything is started. Of the others the version is known already. */
int stage_ota_read_files(struct stage *stage)
{
  const struct scenario_ota *scenario = &stage->scenario->ota;
  if (stage->ota == NULL) return 0;
  for (size_t i = 0; i < scenario->image_count; i++) {
    stage->ota->images[i].version = scenario->images[i].version;
    stage->ota->images[i].counter = scenario->images[i].counter;
    stage->ota->images[i].device_class = scenario->images[i].device_class;
  }
  for (size_t i = 0; i < scenario->image_count; i++) {
    const struct scenario_image *from = &scenario->images[i];
    struct stage_image *image = &stage->ota->images[i];
    struct device_image_info info;
    if (from->file[0] == '\0') continue;
    if (files_read(from->file, FILE_MAX, &image->bytes, &image->size, &stage->error) != 0 ||
        examine(stage, image, from->file, &info, &stage->error) != 0 ||
        check_version(stage, i, &stage->error) != 0)
      return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, from->line, from->column);
    memcpy(image->manifest.hash, info.hash, sizeof info.hash);
  }
  return 0;
}

/* --- Making ----------------------------------------------------------------------------------- */

/* The bundle comes into force when the image boots: from then on it is one of those that devices
   may hold. */
static int make_bundle(struct stage *stage, const struct pki_roots *roots,
                       uint8_t out[DEVICE_NVM_TRUST_MAX], size_t *size)
{
  if (stage->bundle_version + 1 >= STAGE_VERSIONS_MAX)
    return error_set(&stage->error, EXIT_CODE_USAGE, "a run can make at most %d trust bundles",
                     STAGE_VERSIONS_MAX - 1);
  uint32_t version = stage->bundle_version + 1;
  bool lists = stage->scenario->device.revocation == DEVICE_REVOCATION_REQUIRED;
  if (pki_make_bundle_with_lists(stage->pki, version, roots, stage_lists(stage->scenario, lists),
                                 out, DEVICE_NVM_TRUST_MAX, size, &stage->error) != 0)
    return -1;
  stage->bundle[version] = *roots;
  stage->bundle_crls[version] = lists;
  stage->bundle_version = version;
  return 0;
}

int stage_ota_make(struct stage *stage, size_t index)
{
  const struct scenario_image *from = &stage->scenario->ota.images[index];
  struct stage_image *image = &stage->ota->images[index];
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size = 0;
  if (image->bytes != NULL) return 0; /* of a file */
  if (from->trust.count > 0 && make_bundle(stage, &from->trust, bundle, &bundle_size) != 0)
    return -1;
  if (from->trust.count > 0) image->bundle_version = stage->bundle_version;
  const struct pki_image what = {.version = from->version,
                                 .counter = from->counter,
                                 .device_class = from->device_class,
                                 .size = from->size,
                                 .seed = stage->scenario->seed ^ from->version,
                                 .trust = bundle_size > 0 ? bundle : NULL,
                                 .trust_size = bundle_size};
  return pki_image_make(stage->pki, &what, &image->bytes, &image->size, image->manifest.hash,
                        &stage->error);
}

/* --- Publishing ------------------------------------------------------------------------------- */

static void name_file(const struct stage *stage, size_t index, char out[SCENARIO_IMAGE_NAME + 8])
{
  snprintf(out, SCENARIO_IMAGE_NAME + 8, "%s.bin", stage->scenario->ota.images[index].name);
}

static int announce(struct stage *stage, size_t index)
{
  const struct scenario_image *from = &stage->scenario->ota.images[index];
  struct stage_image *image = &stage->ota->images[index];
  struct device_manifest *manifest = &image->manifest;
  char name[SCENARIO_IMAGE_NAME + 8];
  bool https = from->via == SCENARIO_VIA_HTTPS;
  manifest->serial = ++stage->ota->serial;
  manifest->version = image->version;
  manifest->counter = image->counter;
  manifest->device_class = image->device_class;
  manifest->size = (uint32_t) image->size;
  manifest->block_size = (uint16_t) stage->scenario->ota.block;
  manifest->kind = https ? DEVICE_MANIFEST_HTTPS : DEVICE_MANIFEST_BLOCKS;
  name_file(stage, index, name);
  return https ? stage_ota_url(stage, name, manifest->url) : 0;
}

/* Signs the manifest and puts everything where devices find it. */
static int issue(struct stage *stage, size_t index)
{
  const struct scenario_image *from = &stage->scenario->ota.images[index];
  struct stage_image *image = &stage->ota->images[index];
  char name[SCENARIO_IMAGE_NAME + 8];
  name_file(stage, index, name);
  if (pki_manifest_make(stage->pki, &image->manifest, image->wire, sizeof image->wire,
                        &image->wire_size, &stage->error) != 0)
    return -1;
  image->published = true;
  return from->via == SCENARIO_VIA_HTTPS ? stage_ota_put(stage, name, image->bytes, image->size)
                                         : 0;
}

static int offer_rescue(struct stage *stage, size_t index)
{
  const struct stage_image *image = &stage->ota->images[index];
  if (!stage->scenario->ota.images[index].rescue) return 0;
  return stage_ota_put(stage, "rescue.manifest", image->wire, image->wire_size);
}

int stage_ota_publish(struct stage *stage, size_t index)
{
  if (stage_ota_make(stage, index) != 0 || announce(stage, index) != 0 || issue(stage, index) != 0)
    return -1;
  return offer_rescue(stage, index);
}

int stage_ota_renew(struct stage *stage, size_t index)
{
  stage->ota->images[index].manifest.serial = ++stage->ota->serial;
  return issue(stage, index) == 0 ? offer_rescue(stage, index) : -1;
}

/* --- Spoiling --------------------------------------------------------------------------------- */

/* The damaged one is announced anew, so that devices look at it at all: by a higher serial, unless
 * it is the serial that is wrong. */
int stage_ota_spoil(struct stage *stage, size_t index, enum pki_image_harm harm)
{
  struct stage_image *image = &stage->ota->images[index];
  struct evp_pkey_st *key;
  image->manifest.serial = ++stage->ota->serial;
  if (pki_image_key(stage->pki, &key, &stage->error) != 0 ||
      pki_image_spoil(harm, stage->scenario->seed ^ index, key, &image->bytes, &image->size,
                      &image->manifest, &stage->error) != 0 ||
      issue(stage, index) != 0)
    return -1;
  pki_manifest_spoil(harm, image->wire, image->wire_size);
  snprintf(image->harm, sizeof image->harm, "%s", pki_harm_name(harm));
  return offer_rescue(stage, index);
}
