/* Reads and writes through the host's hooks, a chunk at a time: no page is ever held in RAM. What
 * decides is always what a boot would find, so a write is read back, and a driver's good word is
 * not taken for it. -1: the memory does not answer. */
#include "fleetsim/nvm.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define CHUNK                256u
#define IDENTITY_MAGIC       0x46534932u /* "FSI2" */
#define IDENTITY_PRIVATE_KEY 8u
#define IDENTITY_UPDATE_KEY  (IDENTITY_PRIVATE_KEY + 32u)
/* texts end with their first zero, or after 64 bytes */
#define IDENTITY_NAME         (IDENTITY_UPDATE_KEY + 65u)
#define IDENTITY_SUBJECT_KIND (IDENTITY_NAME + TEXT_MAX)
#define IDENTITY_SUBJECT      (IDENTITY_SUBJECT_KIND + 1u)
#define IDENTITY_CRC          (IDENTITY_SUBJECT + TEXT_MAX)
#define IDENTITY_SIZE         (IDENTITY_CRC + 4u)
#define TEXT_MAX              (DEVICE_NAME_TEXT - 1u)
/* the format without names: its CRC lies where a name begins now */
#define NAMELESS_MAGIC 0x46534944u /* "FSID" */
#define NAMELESS_CRC   IDENTITY_NAME
#define SLOT_MAGIC     0x46535331u /* "FSS1" */
/* the header's last field; it covers the fields before it and the payload */
#define SLOT_CRC 12u
#define SLOTS    2u

#define TRUST_AT       256u
#define CERTIFICATE_AT (TRUST_AT + SLOTS * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TRUST_MAX))
#define TICKET_AT      (CERTIFICATE_AT + SLOTS * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_CERTIFICATE_MAX))
#define IMAGES_AT      (TICKET_AT + SLOTS * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TICKET_MAX))

static const struct {
  uint32_t offset, capacity;
} areas[DEVICE_NVM_AREAS] = {
    [DEVICE_NVM_TRUST] = {TRUST_AT, DEVICE_NVM_TRUST_MAX},
    [DEVICE_NVM_CERTIFICATE] = {CERTIFICATE_AT, DEVICE_NVM_CERTIFICATE_MAX},
    [DEVICE_NVM_TICKET] = {TICKET_AT, DEVICE_NVM_TICKET_MAX},
    [DEVICE_NVM_IMAGES] = {IMAGES_AT, DEVICE_NVM_IMAGES_MAX},
};
_Static_assert(IMAGES_AT + SLOTS * (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_IMAGES_MAX) <=
                   DEVICE_NVM_PAGE_SIZE,
               "the slots fit the page");
_Static_assert(IDENTITY_SIZE <= 256, "the identity ends where the slots begin");

/* CRC-32 (IEEE 802.3). Starts at 0, can be continued. Every boot and every connect check what they
 * read from NVM, so the kilobyte of table is worth its flash: half the time of a nibble at a
 * time. */
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size)
{
  static const uint32_t table[256] = {
      0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535,
      0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd,
      0xe7b82d07, 0x90bf1d91, 0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d,
      0x6ddde4eb, 0xf4d4b551, 0x83d385c7, 0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec,
      0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5, 0x3b6e20c8, 0x4c69105e, 0xd56041e4,
      0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b, 0x35b5a8fa, 0x42b2986c,
      0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59, 0x26d930ac,
      0x51de003a, 0xc8d75180, 0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
      0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924, 0x2f6f7c87, 0x58684c11, 0xc1611dab,
      0xb6662d3d, 0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589, 0x06b6b51f,
      0x9fbfe4a5, 0xe8b8d433, 0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb,
      0x086d3d2d, 0x91646c97, 0xe6635c01, 0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e,
      0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457, 0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea,
      0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65, 0x4db26158, 0x3ab551ce,
      0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb, 0x4369e96a,
      0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
      0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409,
      0xce61e49f, 0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4, 0x59b33d17, 0x2eb40d81,
      0xb7bd5c3b, 0xc0ba6cad, 0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a, 0xead54739,
      0x9dd277af, 0x04db2615, 0x73dc1683, 0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8,
      0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1, 0xf00f9344, 0x8708a3d2, 0x1e01f268,
      0x6906c2fe, 0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7, 0xfed41b76, 0x89d32be0,
      0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5, 0xd6d6a3e8,
      0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
      0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef,
      0x4669be79, 0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703,
      0x220216b9, 0x5505262f, 0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7,
      0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d, 0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a,
      0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713, 0x95bf4a82, 0xe2b87a14, 0x7bb12bae,
      0x0cb61b38, 0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21, 0x86d3d2d4, 0xf1d4e242,
      0x68ddb3f8, 0x1fda836e, 0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777, 0x88085ae6,
      0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
      0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d,
      0x3e6e77db, 0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5,
      0x47b2cf7f, 0x30b5ffe9, 0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605,
      0xcdd70693, 0x54de5729, 0x23d967bf, 0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94,
      0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d};
  crc = ~crc;
  for (size_t i = 0; i < size; i++) crc = (crc >> 8) ^ table[(crc ^ data[i]) & 0xff];
  return ~crc;
}

