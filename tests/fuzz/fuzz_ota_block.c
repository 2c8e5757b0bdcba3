/* Anything said to a device that downloads an image: it writes inside the other slot only, on the
 * grid of words and sectors, and its account of what it has agrees with what flash holds.
 *
 * The input: 1 byte {bit 0 HTTPS, bits 1-2 block size, bits 3-7 size of the image}, then events of
 * 1 byte kind, 2 bytes size and so many bytes. */
#include "device/bytes.h"
#include "device/ota.h"
#include "fuzz.h"

#define SLOT_SIZE  (4 * DEVICE_FLASH_SECTOR)
#define SERIAL     1u
#define EVENTS_MAX 200u

enum event { BLOCK, FILE_BYTES, FILE_END, TICK, OFFLINE, READY, MANIFEST, EVENT_KINDS };

static uint8_t page[DEVICE_NVM_PAGE_SIZE], slot[SLOT_SIZE];

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
  require(offset % DEVICE_FLASH_WORD == 0 && size % DEVICE_FLASH_WORD == 0, "programs whole words");
  for (size_t i = 0; i < size; i++) slot[offset + i] &= ((const uint8_t *) data)[i];
  return 0;
}

static int some_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 0x40, size);
  return 0;
}

static void check(const struct device_ota *ota)
{
  uint32_t missing = 0, first = ota->blocks;
  if (ota->phase != DEVICE_OTA_ASKING && ota->phase != DEVICE_OTA_FETCHING) return;
  for (uint32_t block = ota->blocks; block-- > 0;) {
    bool have = (ota->have[block / 8] >> block % 8 & 1) != 0;
    uint32_t mark =
        device_get32(slot + SLOT_SIZE - DEVICE_FLASH_SECTOR + block * DEVICE_FLASH_WORD);
    require(have == (mark == 0), "has what is marked");
    missing += !have;
    if (!have) first = block;
  }
  require(missing == ota->missing && first == ota->first, "counts what is missing");
  require(ota->held <= sizeof ota->block, "holds no more than a block");
}

static void say(struct device_ota *ota, const char *topic, const uint8_t *data, size_t size)
{
  struct device_mqtt_publish message = {
      .topic = topic, .topic_size = strlen(topic), .payload = data, .payload_size = size};
  (void) device_ota_deliver(ota, &message);
}

static void happen(struct device_ota *ota, enum event event, const uint8_t *data, size_t size)
{
  struct device_effects effects = {.deadline_ms = 0};
  switch (event) {
  case BLOCK: say(ota, "private/00000007/ota/block", data, size); break;
  case FILE_BYTES: device_ota_fetched(ota, data, size); break;
  case FILE_END:
    device_ota_fetch_ended(ota,
                           size > 0 && data[0] % 2 == 0 ? DEVICE_OTA_NONE : DEVICE_OTA_SERVER_CUT);
    break;
  case TICK: ota->session->now_ms += 1 + size * 64; break;
  case OFFLINE: device_ota_offline(ota, true, size); break;
  case READY:
    device_ota_online(ota);
    device_ota_ready(ota);
    break;
  default: say(ota, "private/00000007/ota/manifest", data, size); break;
  }
  device_ota_go_on(ota, &effects);
  check(ota);
}

/* The device of the input's first byte, in the middle of a download. */
static bool begin(struct device_ota *ota, struct device_session *session,
                  const struct device_profile *profile, const struct device_host *host,
                  uint8_t kind)
{
  static const char url[] = "https://u.test/i";
  struct device_manifest manifest = {.serial = SERIAL,
                                     .version = 1,
                                     .counter = 1,
                                     .device_class = 1,
                                     .size = 1 + (kind >> 3) * 331u,
                                     .block_size = (uint16_t) (256u << (kind >> 1 & 3)),
                                     .kind = kind & 1};
  if ((kind & 1) != 0) memcpy(manifest.url, url, sizeof url);
  *ota = (struct device_ota){.profile = profile->ota, .host = host, .session = session};
  ota->record.stage = DEVICE_SLOTS_LOADING;
  ota->record.status = DEVICE_OTA_DOWNLOADING;
  ota->record.serial = ota->record.status_serial = SERIAL;
  ota->record.manifest_size =
      (uint16_t) (device_manifest_encode(&manifest, ota->record.manifest, DEVICE_MANIFEST_MAX) +
                  DEVICE_SIGNATURE_SIZE);
  ota->manifest = manifest;
  return device_ota_download_resume(ota) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const struct device_ota_profile updates = {.device_class = 1,
                                                    .slot_size = SLOT_SIZE,
                                                    .window = 8,
                                                    .attempts = 4,
                                                    .block_timeout_ms = 1000,
                                                    .trial_timeout_ms = 1000,
                                                    .rescue_after = 2,
                                                    .rescue_url = "https://r.test/m"};
  static const struct device_profile profile = {.mqtt_version = 5, .ota = &updates};
  static const struct device_host host = {.random = some_random,
                                          .nvm_read = read_page,
                                          .nvm_write = write_page,
                                          .flash_read = read_slot,
                                          .flash_erase = erase,
                                          .flash_program = program};
  static struct device_ota ota;
  static struct device_tls tls;
  static struct device_outbox_room outbox;
  struct device_session session = {.profile = &profile,
                                   .host = &host,
                                   .tls = &tls,
                                   .name = "00000007",
                                   .outbox.room = &outbox,
                                   .window = DEVICE_SESSION_WINDOW,
                                   .maximum_qos = 2,
                                   .packet_maximum = UINT32_MAX};
  if (size < 1) return 0;
  memset(page, 0xff, sizeof page);
  memset(slot, 0xff, sizeof slot);
  require(begin(&ota, &session, &profile, &host, data[0]), "a download goes on");
  size_t at = 1;
  for (unsigned events = 0; events < EVENTS_MAX && size - at >= 3; events++) {
    enum event event = (enum event)(data[at] % EVENT_KINDS);
    size_t n = device_get16(data + at + 1);
    at += 3;
    if (n > size - at) n = size - at;
    happen(&ota, event, data + at, n);
    at += n;
  }
  device_ota_end(&ota);
  return 0;
}
