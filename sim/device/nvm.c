#include "nvm.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define CHUNK                256u
#define IDENTITY_MAGIC       0x46534944u /* "FSID" */
#define IDENTITY_PRIVATE_KEY 8u
#define IDENTITY_UPDATE_KEY  (IDENTITY_PRIVATE_KEY + 32u)
#define IDENTITY_CRC         (IDENTITY_UPDATE_KEY + 65u)
#define IDENTITY_SIZE        (IDENTITY_CRC + 4u)
#define SLOT_MAGIC           0x46535331u /* "FSS1" */
#define SLOT_CRC             12u         /* the header's last field; it covers the fields before it and the payload */
#define SLOTS                2u

static const struct {
  uint32_t offset, capacity;
} areas[DEVICE_NVM_AREAS] = {
    [DEVICE_NVM_TRUST] = {256, DEVICE_NVM_TRUST_MAX},
    [DEVICE_NVM_CERTIFICATE] = {256 + SLOTS * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TRUST_MAX),
                                DEVICE_NVM_CERTIFICATE_MAX},
};
_Static_assert(256 + SLOTS * (2 * DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TRUST_MAX + DEVICE_NVM_CERTIFICATE_MAX) <=
                   DEVICE_NVM_PAGE_SIZE,
               "the slots fit the page");
_Static_assert(IDENTITY_SIZE <= 256, "the identity ends where the slots begin");

/* CRC-32 (IEEE 802.3), a nibble at a time: 64 bytes of table instead of 1 kB of flash. Starts at 0, can be continued.
 */
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size)
{
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc = ~crc;
  for (size_t i = 0; i < size; i++) {
    crc = (crc >> 4) ^ table[(crc ^ data[i]) & 0xf];
    crc = (crc >> 4) ^ table[(crc ^ (uint32_t) (data[i] >> 4)) & 0xf];
  }
  return ~crc;
}

/* Keys must not stay on the stack; a plain memset of a dying buffer may be optimised away. */
static void wipe(void *data, size_t size)
{
  volatile uint8_t *p = data;
  while (size--) *p++ = 0;
}

static uint32_t slot_offset(enum device_nvm_area area, uint8_t index)
{
  return areas[area].offset + index * (DEVICE_NVM_SLOT_HEADER + areas[area].capacity);
}

int device_nvm_read_identity(const struct device_host *host, struct device_nvm_identity *out)
{
  uint8_t raw[IDENTITY_SIZE];
  int result = -1;
  if (host->nvm_read(host->ctx, 0, raw, sizeof raw) == 0 && device_get32(raw) == IDENTITY_MAGIC &&
      device_get32(raw + IDENTITY_CRC) == crc32(0, raw, IDENTITY_CRC)) {
    out->id = device_get32(raw + 4);
    memcpy(out->private_key, raw + IDENTITY_PRIVATE_KEY, sizeof out->private_key);
    memcpy(out->update_key, raw + IDENTITY_UPDATE_KEY, sizeof out->update_key);
    result = 0;
  }
  wipe(raw, sizeof raw);
  return result;
}

static int write_identity(const struct device_host *host, const struct device_nvm_identity *identity)
{
  uint8_t raw[IDENTITY_SIZE];
  device_put32(raw, IDENTITY_MAGIC);
  device_put32(raw + 4, identity->id);
  memcpy(raw + IDENTITY_PRIVATE_KEY, identity->private_key, sizeof identity->private_key);
  memcpy(raw + IDENTITY_UPDATE_KEY, identity->update_key, sizeof identity->update_key);
  device_put32(raw + IDENTITY_CRC, crc32(0, raw, IDENTITY_CRC));
  int result = host->nvm_write(host->ctx, 0, raw, sizeof raw) == 0 ? 0 : -1;
  wipe(raw, sizeof raw);
  return result;
}

/* Continues `crc` over a stretch of NVM. */
static int crc32_nvm(const struct device_host *host, uint32_t offset, uint32_t size, uint32_t *crc)
{
  uint8_t chunk[CHUNK];
  while (size) {
    uint32_t n = size < CHUNK ? size : CHUNK;
    if (host->nvm_read(host->ctx, offset, chunk, n) != 0) return -1;
    *crc = crc32(*crc, chunk, n);
    offset += n;
    size -= n;
  }
  return 0;
}