uint32_t device_nvm_crc(const uint8_t *data, size_t size)
{
  return crc32(0, data, size);
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

void device_nvm_name_identity(struct device_nvm_identity *identity)
{
  if (identity->name[0] == '\0') device_id_text(identity->id, identity->name);
  if (identity->subject[0] == '\0')
    memcpy(identity->subject, identity->name, sizeof identity->subject);
}

static bool names_are_good(const struct device_nvm_identity *identity)
{
  return device_name_is_good(identity->name) && device_name_is_good(identity->subject) &&
         identity->subject_kind < DEVICE_SUBJECTS;
}

/* Where the CRC lies of what is there; 0: it is no identity. */
static uint32_t crc_place(const uint8_t raw[IDENTITY_SIZE])
{
  uint32_t magic = device_get32(raw);
  uint32_t at = magic == IDENTITY_MAGIC ? IDENTITY_CRC : magic == NAMELESS_MAGIC ? NAMELESS_CRC : 0;
  return at != 0 && device_get32(raw + at) == crc32(0, raw, at) ? at : 0;
}

static int parse_identity(const uint8_t raw[IDENTITY_SIZE], struct device_nvm_identity *out)
{
  uint32_t crc = crc_place(raw);
  if (crc == 0) return -1;
  memset(out, 0, sizeof *out);
  out->id = device_get32(raw + 4);
  memcpy(out->private_key, raw + IDENTITY_PRIVATE_KEY, sizeof out->private_key);
  memcpy(out->update_key, raw + IDENTITY_UPDATE_KEY, sizeof out->update_key);
  if (crc == IDENTITY_CRC) {
    memcpy(out->name, raw + IDENTITY_NAME, TEXT_MAX);
    out->subject_kind = raw[IDENTITY_SUBJECT_KIND];
    memcpy(out->subject, raw + IDENTITY_SUBJECT, TEXT_MAX);
  } else
    device_nvm_name_identity(out);
  return names_are_good(out) ? 0 : -1;
}

int device_nvm_read_identity(const struct device_host *host, struct device_nvm_identity *out)
{
  uint8_t raw[IDENTITY_SIZE];
  int result = host->nvm_read(host->ctx, 0, raw, sizeof raw) == 0 ? parse_identity(raw, out) : -1;
  wipe(raw, sizeof raw);
  return result;
}

static int write_identity(const struct device_host *host,
                          const struct device_nvm_identity *identity)
{
  uint8_t raw[IDENTITY_SIZE];
  device_put32(raw, IDENTITY_MAGIC);
  device_put32(raw + 4, identity->id);
  memcpy(raw + IDENTITY_PRIVATE_KEY, identity->private_key, sizeof identity->private_key);
  memcpy(raw + IDENTITY_UPDATE_KEY, identity->update_key, sizeof identity->update_key);
  memcpy(raw + IDENTITY_NAME, identity->name, TEXT_MAX);
  raw[IDENTITY_SUBJECT_KIND] = identity->subject_kind;
  memcpy(raw + IDENTITY_SUBJECT, identity->subject, TEXT_MAX);
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
  out->crc = crc;
  return 0;
}

/* Sequence numbers wrap; the newer of two is the one that is less than half the circle ahead. */
static bool newer(uint32_t a, uint32_t b)
{
  return a != 0 && (b == 0 || (a != b && a - b < 0x80000000u));
}

int device_nvm_find(const struct device_host *host, enum device_nvm_area area,
                    struct device_nvm_slot *out)
{
  struct device_nvm_slot b;
  if (read_slot(host, area, 0, out) != 0 || read_slot(host, area, 1, &b) != 0) return -1;
  if (newer(b.sequence, out->sequence)) *out = b;
  return 0;
}

/* 1 if NVM holds `data` at `offset`, 0 if not, -1 if it cannot be read. */
static int compare_page(const struct device_host *host, uint32_t offset, const uint8_t *data,
                        size_t size)
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

int device_nvm_holds(const struct device_host *host, enum device_nvm_area area, const uint8_t *data,
                     size_t size)
{
  struct device_nvm_slot slot;
  if (device_nvm_find(host, area, &slot) != 0) return -1;
  return slot.size == size && size > 0 ? compare_page(host, slot.offset, data, size) : 0;
}

int device_nvm_replace(const struct device_host *host, enum device_nvm_area area,
                       const uint8_t *data, size_t size)
{
  struct device_nvm_slot old;
  if (size == 0 || size > areas[area].capacity || device_nvm_find(host, area, &old) != 0) return -1;
  uint8_t index = old.sequence && old.index == 0 ? 1 : 0;
  uint32_t offset = slot_offset(area, index);
  uint32_t sequence = old.sequence + 1 ? old.sequence + 1 : 1;

  if (host->nvm_write(host->ctx, offset + DEVICE_NVM_SLOT_HEADER, data, size) != 0) return -1;
  if (compare_page(host, offset + DEVICE_NVM_SLOT_HEADER, data, size) != 1) return -1;

  uint8_t header[DEVICE_NVM_SLOT_HEADER];
  device_put32(header, SLOT_MAGIC);
  device_put32(header + 4, sequence);
  device_put32(header + 8, (uint32_t) size);
  device_put32(header + SLOT_CRC, crc32(crc32(0, header, SLOT_CRC), data, size));
  /* A driver may report a failure after the last byte was stored: what a boot would find decides,
     not its word. */
  (void) host->nvm_write(host->ctx, offset, header, sizeof header);
  struct device_nvm_slot found;
  if (device_nvm_find(host, area, &found) != 0) return -1;
  return found.index == index && found.sequence == sequence ? 0 : -1;
}

static int erase_slot(const struct device_host *host, enum device_nvm_area area, uint8_t index)
{
  static const uint8_t zeros[CHUNK];
  uint8_t magic[4];
  uint32_t at = slot_offset(area, index), end = at + DEVICE_NVM_SLOT_HEADER + areas[area].capacity;
  if (host->nvm_read(host->ctx, at, magic, sizeof magic) != 0) return -1;
  if (device_get32(magic) != SLOT_MAGIC) return 0;
  while (at < end) {
    uint32_t n = end - at < CHUNK ? end - at : CHUNK;
    if (host->nvm_write(host->ctx, at, zeros, n) != 0) return -1;
    at += n;
  }
  return 0;
}

/* The slot in force goes last, or a cut in between would put the older one in force again. */
int device_nvm_erase(const struct device_host *host, enum device_nvm_area area)
{
  struct device_nvm_slot found;
  if (device_nvm_find(host, area, &found) != 0 || erase_slot(host, area, found.index ^ 1u) != 0)
    return -1;
  return erase_slot(host, area, found.index);
}

static int empty_slots(const struct device_host *host)
{
  static const uint8_t empty[DEVICE_NVM_SLOT_HEADER];
  for (int area = 0; area < DEVICE_NVM_AREAS; area++) {
    for (uint8_t index = 0; index < SLOTS; index++) {
      if (host->nvm_write(host->ctx, slot_offset((enum device_nvm_area) area, index), empty,
                          sizeof empty) != 0)
        return -1;
    }
  }
  return 0;
}

int device_nvm_format(const struct device_host *host, const struct device_nvm_identity *identity)
{
  struct device_nvm_identity named = *identity;
  device_nvm_name_identity(&named);
  int result = names_are_good(&named) && empty_slots(host) == 0 ? write_identity(host, &named) : -1;
  wipe(&named, sizeof named);
  return result;
}

uint32_t device_nvm_capacity(enum device_nvm_area area)
{
  return areas[area].capacity;
}
