/* The record is read and written as a whole in its area of NVM, so that a power cut leaves the old
 * or the new one; what does not parse counts as blank, as of a device from the factory. Flash is
 * only ever believed after the image in it was hashed and verified. */
#include "slots.h"

#include <string.h>

#include "bytes.h"

/* The record, big-endian: 1 layout, 1 active, 1 stage, 1 status, 1 unreported, 3 zero, then
 * counter, active serial, serial, status serial and status version of 4 bytes each, 2 size of the
 * manifest, the manifest. */
#define LAYOUT        1u
#define RECORD_HEAD   30u
#define RECORD_MAX    (RECORD_HEAD + DEVICE_MANIFEST_MAX)
#define MARKS_AT_ONCE 64u /* bytes on the stack */

_Static_assert(RECORD_MAX <= DEVICE_NVM_IMAGES_MAX, "the record fits its area of NVM");

static bool parse_record(const uint8_t *data, size_t size, struct device_slots_record *out)
{
  if (size < RECORD_HEAD || data[0] != LAYOUT || data[1] >= DEVICE_FLASH_SLOTS ||
      data[2] >= DEVICE_SLOTS_STAGE_COUNT || data[3] >= DEVICE_OTA_STATUS_COUNT || data[4] > 1)
    return false;
  *out = (struct device_slots_record){.active = data[1],
                                      .stage = data[2],
                                      .status = data[3],
                                      .unreported = data[4] != 0,
                                      .counter = device_get32(data + 8),
                                      .active_serial = device_get32(data + 12),
                                      .serial = device_get32(data + 16),
                                      .status_serial = device_get32(data + 20),
                                      .status_version = device_get32(data + 24),
                                      .manifest_size = device_get16(data + 28)};
  if (out->manifest_size > sizeof out->manifest ||
      size != RECORD_HEAD + (size_t) out->manifest_size)
    return false;
  memcpy(out->manifest, data + RECORD_HEAD, out->manifest_size);
  return true;
}

int device_slots_read(const struct device_host *host, struct device_slots_record *out)
{
  uint8_t data[RECORD_MAX];
  struct device_nvm_slot slot;
  memset(out, 0, sizeof *out);
  if (device_nvm_find(host, DEVICE_NVM_IMAGES, &slot) != 0) return -1;
  if (slot.size == 0 || slot.size > sizeof data) return 0;
  if (host->nvm_read(host->ctx, slot.offset, data, slot.size) != 0) return -1;
  if (!parse_record(data, slot.size, out)) memset(out, 0, sizeof *out);
  return 0;
}

int device_slots_write(const struct device_host *host, const struct device_slots_record *record)
{
  uint8_t data[RECORD_MAX] = {LAYOUT, record->active, record->stage, record->status,
                              record->unreported};
  device_put32(data + 8, record->counter);
  device_put32(data + 12, record->active_serial);
  device_put32(data + 16, record->serial);
  device_put32(data + 20, record->status_serial);
  device_put32(data + 24, record->status_version);
  device_put16(data + 28, record->manifest_size);
  memcpy(data + RECORD_HEAD, record->manifest, record->manifest_size);
  return device_nvm_replace(host, DEVICE_NVM_IMAGES, data,
                            RECORD_HEAD + (size_t) record->manifest_size);
}

void device_slots_settle(struct device_slots_record *record, enum device_ota_status status)
{
  record->stage = DEVICE_SLOTS_AT_REST;
  record->status = (uint8_t) status;
  record->unreported = true;
}

uint32_t device_slots_capacity(const struct device_ota_profile *profile)
{
  return profile->slot_size - DEVICE_FLASH_SECTOR;
}

static int read_file(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct device_slots_file *file = ctx;
  return file->host->flash_read(file->host->ctx, file->slot, offset, out, size);
}

void device_slots_source(const struct device_slots_file *file, uint32_t size,
                         struct device_image_source *out)
{
  *out = (struct device_image_source){.ctx = (void *) file, .read = read_file, .size = size};
}

/* The slot does not say where the file in it ends, the image's own sizes do. 0: it holds none. */
static uint32_t file_size(const struct device_slots_file *file, uint32_t capacity)
{
  uint8_t header[DEVICE_IMAGE_HEADER_SIZE], list[4];
  if (read_file((void *) file, 0, header, sizeof header) != 0 ||
      device_get32_le(header) != DEVICE_IMAGE_MAGIC)
    return 0;
  uint64_t at = (uint64_t) device_get16_le(header + 8) + device_get32_le(header + 12) +
                device_get16_le(header + 10);
  if (at + sizeof list > capacity ||
      read_file((void *) file, (uint32_t) at, list, sizeof list) != 0)
    return 0;
  uint64_t end = at + device_get16_le(list + 2);
  return end <= capacity ? (uint32_t) end : 0;
}

