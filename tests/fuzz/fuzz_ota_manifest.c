/* Any manifests, one after the other, signed by the update key or not: what is refused leaves the
 * device's record as it was, serials never go back, and a download begins only of what fits and was
 * signed.
 *
 * The input: 1 byte {bits 0-2 the stage of the record, bit 3 the device tries an image}, then
 * manifests of 1 byte {bit 0 over MQTT, bit 1 signed by somebody else, bit 2 the last one again,
 * bit 3 a block is due first} and 2 bytes size, and so many bytes that are signed. */
#include "../unit/device/certificate.h"
#include "device/ota.h"
#include "device/platform.h"
#include "fuzz.h"

#define SLOT_SIZE     (4 * DEVICE_FLASH_SECTOR)
#define MANIFESTS_MAX 8u

static uint8_t page[DEVICE_NVM_PAGE_SIZE], slot[SLOT_SIZE];
static struct key update_key, other_key;

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  (void) tls;
  require(data != NULL && size > 0, "writes packets");
  return 0;
}

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "reads inside the page");
  memcpy(out, page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "writes inside the page");
  memcpy(page + offset, data, size);
  return 0;
}

static int read_slot(void *ctx, uint8_t which, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(which == 1 && size <= sizeof slot && offset <= sizeof slot - size,
          "reads inside the other slot");
  memcpy(out, slot + offset, size);
  return 0;
}

static int erase(void *ctx, uint8_t which, uint32_t offset)
{
  (void) ctx;
  require(which == 1 && offset < sizeof slot && offset % DEVICE_FLASH_SECTOR == 0,
          "erases a sector of the other slot");
  memset(slot + offset, 0xff, DEVICE_FLASH_SECTOR);
  return 0;
}

static int program(void *ctx, uint8_t which, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(which == 1 && size <= sizeof slot && offset <= sizeof slot - size,
          "programs inside the other slot");
  for (size_t i = 0; i < size; i++) slot[offset + i] &= ((const uint8_t *) data)[i];
  return 0;
}

static int some_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 0x40, size);
  return 0;
}

static const struct device_ota_profile updates = {.device_class = 1,
                                                  .slot_size = SLOT_SIZE,
                                                  .window = 8,
                                                  .attempts = 4,
                                                  .block_timeout_ms = 1000,
                                                  .trial_timeout_ms = 1000};
static const struct device_profile profile = {.mqtt_version = 5, .ota = &updates};
static const struct device_host host = {.random = some_random,
                                        .nvm_read = read_page,
                                        .nvm_write = write_page,
                                        .flash_read = read_slot,
                                        .flash_erase = erase,
                                        .flash_program = program};

static void begin(void)
{
  static bool begun;
  if (begun) return;
  require(keys_begin() == 0, "PSA starts");
  update_key = key_make("update");
  other_key = key_make("other");
  begun = true;
}

/* A device that runs the image of serial 2 and counter 2. */
static void boot(struct device_ota *ota, struct device_session *session, uint32_t state)
{
  struct device_nvm_identity identity = {.id = 7};
  memcpy(identity.update_key, update_key.point, sizeof identity.update_key);
  memset(page, 0xff, sizeof page);
  memset(slot, 0xff, sizeof slot);
  require(device_nvm_format(&host, &identity) == 0, "the page is formatted");
  *ota = (struct device_ota){
      .profile = &updates, .host = &host, .session = session, .counter = 2, .serial = 2};
  ota->record.serial = 2;
  ota->record.stage = (uint8_t) ((state & 7) % DEVICE_SLOTS_STAGE_COUNT);
  ota->record.status =
      ota->record.stage == DEVICE_SLOTS_AT_REST ? DEVICE_OTA_NONE : DEVICE_OTA_DOWNLOADING;
  if ((state & 8) != 0) ota->phase = DEVICE_OTA_TRYING;
}

static void check(const struct device_ota *ota, const struct device_slots_record *before,
                  const struct device_manifest *m, bool signed_by_us)
{
  const struct device_slots_record *after = &ota->record;
  bool same_record =
      after->serial == before->serial && after->manifest_size == before->manifest_size;
  require(after->serial >= before->serial, "serials never go back");
  if (!signed_by_us) require(same_record, "what is not signed leaves no trace");
  if (after->serial != before->serial)
    require(after->serial == m->serial, "the record is of what came");
  if (after->stage != DEVICE_SLOTS_ERASING || same_record) return;
  require(m->kind != DEVICE_MANIFEST_CANCEL && m->device_class == 1 && m->counter > 2,
          "takes what it wants");
  require(m->size <= SLOT_SIZE - DEVICE_FLASH_SECTOR && m->block_size <= DEVICE_OTA_BLOCK_MAX,
          "takes what fits");
}

/* One manifest of the input; `last` is the one before. */
static void offer(struct device_ota *ota, struct fuzz_input *in, struct bytes *last)
{
  static const struct device_manifest none;
  struct device_manifest m = none;
  struct device_effects effects = {.deadline_ms = 0};
  uint32_t flags = fuzz_number(in, 1);
  size_t size = fuzz_number(in, 2) % (DEVICE_MANIFEST_MAX + 1);
  const uint8_t *data = fuzz_take(in, size, &size);
  bool ours = (flags & 2) == 0;
  if ((flags & 4) == 0 && size > 0) {
    memcpy(last->data, data, size);
    last->size = size;
  }
  if (last->size == 0) return;
  struct bytes message = *last;
  key_sign(ours ? &update_key : &other_key, message.data, message.size,
           message.data + message.size);
  message.size += DEVICE_SIGNATURE_SIZE;
  struct device_slots_record before = ota->record;
  bool parsed = device_manifest_parse(message.data, message.size, &m) == DEVICE_OTA_NONE;
  require((device_manifest_verify(message.data, message.size, update_key.point) ==
           DEVICE_OTA_NONE) == ours,
          "what was signed is believed, and nothing else");
  if ((flags & 8) != 0) device_ota_go_on(ota, &effects);
  before = ota->record;
  int answer = device_ota_manifest(ota, message.data, message.size, (flags & 1) != 0);
  require(answer == 1 || answer == -1, "a manifest is always handled");
  check(ota, &before, &m, ours && parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct device_ota ota;
  static struct device_tls tls;
  static struct device_outbox_room outbox;
  struct fuzz_input in = {data, size};
  struct bytes last = {.size = 0};
  struct device_session session = {.profile = &profile,
                                   .host = &host,
                                   .tls = &tls,
                                   .name = "00000007",
                                   .outbox.room = &outbox,
                                   .window = DEVICE_SESSION_WINDOW,
                                   .maximum_qos = 2,
                                   .packet_maximum = UINT32_MAX};
  begin();
  boot(&ota, &session, fuzz_number(&in, 1));
  for (unsigned i = 0; i < MANIFESTS_MAX && in.left >= 3; i++) offer(&ota, &in, &last);
  device_ota_end(&ota);
  return 0;
}
