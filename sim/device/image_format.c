/* The bytes of an image. Without crypto. */
#include <string.h>

#include "bytes.h"
#include "image.h"

/* A list of entries under way: data[at .. end) of the file. */
struct list {
  const struct device_image_source *source;
  uint32_t at, end;
};

struct entry {
  uint16_t type, size;
  uint32_t offset; /* of its value */
};

/* The size that the file has must hold before `offset + size` is asked for. */
static bool lies_within(const struct device_image_source *source, uint64_t offset, uint64_t size)
{
  return offset + size <= source->size;
}

static enum device_ota_status parse_header(const struct device_image_source *source, struct device_image_info *info,
                                           uint16_t *protected_size)
{
  uint8_t header[DEVICE_IMAGE_HEADER_SIZE];
  if (!lies_within(source, 0, sizeof header)) return DEVICE_OTA_BAD_IMAGE;
  if (source->read(source->ctx, 0, header, sizeof header) != 0) return DEVICE_OTA_FLASH_FAILED;
  info->header_size = device_get16_le(header + 8);
  *protected_size = device_get16_le(header + 10);
  info->body_size = device_get32_le(header + 12);
  info->version = DEVICE_VERSION(header[20], header[21], device_get16_le(header + 22));
  bool good = device_get32_le(header) == DEVICE_IMAGE_MAGIC && device_get32_le(header + 4) == 0 &&
              info->header_size >= DEVICE_IMAGE_HEADER_SIZE && info->body_size > 0 && device_get32_le(header + 16) == 0;
  return good ? DEVICE_OTA_NONE : DEVICE_OTA_BAD_IMAGE;
}

/* Opens the list at `offset`; its size receives the bytes that it says it has. */
static enum device_ota_status open_list(const struct device_image_source *source, uint64_t offset, uint16_t magic,
                                        struct list *list)
{
  uint8_t head[4];
  if (!lies_within(source, offset, sizeof head)) return DEVICE_OTA_BAD_TLV;
  *list = (struct list){.source = source, .at = (uint32_t) offset + (uint32_t) sizeof head};
  if (source->read(source->ctx, (uint32_t) offset, head, sizeof head) != 0) return DEVICE_OTA_FLASH_FAILED;
  uint16_t size = device_get16_le(head + 2);
  if (device_get16_le(head) != magic || size < sizeof head || !lies_within(source, offset, size))
    return DEVICE_OTA_BAD_TLV;
  list->end = (uint32_t) offset + size;
  return DEVICE_OTA_NONE;
}

/* The next entry, whose value lies in the list. Not at the list's end. */
static enum device_ota_status next_entry(struct list *list, struct entry *entry)
{
  uint8_t head[4];
  if (list->end - list->at < sizeof head) return DEVICE_OTA_BAD_TLV;
  if (list->source->read(list->source->ctx, list->at, head, sizeof head) != 0) return DEVICE_OTA_FLASH_FAILED;
  *entry = (struct entry){device_get16_le(head), device_get16_le(head + 2), list->at + (uint32_t) sizeof head};
  if (entry->size > list->end - entry->offset) return DEVICE_OTA_BAD_TLV;
  list->at = entry->offset + entry->size;
  return DEVICE_OTA_NONE;
}

/* The entry's value, once, if it has just this size. */
static enum device_ota_status take(const struct list *list, const struct entry *entry, uint8_t *out, size_t size,
                                   bool *seen)
{
  if (*seen || entry->size != size) return DEVICE_OTA_BAD_TLV;
  *seen = true;
  return list->source->read(list->source->ctx, entry->offset, out, size) == 0 ? DEVICE_OTA_NONE
                                                                              : DEVICE_OTA_FLASH_FAILED;
}

static enum device_ota_status parse_protected(struct list *list, struct device_image_info *info)
{
  bool counter = false, class = false;
  uint8_t number[4];
  while (list->at < list->end) {
    struct entry entry;
    enum device_ota_status status = next_entry(list, &entry);
    if (status != DEVICE_OTA_NONE) return status;
    if (entry.type == DEVICE_IMAGE_TLV_COUNTER) {
      status = take(list, &entry, number, sizeof number, &counter);
      if (status == DEVICE_OTA_NONE) info->counter = device_get32_le(number);
    } else if (entry.type == DEVICE_IMAGE_TLV_CLASS) {
      status = take(list, &entry, number, sizeof number, &class);
      if (status == DEVICE_OTA_NONE) info->device_class = device_get32_le(number);
    } else if (entry.type == DEVICE_IMAGE_TLV_TRUST) {
      if (info->trust_size != 0 || entry.size == 0) return DEVICE_OTA_BAD_TLV;
      info->trust_offset = entry.offset;
      info->trust_size = entry.size;
    }
    if (status != DEVICE_OTA_NONE) return status;
  }
  return counter && class ? DEVICE_OTA_NONE : DEVICE_OTA_BAD_TLV;
}

static enum device_ota_status parse_list(struct list *list, struct device_image_info *info)
{
  bool hash = false, key_hash = false;
  while (list->at < list->end) {
    struct entry entry;
    enum device_ota_status status = next_entry(list, &entry);
    if (status != DEVICE_OTA_NONE) return status;
    if (entry.type == DEVICE_IMAGE_TLV_SHA256) {
      status = take(list, &entry, info->hash, sizeof info->hash, &hash);
    } else if (entry.type == DEVICE_IMAGE_TLV_KEYHASH) {
      status = take(list, &entry, info->key_hash, sizeof info->key_hash, &key_hash);
    } else if (entry.type == DEVICE_IMAGE_TLV_ECDSA && info->signature_size == 0 && entry.size > 0 &&
               entry.size <= DEVICE_IMAGE_SIGNATURE_MAX) {
      info->signature_offset = entry.offset;
      info->signature_size = (uint8_t) entry.size;
    } else {
      status = DEVICE_OTA_BAD_TLV;
    }
    if (status != DEVICE_OTA_NONE) return status;
  }
  return hash && key_hash && info->signature_size > 0 ? DEVICE_OTA_NONE : DEVICE_OTA_BAD_TLV;
}

static enum device_ota_status parse(const struct device_image_source *source, struct device_image_info *info)
{
  uint16_t protected_size;
  enum device_ota_status status = parse_header(source, info, &protected_size);
  if (status != DEVICE_OTA_NONE) return status;

  struct list list;
  uint64_t at = (uint64_t) info->header_size + info->body_size; /* may be beyond 2^32 */
  status = open_list(source, at, DEVICE_IMAGE_PROTECTED_MAGIC, &list);
  if (status != DEVICE_OTA_NONE) return status;
  if (list.end - (uint32_t) at != protected_size) return DEVICE_OTA_BAD_TLV;
  status = parse_protected(&list, info);
  if (status != DEVICE_OTA_NONE) return status;

  info->signed_size = list.end;
  status = open_list(source, list.end, DEVICE_IMAGE_LIST_MAGIC, &list);
  if (status != DEVICE_OTA_NONE) return status;
  return list.end == source->size ? parse_list(&list, info) : DEVICE_OTA_BAD_TLV;
}

enum device_ota_status device_image_parse(const struct device_image_source *source, struct device_image_info *info)
{
  memset(info, 0, sizeof *info);
  enum device_ota_status status = parse(source, info);
  if (status != DEVICE_OTA_NONE) memset(info, 0, sizeof *info);
  return status;
}
