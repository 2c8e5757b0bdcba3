/* An image on its way into the slot: erased, asked for or fetched block by block, hashed as it
   grows, verified. */
#include <string.h>

#include "bytes.h"
#include "ota.h"

#define HASH_SLICE   8192u /* bytes hashed in one step */
#define GET_SIZE     12u   /* serial, number, bitmap */
#define BLOCK_HEAD   8u    /* serial, number */
#define COMPARE_SIZE 256u  /* bytes on the stack */
/* Of block_timeout_ms: how long after the last block of an earlier request a new one is made, when
 * the connection broke in between. The back office does not hear of the break: with many devices to
 * serve it still sends what was asked for, and would send it again. */
#define HOLD_BACK_PART 8u

static uint8_t other_slot(const struct device_ota *ota)
{
  return ota->slot ^ 1u;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

static bool has(const struct device_ota *ota, uint32_t block)
{
  return (ota->have[block / 8] >> block % 8 & 1) != 0;
}

static uint32_t size_of(const struct device_ota *ota, uint32_t block)
{
  return lower(ota->manifest.size - block * ota->manifest.block_size, ota->manifest.block_size);
}

/* Bytes from the file's start on that are all here. */
static uint32_t prefix_size(const struct device_ota *ota)
{
  return lower(ota->manifest.size, ota->first * ota->manifest.block_size);
}

static void source_of(const struct device_ota *ota, struct device_slots_file *file,
                      struct device_image_source *source)
{
  *file = (struct device_slots_file){ota->host, other_slot(ota)};
  device_slots_source(file, ota->manifest.size, source);
}

static uint32_t sectors(const struct device_ota *ota)
{
  return (ota->manifest.size + DEVICE_FLASH_SECTOR - 1) / DEVICE_FLASH_SECTOR;
}

/* From the start or after a restart. */

static void count_blocks(struct device_ota *ota)
{
  ota->blocks = (ota->manifest.size - 1) / ota->manifest.block_size + 1;
  ota->missing = 0;
  ota->first = ota->blocks;
  for (uint32_t block = ota->blocks; block-- > 0;) {
    if (has(ota, block)) continue;
    ota->missing++;
    ota->first = block;
  }
}

void device_ota_download_go_on(struct device_ota *ota)
{
  count_blocks(ota);
  device_ota_enter(ota, ota->missing == 0                             ? DEVICE_OTA_CHECKING
                        : ota->manifest.kind == DEVICE_MANIFEST_HTTPS ? DEVICE_OTA_FETCHING
                                                                      : DEVICE_OTA_ASKING);
}

void device_ota_download_begin(struct device_ota *ota)
{
  ota->attempts = 0;
  ota->erased = 0;
  memset(ota->have, 0, sizeof ota->have);
  device_ota_enter(ota, DEVICE_OTA_ERASING);
}

int device_ota_download_resume(struct device_ota *ota)
{
  device_ota_download_begin(ota);
  if (ota->record.stage != DEVICE_SLOTS_LOADING) return 0;
  uint32_t blocks = (ota->manifest.size - 1) / ota->manifest.block_size + 1;
  if (ota->manifest.size > device_slots_capacity(ota->profile) || blocks > DEVICE_SLOTS_BLOCKS)
    return -1;
  if (device_slots_marks(ota->host, ota->profile, other_slot(ota), blocks, ota->have) != 0)
    return -1;
  device_ota_download_go_on(ota);
  return 0;
}

void device_ota_download_stop(struct device_ota *ota)
{
  if (ota->fetching) ota->abort_fetch = true;
  ota->fetching = ota->begin_fetch = false;
  if (ota->hashing) device_image_hash_abort(&ota->check);
  ota->hashing = false;
  ota->asked = 0;
  ota->held = 0;
}

/* A sector per step: an erase takes tens of milliseconds. The last one, with the marks, is the
   device's own. */
void device_ota_erase(struct device_ota *ota)
{
  const struct device_host *host = ota->host;
  bool is_last = ota->erased == sectors(ota);
  uint32_t offset =
      is_last ? device_slots_capacity(ota->profile) : ota->erased * DEVICE_FLASH_SECTOR;
  if (host->flash_erase(host->ctx, other_slot(ota), offset) != 0) {
    device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
    return;
  }
  ota->erased++;
  if (!is_last) return;
  ota->record.stage = DEVICE_SLOTS_LOADING;
  if (device_slots_write(host, &ota->record) != 0) {
    device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
    return;
  }
  device_ota_download_go_on(ota);
  ota->timed = true; /* the first fetch does not wait */
  ota->due_ms = ota->session->now_ms;
}

/* Flash that a power cut left neither erased nor programmed cannot take these bytes: all of it
   begins again. */
static void begin_again(struct device_ota *ota)
{
  uint8_t attempts = (uint8_t) (ota->attempts + 1);
  device_ota_download_stop(ota);
  ota->record.stage = DEVICE_SLOTS_ERASING;
  if (attempts >= ota->profile->attempts || device_slots_write(ota->host, &ota->record) != 0) {
    device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
    return;
  }
  device_ota_download_begin(ota);
  ota->attempts = attempts;
}

/* 1: flash holds these bytes, 0: other ones, -1: it cannot be read. */
static int compare_flash(const struct device_ota *ota, uint32_t offset, const uint8_t *data,
                         size_t size)
{
  uint8_t chunk[COMPARE_SIZE];
  for (size_t done = 0; done < size;) {
    size_t n = size - done < sizeof chunk ? size - done : sizeof chunk;
    if (ota->host->flash_read(ota->host->ctx, other_slot(ota), offset + (uint32_t) done, chunk,
                              n) != 0)
      return -1;
    if (memcmp(chunk, data + done, n) != 0) return 0;
    done += n;
  }
  return 1;
}

/* The file may end in the middle of a word. */
static const uint8_t *padded(struct device_ota *ota, size_t size)
{
  for (; size % DEVICE_FLASH_WORD != 0; size++) ota->block[size] = 0xff;
  return ota->block;
}

/* Programs a block of whole words, and marks it. 1: stored, 0: flash holds other bytes, -1: flash
   failed. */
static int program(struct device_ota *ota, uint32_t block, const uint8_t *data)
{
  const struct device_host *host = ota->host;
  uint32_t size = size_of(ota, block), offset = block * ota->manifest.block_size;
  uint32_t words = (size + DEVICE_FLASH_WORD - 1) / DEVICE_FLASH_WORD * DEVICE_FLASH_WORD;
  if (host->flash_program(host->ctx, other_slot(ota), offset, data, words) != 0) return -1;
  int same = compare_flash(ota, offset, data, size);
  if (same != 1) return same;
  return device_slots_mark(host, ota->profile, other_slot(ota), block) == 0 ? 1 : -1;
}

static void store_block(struct device_ota *ota, uint32_t block, const uint8_t *data)
{
  int stored = program(ota, block, data);
  device_ota_note_bytes(ota, size_of(ota, block), stored != 1);
  if (stored != 1) {
    if (stored == 0)
      begin_again(ota);
    else
      device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
    return;
  }
  ota->have[block / 8] |= (uint8_t) (1u << block % 8);
  ota->missing--;
  ota->attempts = 0;
  if (block - ota->first < 32) ota->asked &= ~(1u << (block - ota->first));
  while (ota->first < ota->blocks && has(ota, ota->first)) {
    ota->first++;
    ota->asked >>= 1;
  }
}

/* Blocks over MQTT. */

static unsigned count_bits(uint32_t bits)
{
  unsigned count = 0;
  for (; bits != 0; bits &= bits - 1) count++;
  return count;
}

void device_ota_hold_back(struct device_ota *ota)
{
  ota->ask_from_ms = ota->session->now_ms + ota->profile->block_timeout_ms / HOLD_BACK_PART;
}

bool device_ota_block(struct device_ota *ota, const uint8_t *data, size_t size)
{
  bool wanted = ota->phase == DEVICE_OTA_ASKING ||
                (ota->phase == DEVICE_OTA_CHECKING && ota->manifest.kind == DEVICE_MANIFEST_BLOCKS);
  if (!wanted || size < BLOCK_HEAD || device_get32(data) != ota->manifest.serial) return false;
  uint32_t block = device_get32(data + 4);
  size -= BLOCK_HEAD;
  data += BLOCK_HEAD;
  if (block >= ota->blocks || size > size_of(ota, block)) {
    device_ota_settle(ota, DEVICE_OTA_ENDLESS);
    return true;
  }
  if (size < size_of(ota, block)) {
    device_ota_settle(ota, DEVICE_OTA_TRUNCATED);
    return true;
  }
  if (has(ota, block)) {
    device_ota_note_bytes(ota, size, true);
    return true;
  }
  if (ota->session->now_ms < ota->ask_from_ms) device_ota_hold_back(ota);
  /* the others may take as long again */
  ota->due_ms = ota->session->now_ms + ota->profile->block_timeout_ms;
  if (size % DEVICE_FLASH_WORD != 0) {
    memcpy(ota->block, data, size);
    data = padded(ota, size);
  }
  store_block(ota, block, data);
  return true;
}

/* Those of the next 32 that are missing and not asked for, as many as the window has room. */
static uint32_t next_wanted(const struct device_ota *ota)
{
  uint32_t wanted = 0;
  unsigned room = ota->profile->window - count_bits(ota->asked);
  for (uint32_t i = 0; i < 32 && room > 0 && ota->first + i < ota->blocks; i++) {
    if (has(ota, ota->first + i) || (ota->asked >> i & 1) != 0) continue;
    wanted |= 1u << i;
    room--;
  }
  return wanted;
}

/* Half a window at a time, so that there is one request for several blocks. */
static void ask(struct device_ota *ota)
{
  uint8_t get[GET_SIZE];
  if (count_bits(ota->asked) > ota->profile->window / 2u) return;
  uint32_t wanted = next_wanted(ota);
  if (wanted == 0) return;
  device_put32(get, ota->manifest.serial);
  device_put32(get + 4, ota->first);
  device_put32(get + 8, wanted);
  device_session_say(ota->session, "ota/get", get, sizeof get);
  ota->asked |= wanted;
  ota->due_ms = ota->session->now_ms + ota->profile->block_timeout_ms;
}

static void hash_ahead(struct device_ota *ota);

void device_ota_ask(struct device_ota *ota)
{
  hash_ahead(ota);
  if (ota->phase != DEVICE_OTA_ASKING) return;
  if (ota->missing == 0) {
    device_ota_enter(ota, DEVICE_OTA_CHECKING);
    return;
  }
  if (ota->asked != 0 && ota->session->now_ms >= ota->due_ms) {
    ota->asked = 0;
    ota->attempts++;
    if (ota->attempts >= ota->profile->attempts) {
      device_ota_settle(ota, DEVICE_OTA_NO_ANSWER);
      return;
    }
  }
  bool held_back = ota->session->now_ms < ota->ask_from_ms;
  if (ota->asked == 0) ota->due_ms = held_back ? ota->ask_from_ms : DEVICE_NEVER;
  if (ota->ready && !held_back) ask(ota);
}

/* A file over HTTPS. */

static bool is_whole(const struct device_ota *ota)
{
  return ota->missing == 0;
}

/* The file's end is known when the fetch has ended: until then more may come than was announced. */
void device_ota_fetch(struct device_ota *ota)
{
  uint64_t now = ota->session->now_ms;
  hash_ahead(ota);
  if (ota->phase != DEVICE_OTA_FETCHING) return;
  if (!ota->timed) {
    ota->timed = true;
    ota->due_ms = now + device_ota_random_ms(ota, ota->profile->block_timeout_ms);
  }
  if (now < ota->due_ms) return;
  if (is_whole(ota)) {
    device_ota_download_stop(ota);
    device_ota_enter(ota, DEVICE_OTA_CHECKING);
    return;
  }
  uint32_t offset = prefix_size(ota);
  ota->fetch = (struct device_fetch){ota->manifest.url, offset, ota->manifest.size - offset};
  ota->fetch_at = offset;
  ota->held = 0;
  ota->fetching = ota->begin_fetch = true;
  ota->due_ms = DEVICE_NEVER;
}

/* Up to a block's end; how many of the bytes were taken. */
static size_t take_bytes(struct device_ota *ota, const uint8_t *data, size_t size)
{
  uint32_t block = ota->fetch_at / ota->manifest.block_size;
  size_t n = size_of(ota, block) - ota->held;
  if (n > size) n = size;
  memcpy(ota->block + ota->held, data, n);
  ota->held = (uint16_t) (ota->held + n);
  if (ota->held < size_of(ota, block)) return n;
  uint32_t whole = ota->held;
  ota->fetch_at += whole;
  ota->held = 0;
  if (has(ota, block)) {
    device_ota_note_bytes(ota, whole, true);
    return n;
  }
  store_block(ota, block, padded(ota, whole));
  return n;
}

void device_ota_file(struct device_ota *ota, const uint8_t *data, size_t size)
{
  while (size > 0 && ota->phase == DEVICE_OTA_FETCHING) {
    if (ota->fetch_at == ota->manifest.size) {
      device_ota_settle(ota, DEVICE_OTA_ENDLESS);
      return;
    }
    size_t n = take_bytes(ota, data, size);
    data += n;
    size -= n;
  }
  if (ota->phase == DEVICE_OTA_FETCHING && is_whole(ota))
    ota->due_ms = ota->session->now_ms + ota->profile->block_timeout_ms;
}

void device_ota_file_ended(struct device_ota *ota, enum device_ota_status cause)
{
  if (ota->held > 0) device_ota_note_bytes(ota, ota->held, true);
  ota->held = 0;
  if (is_whole(ota)) {
    device_ota_enter(ota, DEVICE_OTA_CHECKING);
    return;
  }
  ota->attempts++;
  if (cause == DEVICE_OTA_NONE || ota->attempts >= ota->profile->attempts)
    device_ota_settle(ota, cause == DEVICE_OTA_NONE ? DEVICE_OTA_TRUNCATED : cause);
  else
    ota->timed = false; /* again, after rand(0, block_timeout_ms) */
}

/* Hash and signature. */

/* The bytes that the hash covers, by the header alone: the lists come last. 0: by this header there
 * is no image, and device_image_parse will say why. */
static uint32_t signed_size(const uint8_t header[DEVICE_IMAGE_HEADER_SIZE], uint32_t file_size)
{
  uint64_t size = (uint64_t) device_get16_le(header + 8) + device_get32_le(header + 12) +
                  device_get16_le(header + 10);
  return device_get32_le(header) == DEVICE_IMAGE_MAGIC && size <= file_size ? (uint32_t) size : 0;
}

/* 0, or -1: flash or hash failed. */
static int begin_hash(struct device_ota *ota, const struct device_image_source *source)
{
  uint8_t header[DEVICE_IMAGE_HEADER_SIZE];
  if (source->read(source->ctx, 0, header, sizeof header) != 0) return -1;
  struct device_image_info info = {.signed_size = signed_size(header, ota->manifest.size)};
  if (device_image_hash_begin(&ota->check, &info) != 0) return -1;
  ota->hashing = true;
  return 0;
}

/* A slice of what lies without a gap from the start on. */
static void hash_ahead(struct device_ota *ota)
{
  struct device_slots_file file;
  struct device_image_source source;
  uint32_t prefix = prefix_size(ota);
  source_of(ota, &file, &source);
  if (prefix < DEVICE_IMAGE_HEADER_SIZE) return;
  int result = ota->hashing ? 0 : begin_hash(ota, &source);
  if (result == 0 && ota->hashing && ota->check.at < lower(prefix, ota->check.size))
    result =
        device_image_hash_continue(&ota->check, &source, lower(HASH_SLICE, prefix - ota->check.at));
  if (result < 0) device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
}

static enum device_ota_status judge(struct device_ota *ota,
                                    const struct device_image_source *source)
{
  struct device_image_info info;
  uint8_t hash[32];
  const struct device_manifest *manifest = &ota->manifest;
  enum device_ota_status status = device_image_parse(source, &info);
  if (status != DEVICE_OTA_NONE) return status;
  ota->hashing = false;
  if (device_image_hash_finish(&ota->check, hash) != 0) return DEVICE_OTA_FLASH_FAILED;
  const struct device_image_owner owner = {ota->profile->image_key,
                                           ota->profile->padded_signatures};
  status = device_image_judge(source, &info, hash, &owner);
  if (status != DEVICE_OTA_NONE) return status;
  if (memcmp(hash, manifest->hash, sizeof hash) != 0) return DEVICE_OTA_HASH_MISMATCH;
  bool as_announced = info.version == manifest->version && info.counter == manifest->counter &&
                      info.device_class == manifest->device_class;
  return as_announced ? DEVICE_OTA_STAGED : DEVICE_OTA_NOT_AS_ANNOUNCED;
}

/* From here on the boot loader will start it. */
static void stage(struct device_ota *ota)
{
  ota->record.stage = DEVICE_SLOTS_PENDING;
  ota->record.status = DEVICE_OTA_STAGED;
  if (device_slots_write(ota->host, &ota->record) != 0) {
    device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
    return;
  }
  ota->report_due = true;
  device_ota_note(ota);
  device_ota_enter(ota, DEVICE_OTA_LEAVING);
}

void device_ota_check(struct device_ota *ota)
{
  struct device_slots_file file;
  struct device_image_source source;
  hash_ahead(ota);
  if (ota->phase != DEVICE_OTA_CHECKING || (ota->hashing && ota->check.at < ota->check.size))
    return;
  source_of(ota, &file, &source);
  enum device_ota_status status = judge(ota, &source);
  if (status == DEVICE_OTA_STAGED)
    stage(ota);
  else
    device_ota_settle(ota, status);
}
