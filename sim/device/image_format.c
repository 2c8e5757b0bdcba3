/* The bytes of an image, without crypto: header, protected list, list, and that nothing is between
 * or after them. The first thing that is wrong ends it, by its name; details go to the finding. */
#include <string.h>

#include "bytes.h"
#include "image.h"

/* Bits of the header's flags, by MCUboot's names. */
#define FLAGS_ENCRYPTED   0x000cu
#define FLAG_NON_BOOTABLE 0x0010u
#define FLAG_RAM_LOAD     0x0020u
#define FLAG_ROM_FIXED    0x0100u
#define FLAGS_COMPRESSED  0x0e00u
#define DEPENDENCY_SIZE   12u
#define FLAW(symbol)      DEVICE_IMAGE_FLAW_##symbol
#define NOTHING           DEVICE_IMAGE_FLAW_NONE

/* A list of entries under way: data[at .. end) of the file. */
struct list {
  const struct device_image_source *source;
  uint32_t at, end;
  struct device_image_finding *finding;
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

static enum device_image_flaw flaw_of_flags(uint32_t flags)
{
  if ((flags & FLAGS_ENCRYPTED) != 0) return FLAW(ENCRYPTED);
  if ((flags & FLAGS_COMPRESSED) != 0) return FLAW(COMPRESSED);
  if ((flags & FLAG_RAM_LOAD) != 0) return FLAW(RAM_LOAD);
  if ((flags & FLAG_ROM_FIXED) != 0) return FLAW(ROM_FIXED);
  if ((flags & FLAG_NON_BOOTABLE) != 0) return FLAW(NON_BOOTABLE);
  return flags != 0 ? FLAW(FLAGS) : NOTHING;
}

static enum device_image_flaw parse_header(const struct device_image_source *source,
                                           struct device_image_info *info, uint16_t *protected_size,
                                           struct device_image_finding *finding)
{
  uint8_t header[DEVICE_IMAGE_HEADER_SIZE];
  if (!lies_within(source, 0, sizeof header)) return FLAW(SHORT);
  if (source->read(source->ctx, 0, header, sizeof header) != 0) return FLAW(READ);
  info->header_size = device_get16_le(header + 8);
  *protected_size = device_get16_le(header + 10);
  info->body_size = device_get32_le(header + 12);
  info->version = DEVICE_VERSION(header[20], header[21], device_get16_le(header + 22));
  finding->number = device_get32_le(header);
  if (finding->number != DEVICE_IMAGE_MAGIC) return FLAW(MAGIC);
  finding->number = device_get32_le(header + 16);
  enum device_image_flaw flaw = flaw_of_flags(finding->number);
  if (flaw != NOTHING) return flaw;
  finding->number = device_get32_le(header + 4);
  if (finding->number != 0) return FLAW(LOAD_ADDRESS);
  finding->number = info->header_size;
  if (info->header_size < DEVICE_IMAGE_HEADER_SIZE) return FLAW(HEADER_SIZE);
  finding->number = 0;
  return info->body_size == 0 ? FLAW(NO_BODY) : NOTHING;
}

/* Opens the list at `offset`; its size receives the bytes that it says it has. */
static enum device_image_flaw open_list(const struct device_image_source *source, uint64_t offset,
                                        uint16_t magic, struct device_image_finding *finding,
                                        struct list *list)
{
  uint8_t head[4];
  if (!lies_within(source, offset, sizeof head)) return FLAW(CUT_OFF);
  *list = (struct list){
      .source = source, .at = (uint32_t) offset + (uint32_t) sizeof head, .finding = finding};
  finding->type = 0;
  finding->number = (uint32_t) offset;
  if (source->read(source->ctx, (uint32_t) offset, head, sizeof head) != 0) return FLAW(READ);
  uint16_t size = device_get16_le(head + 2);
  if (device_get16_le(head) != magic || size < sizeof head) return FLAW(LIST);
  if (!lies_within(source, offset, size)) return FLAW(CUT_OFF);
  list->end = (uint32_t) offset + size;
  return NOTHING;
}

/* The next entry, whose value lies in the list. Not at the list's end. */
static enum device_image_flaw next_entry(struct list *list, struct entry *entry)
{
  uint8_t head[4];
  if (list->end - list->at < sizeof head) return FLAW(ENTRY);
  if (list->source->read(list->source->ctx, list->at, head, sizeof head) != 0) return FLAW(READ);
  *entry = (struct entry){device_get16_le(head), device_get16_le(head + 2),
                          list->at + (uint32_t) sizeof head};
  list->finding->type = entry->type;
  list->finding->number = entry->size;
  if (entry->size > list->end - entry->offset) return FLAW(ENTRY);
  list->at = entry->offset + entry->size;
  return NOTHING;
}

/* The entry's value, once, if it has just this size. */
static enum device_image_flaw take_value(const struct list *list, const struct entry *entry,
                                         uint8_t *out, size_t size, bool *seen)
{
  if (*seen) return FLAW(TWICE);
  if (entry->size != size) return FLAW(SIZE);
  *seen = true;
  return list->source->read(list->source->ctx, entry->offset, out, size) == 0 ? NOTHING
                                                                              : FLAW(READ);
}

/* Met as MCUboot judges it, where the image in the slot is image 0 of one: by this image's own
   version. */
static enum device_image_flaw parse_dependency(const struct list *list, const struct entry *entry,
                                               const struct device_image_info *info)
{
  uint8_t value[DEPENDENCY_SIZE];
  bool seen = false;
  enum device_image_flaw flaw = take_value(list, entry, value, sizeof value, &seen);
  if (flaw != NOTHING) return flaw;
  list->finding->number = value[0];
  bool is_met = value[0] == 0 &&
                DEVICE_VERSION(value[4], value[5], device_get16_le(value + 6)) <= info->version;
  return is_met ? NOTHING : FLAW(DEPENDENCY);
}

static enum device_image_flaw parse_trust(const struct entry *entry, struct device_image_info *info)
{
  if (info->trust_size != 0) return FLAW(TWICE);
  if (entry->size == 0) return FLAW(SIZE);
  info->trust_offset = entry->offset;
  info->trust_size = entry->size;
  return NOTHING;
}

/* What was found comes without an entry. */
static enum device_image_flaw missing(const struct list *list, enum device_image_flaw flaw)
{
  list->finding->type = 0;
  list->finding->number = 0;
  return flaw;
}

static enum device_image_flaw parse_protected(struct list *list, struct device_image_info *info)
{
  bool counter = false, class = false;
  uint8_t number[4];
  while (list->at < list->end) {
    struct entry entry;
    enum device_image_flaw flaw = next_entry(list, &entry);
    if (flaw != NOTHING) return flaw;
    if (entry.type == DEVICE_IMAGE_TLV_COUNTER) {
      flaw = take_value(list, &entry, number, sizeof number, &counter);
      if (flaw == NOTHING) info->counter = device_get32_le(number);
    } else if (entry.type == DEVICE_IMAGE_TLV_CLASS) {
      flaw = take_value(list, &entry, number, sizeof number, &class);
      if (flaw == NOTHING) info->device_class = device_get32_le(number);
    } else if (entry.type == DEVICE_IMAGE_TLV_TRUST) {
      flaw = parse_trust(&entry, info);
    } else if (entry.type == DEVICE_IMAGE_TLV_DEPENDENCY) {
      flaw = parse_dependency(list, &entry, info);
    }
    if (flaw != NOTHING) return flaw;
  }
  if (!counter) return missing(list, FLAW(NO_COUNTER));
  return class ? NOTHING : missing(list, FLAW(NO_CLASS));
}

/* Of an entry that does not belong into the list that is not signed; types by MCUboot's image.h. */
static enum device_image_flaw flaw_of_stranger(uint16_t type)
{
  if (type == 0x02) return FLAW(WHOLE_KEY);
  if (type == 0x11 || type == 0x12) return FLAW(OTHER_HASH);
  if (type >= 0x20 && type <= 0x25) return FLAW(OTHER_SIGNATURE);
  return type >= 0x30 && type <= 0x34 ? FLAW(ENCRYPTION_KEY) : FLAW(UNSIGNED);
}

static enum device_image_flaw parse_signature(const struct entry *entry,
                                              struct device_image_info *info)
{
  if (info->signature_size > 0) return FLAW(TWICE);
  if (entry->size == 0 || entry->size > DEVICE_IMAGE_SIGNATURE_MAX) return FLAW(SIZE);
  info->signature_offset = entry->offset;
  info->signature_size = (uint8_t) entry->size;
  return NOTHING;
}

static enum device_image_flaw parse_list(struct list *list, struct device_image_info *info)
{
  bool hash = false, key_hash = false;
  while (list->at < list->end) {
    struct entry entry;
    enum device_image_flaw flaw = next_entry(list, &entry);
    if (flaw != NOTHING) return flaw;
    if (entry.type == DEVICE_IMAGE_TLV_SHA256)
      flaw = take_value(list, &entry, info->hash, sizeof info->hash, &hash);
    else if (entry.type == DEVICE_IMAGE_TLV_KEYHASH)
      flaw = take_value(list, &entry, info->key_hash, sizeof info->key_hash, &key_hash);
    else if (entry.type == DEVICE_IMAGE_TLV_ECDSA)
      flaw = parse_signature(&entry, info);
    else
      flaw = flaw_of_stranger(entry.type);
    if (flaw != NOTHING) return flaw;
  }
  if (!hash) return missing(list, FLAW(NO_HASH));
  if (info->signature_size == 0) return missing(list, FLAW(NO_SIGNATURE));
  return key_hash ? NOTHING : missing(list, FLAW(NO_KEY_HASH));
}

static enum device_image_flaw parse_image(const struct device_image_source *source,
                                          struct device_image_info *info,
                                          struct device_image_finding *finding)
{
  uint16_t protected_size;
  enum device_image_flaw flaw = parse_header(source, info, &protected_size, finding);
  if (flaw != NOTHING) return flaw;