/* Whether the image in `slot` may be started. */
static enum device_ota_status verify(const struct device_host *host,
                                     const struct device_ota_profile *profile,
                                     const struct device_slots_record *record, uint8_t slot,
                                     struct device_image_info *info)
{
  const struct device_slots_file file = {host, slot};
  struct device_image_source source;
  device_slots_source(&file, file_size(&file, device_slots_capacity(profile)), &source);
  if (source.size == 0) return DEVICE_OTA_BAD_IMAGE;
  const struct device_image_owner owner = {profile->image_key, profile->padded_signatures};
  enum device_ota_status status = device_image_verify(&source, &owner, info);
  return status == DEVICE_OTA_NONE && info->counter < record->counter ? DEVICE_OTA_OLD_COUNTER
                                                                      : status;
}

/* Pending: starts the new image for its trial. False: it may not be started, and the update is
   over. */
static bool start_trial(const struct device_host *host, const struct device_ota_profile *profile,
                        struct device_slots_record *record, struct device_slots_choice *choice)
{
  choice->slot = record->active ^ 1u;
  choice->news = true;
  enum device_ota_status status = verify(host, profile, record, choice->slot, &choice->image);
  if (status == DEVICE_OTA_NONE) {
    record->stage = DEVICE_SLOTS_STARTED;
    record->status = DEVICE_OTA_TRIAL;
    /* an image whose start cannot be noted would be started for ever */
    if (device_slots_write(host, record) == 0) {
      choice->code = DEVICE_OTA_TRIAL;
      choice->trial = true;
      return true;
    }
    status = DEVICE_OTA_FLASH_FAILED;
  }
  device_slots_settle(record, status);
  (void) device_slots_write(host, record); /* failed: the next boot decides the same */
  return false;
}

/* The confirmed image cannot be started. An image that is on its trial is then better than none. */
static enum device_failure start_other(const struct device_host *host,
                                       const struct device_ota_profile *profile,
                                       struct device_slots_record *record,
                                       struct device_slots_choice *choice)
{
  choice->slot = record->active ^ 1u;
  if (verify(host, profile, record, choice->slot, &choice->image) != DEVICE_OTA_NONE)
    return DEVICE_FAIL_DEVICE_IMAGE;
  choice->trial = record->stage == DEVICE_SLOTS_STARTED || record->stage == DEVICE_SLOTS_FAILED;
  choice->code = choice->trial ? DEVICE_OTA_TRIAL : DEVICE_OTA_CONFIRMED;
  if (choice->trial) return DEVICE_FAIL_NONE;
  record->active = choice->slot;
  record->stage = DEVICE_SLOTS_AT_REST;
  (void) device_slots_write(host, record);
  return DEVICE_FAIL_NONE;
}

enum device_failure device_slots_boot(const struct device_host *host,
                                      const struct device_ota_profile *profile,
                                      struct device_slots_record *record,
                                      struct device_slots_choice *choice)
{
  *choice = (struct device_slots_choice){.code = DEVICE_OTA_CONFIRMED};
  if (device_slots_read(host, record) != 0) return DEVICE_FAIL_DEVICE_NVM;
  if (record->stage == DEVICE_SLOTS_PENDING && start_trial(host, profile, record, choice))
    return DEVICE_FAIL_NONE;
  choice->slot = record->active;
  if (verify(host, profile, record, choice->slot, &choice->image) != DEVICE_OTA_NONE)
    return start_other(host, profile, record, choice);
  if (record->stage != DEVICE_SLOTS_STARTED && record->stage != DEVICE_SLOTS_FAILED)
    return DEVICE_FAIL_NONE;
  choice->code =
      record->stage == DEVICE_SLOTS_FAILED ? DEVICE_OTA_SELF_TEST : DEVICE_OTA_UNCONFIRMED;
  choice->news = true;
  device_slots_settle(record, choice->code);
  (void) device_slots_write(host, record);
  return DEVICE_FAIL_NONE;
}

static uint32_t mark_offset(const struct device_ota_profile *profile, uint32_t block)
{
  return device_slots_capacity(profile) + block * DEVICE_FLASH_WORD;
}

int device_slots_mark(const struct device_host *host, const struct device_ota_profile *profile,
                      uint8_t slot, uint32_t block)
{
  static const uint8_t stored[DEVICE_FLASH_WORD];
  return host->flash_program(host->ctx, slot, mark_offset(profile, block), stored, sizeof stored) ==
                 0
             ? 0
             : -1;
}

/* A word that a power cut left half programmed stands for a block that is stored: its bytes were
 * there before. To ask for it again does no harm, so only a whole word counts. */
int device_slots_marks(const struct device_host *host, const struct device_ota_profile *profile,
                       uint8_t slot, uint32_t count, uint8_t have[DEVICE_SLOTS_BLOCKS / 8])
{
  uint8_t words[MARKS_AT_ONCE];
  memset(have, 0, DEVICE_SLOTS_BLOCKS / 8);
  for (uint32_t block = 0; block < count; block++) {
    uint32_t in = block * DEVICE_FLASH_WORD % sizeof words;
    if (in == 0 &&
        host->flash_read(host->ctx, slot, mark_offset(profile, block), words, sizeof words) != 0)
      return -1;
    if (device_get32(words + in) == 0) have[block / 8] |= (uint8_t) (1u << block % 8);
  }
  return 0;
}
