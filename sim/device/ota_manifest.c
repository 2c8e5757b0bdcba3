/* Whether an update is wanted: what a manifest must say, and what becomes of the one before. */
#include <mbedtls/platform_util.h>
#include <string.h>

#include "bytes.h"
#include "ota.h"

static bool is_authentic(const struct device_ota *ota, const uint8_t *data, size_t size)
{
  struct device_nvm_identity identity;
  if (device_nvm_read_identity(ota->host, &identity) != 0) return false;
  bool good = device_manifest_verify(data, size, identity.update_key) == DEVICE_OTA_NONE;
  mbedtls_platform_zeroize(&identity, sizeof identity);
  return good;
}

/* A manifest that leaves no trace in NVM. What lies at the rescue URL is looked at again and again:
 * that it is older than what the device has is no news, and what is wrong with it is told once. */
static int turn_away(const struct device_ota *ota, enum device_ota_status status,
                     const struct device_manifest *manifest, bool by_mqtt)
{
  if (!by_mqtt && (status == DEVICE_OTA_STALE_MANIFEST || device_ota_reports_wait(ota))) return 1;
  if (!device_ota_report(ota, status, manifest->serial, manifest->version)) return -1;
  if (ota->host->observe != NULL)
    ota->host->observe(ota->host->ctx, &(struct device_note){.kind = DEVICE_NOTE_OTA,
                                                             .code = (uint8_t) status,
                                                             .serial = manifest->serial,
                                                             .version = manifest->version});
  return 1;
}

static int answer_as_it_stands(struct device_ota *ota, bool by_mqtt)
{
  if (by_mqtt && ota->record.status != DEVICE_OTA_NONE) ota->report_due = true;
  return 1;
}

static void remember(struct device_ota *ota, const struct device_manifest *manifest,
                     const uint8_t *data, size_t size)
{
  ota->record.serial = manifest->serial;
  ota->record.manifest_size = (uint16_t) size;
  memcpy(ota->record.manifest, data, size);
}

static bool is_under_way(const struct device_ota *ota)
{
  return ota->record.stage >= DEVICE_SLOTS_ERASING && ota->record.stage <= DEVICE_SLOTS_PENDING;
}

/* What speaks against an update; DOWNLOADING: nothing. */
static enum device_ota_status vet_manifest(const struct device_ota *ota,
                                           const struct device_manifest *m)
{
  if (m->device_class != ota->profile->device_class) return DEVICE_OTA_WRONG_CLASS;
  if (memcmp(m->hash, ota->hash, sizeof m->hash) == 0) return DEVICE_OTA_SAME;
  if (m->counter <= ota->counter) return DEVICE_OTA_OLD_COUNTER;
  if (m->size > device_slots_capacity(ota->profile) || m->block_size > DEVICE_OTA_BLOCK_MAX ||
      (m->size - 1) / m->block_size >= DEVICE_SLOTS_BLOCKS)
    return DEVICE_OTA_OVERSIZE;
  return DEVICE_OTA_DOWNLOADING;
}

static int accept(struct device_ota *ota, const struct device_manifest *manifest,
                  const uint8_t *data, size_t size)
{
  if (is_under_way(ota)) {
    ota->record.status = DEVICE_OTA_CANCELLED;
    device_ota_note(ota);
  }
  device_ota_download_stop(ota);
  enum device_ota_status status = vet_manifest(ota, manifest);
  remember(ota, manifest, data, size);
  ota->manifest = *manifest;
  ota->record.status_serial = manifest->serial;
  ota->record.status_version = manifest->version;
  if (status == DEVICE_OTA_DOWNLOADING) {
    ota->record.stage = DEVICE_SLOTS_ERASING;
    ota->record.status = (uint8_t) status;
    ota->record.unreported = false;
    if (device_slots_write(ota->host, &ota->record) != 0) status = DEVICE_OTA_FLASH_FAILED;
  }
  if (status != DEVICE_OTA_DOWNLOADING) {
    device_ota_settle(ota, status);
    return 1;
  }
  ota->report_due = true;
  device_ota_note(ota);
  device_ota_download_begin(ota);
  return 1;
}

/* Called off is what has not been started. An update that is over already stays as it is. */
static int cancel(struct device_ota *ota, const struct device_manifest *manifest,
                  const uint8_t *data, size_t size, bool by_mqtt)
{
  bool known = manifest->serial == ota->record.serial;
  if (ota->phase == DEVICE_OTA_TRYING || ota->phase == DEVICE_OTA_RESTARTING ||
      (known && !is_under_way(ota)))
    return answer_as_it_stands(ota, by_mqtt);
  if (!is_under_way(ota)) {
    ota->record.status_serial = manifest->serial;
    ota->record.status_version = manifest->version;
  }
  remember(ota, manifest, data, size);
  device_ota_settle(ota, DEVICE_OTA_CANCELLED);
  return 1;
}

/* But for the signature, which differs each time that the same bytes are signed. */
static bool is_last_one(const struct device_ota *ota, const uint8_t *data, size_t size)
{
  return size == ota->record.manifest_size && size > DEVICE_SIGNATURE_SIZE &&
         memcmp(data, ota->record.manifest, size - DEVICE_SIGNATURE_SIZE) == 0;
}

int device_ota_manifest(struct device_ota *ota, const uint8_t *data, size_t size, bool by_mqtt)
{
  struct device_manifest manifest;
  if (is_last_one(ota, data, size)) return answer_as_it_stands(ota, by_mqtt);
  if (device_manifest_parse(data, size, &manifest) != DEVICE_OTA_NONE)
    return turn_away(ota, DEVICE_OTA_BAD_MANIFEST, &manifest, by_mqtt);
  if (!is_authentic(ota, data, size))
    return turn_away(ota, DEVICE_OTA_MANIFEST_SIGNATURE, &manifest, by_mqtt);
  bool is_cancel = manifest.kind == DEVICE_MANIFEST_CANCEL;
  if (manifest.serial < ota->record.serial || (manifest.serial == ota->record.serial && !is_cancel))
    return turn_away(ota, DEVICE_OTA_STALE_MANIFEST, &manifest, by_mqtt);
  if (is_cancel) return cancel(ota, &manifest, data, size, by_mqtt);
  if (ota->phase == DEVICE_OTA_TRYING || ota->phase == DEVICE_OTA_RESTARTING)
    return turn_away(ota, DEVICE_OTA_BUSY, &manifest, by_mqtt);
  return accept(ota, &manifest, data, size);
}