  struct list list;
  uint64_t at = (uint64_t) info->header_size + info->body_size; /* may be beyond 2^32 */
  flaw = open_list(source, at, DEVICE_IMAGE_PROTECTED_MAGIC, finding, &list);
  if (flaw == FLAW(LIST) && protected_size == 0) return FLAW(NO_PROTECTED);
  if (flaw != NOTHING) return flaw;
  if (list.end - (uint32_t) at != protected_size) return FLAW(PROTECTED_SIZE);
  flaw = parse_protected(&list, info);
  if (flaw != NOTHING) return flaw;

  info->signed_size = list.end;
  flaw = open_list(source, list.end, DEVICE_IMAGE_LIST_MAGIC, finding, &list);
  if (flaw != NOTHING) return flaw;
  flaw = parse_list(&list, info);
  if (flaw != NOTHING) return flaw;
  finding->type = 0;
  finding->number = source->size - list.end;
  return list.end == source->size ? NOTHING : FLAW(AFTER);
}

enum device_ota_status device_image_examine(const struct device_image_source *source,
                                            struct device_image_info *info,
                                            struct device_image_finding *finding)
{
  static const uint8_t status_of[] = {
#define X(symbol, status, sentence) DEVICE_OTA_##status,
      DEVICE_IMAGE_FLAWS(X)
#undef X
  };
  memset(info, 0, sizeof *info);
  *finding = (struct device_image_finding){.flaw = NOTHING};
  finding->flaw = parse_image(source, info, finding);
  if (finding->flaw != NOTHING) memset(info, 0, sizeof *info);
  return (enum device_ota_status) status_of[finding->flaw];
}

enum device_ota_status device_image_parse(const struct device_image_source *source,
                                          struct device_image_info *info)
{
  struct device_image_finding finding;
  return device_image_examine(source, info, &finding);
}