/* Reads one slot; `out->sequence` is 0 when it is not whole. */
static int read_slot(const struct device_host *host, enum device_nvm_area area, uint8_t index,
                     struct device_nvm_slot *out)
{
  uint8_t header[DEVICE_NVM_SLOT_HEADER];
  uint32_t offset = slot_offset(area, index);
  *out = (struct device_nvm_slot){.index = index, .offset = offset + DEVICE_NVM_SLOT_HEADER};
  if (host->nvm_read(host->ctx, offset, header, sizeof header) != 0) return -1;
  uint32_t size = device_get32(header + 8);
  if (device_get32(header) != SLOT_MAGIC || size == 0 || size > areas[area].capacity) return 0;
  uint32_t crc = crc32(0, header, SLOT_CRC);
  if (crc32_nvm(host, out->offset, size, &crc) != 0) return -1;
  if (crc != device_get32(header + SLOT_CRC)) return 0;
  out->sequence = device_get32(header + 4);
  out->size = out->sequence ? size : 0;
  return 0;
}

/* Sequence numbers wrap; the newer of two is the one that is less than half the circle ahead. */
static bool newer(uint32_t a, uint32_t b)
{
  return a != 0 && (b == 0 || (a != b && a - b < 0x80000000u));
}

int device_nvm_find(const struct device_host *host, enum device_nvm_area area, struct device_nvm_slot *out)
{
  struct device_nvm_slot b;
  if (read_slot(host, area, 0, out) != 0 || read_slot(host, area, 1, &b) != 0) return -1;
  if (newer(b.sequence, out->sequence)) *out = b;
  return 0;
}

/* 1 if NVM holds `data` at `offset`, 0 if not, -1 if it cannot be read. */
static int compare(const struct device_host *host, uint32_t offset, const uint8_t *data, size_t size)
{
  uint8_t chunk[CHUNK];
  for (size_t done = 0; done < size;) {
    size_t n = size - done < CHUNK ? size - done : CHUNK;
    if (host->nvm_read(host->ctx, offset + (uint32_t) done, chunk, n) != 0) return -1;
    if (memcmp(chunk, data + done, n) != 0) return 0;
    done += n;
  }
  return 1;
}

int device_nvm_holds(const struct device_host *host, enum device_nvm_area area, const uint8_t *data, size_t size)
{
  struct device_nvm_slot slot;
  if (device_nvm_find(host, area, &slot) != 0) return -1;
  return slot.size == size && size > 0 ? compare(host, slot.offset, data, size) : 0;
}

int device_nvm_replace(const struct device_host *host, enum device_nvm_area area, const uint8_t *data, size_t size)
{
  struct device_nvm_slot old;
  if (size == 0 || size > areas[area].capacity || device_nvm_find(host, area, &old) != 0) return -1;
  uint8_t index = old.sequence && old.index == 0 ? 1 : 0;
  uint32_t offset = slot_offset(area, index);
  uint32_t sequence = old.sequence + 1 ? old.sequence + 1 : 1;

  if (host->nvm_write(host->ctx, offset + DEVICE_NVM_SLOT_HEADER, data, size) != 0) return -1;
  if (compare(host, offset + DEVICE_NVM_SLOT_HEADER, data, size) != 1) return -1;

  uint8_t header[DEVICE_NVM_SLOT_HEADER];
  device_put32(header, SLOT_MAGIC);
  device_put32(header + 4, sequence);
  device_put32(header + 8, (uint32_t) size);
  device_put32(header + SLOT_CRC, crc32(crc32(0, header, SLOT_CRC), data, size));
  /* A driver may report a failure after the last byte was stored: what a boot would find decides, not its word. */
  (void) host->nvm_write(host->ctx, offset, header, sizeof header);
  struct device_nvm_slot found;
  if (device_nvm_find(host, area, &found) != 0) return -1;
  return found.index == index && found.sequence == sequence ? 0 : -1;
}

int device_nvm_format(const struct device_host *host, const struct device_nvm_identity *identity)
{
  static const uint8_t empty[DEVICE_NVM_SLOT_HEADER];
  for (int area = 0; area < DEVICE_NVM_AREAS; area++) {
    for (uint8_t index = 0; index < SLOTS; index++) {
      if (host->nvm_write(host->ctx, slot_offset((enum device_nvm_area) area, index), empty, sizeof empty) != 0)
        return -1;
    }
  }
  return write_identity(host, identity);
}

uint32_t device_nvm_capacity(enum device_nvm_area area)
{
  return areas[area].capacity;
}
