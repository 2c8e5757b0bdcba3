/* Causes for people. What is wrong is the device's own finding; here are the words, the entry's
 * name and, where a file is no image at all, what it is instead. */
#include "pki/image_cause.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "device/bytes.h"

/* --- The kind of a file ----------------------------------------------------------------------- */

#define UNPACK "unpack it and give the firmware's binary"

static const struct kind {
  const char *magic;
  size_t size, offset;
  const char *name, *advice;
} kinds[] = {
#define MAGIC(bytes, offset, name, advice)                 \
  {                                                        \
    (bytes), sizeof(bytes) - 1, (offset), (name), (advice) \
  }
    MAGIC("\x3d\xb8\xf3\x96", 0, "an image of MCUboot, signed already",
          "give the firmware as the linker made it, or use the image as it is"),
    MAGIC("\x3c\xb8\xf3\x96", 0, "an image in MCUboot's first format",
          "give the firmware as the linker made it"),
    MAGIC("\x96\xf3\xb8\x3d", 0, "an image of MCUboot for a big-endian processor",
          "give the firmware as the linker made it, and sign it without --endian big"),
    MAGIC("\x7f"
          "ELF",
          0, "an ELF file", "make a binary of it: objcopy -O binary FILE firmware.bin"),
    MAGIC("UF2\n", 0, "a UF2 file", "give the binary that it was made from"),
    MAGIC("DfuSe", 0, "a DfuSe file", "give the binary that it was made from"),
    MAGIC("PK\x03\x04", 0, "a ZIP archive", UNPACK),
    MAGIC("PK\x05\x06", 0, "an empty ZIP archive", "give the firmware's binary"),
    MAGIC("\x1f\x8b", 0, "compressed by gzip", UNPACK),
    MAGIC("BZh", 0, "compressed by bzip2", UNPACK),
    MAGIC("\xfd"
          "7zXZ",
          0, "compressed by xz", UNPACK),
    MAGIC("\x28\xb5\x2f\xfd", 0, "compressed by zstd", UNPACK),
    MAGIC("7z\xbc\xaf", 0, "a 7z archive", UNPACK),
    MAGIC("ustar", 257, "a tar archive", UNPACK),
    MAGIC("07070", 0, "a cpio archive", UNPACK),
    MAGIC("!<arch>\n", 0, "an archive of object files or packages", "give the firmware's binary"),
    MAGIC("-----BEGIN ", 0, "a PEM file, a key or a certificate",
          "give the firmware's binary; the key goes to --key"),
    MAGIC("version https://git-lfs", 0, "a pointer of Git LFS",
          "fetch the file itself: git lfs pull"),
    MAGIC("<!DOCTYPE", 0, "a web page", "look whether the download was refused"),
    MAGIC("<html", 0, "a web page", "look whether the download was refused"),
    MAGIC("FSM1", 0, "a manifest of an update", "give the firmware's binary"),
    MAGIC("FST1", 0, "a trust bundle", "give the firmware's binary; the bundle goes to --trust"),
    MAGIC("FST2", 0, "a trust bundle", "give the firmware's binary; the bundle goes to --trust"),
#undef MAGIC
};

/* Hexadecimal digits at the begin of `text`. */
static size_t hex_digits(const char *text, const char *end)
{
  size_t n = 0;
  while (text + n < end && isxdigit((unsigned char) text[n])) n++;
  return n;
}

/* Firmware as text: a first line that is a record, after a byte order mark and white space. */
static bool is_text_of_records(const char *text, size_t size, const char **name,
                               const char **advice)
{
  const char *end = text + size;
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
  while (text < end && isspace((unsigned char) *text)) text++;
  size_t left = (size_t) (end - text);
  if (left > 10 && text[0] == ':' && hex_digits(text + 1, end) >= 10) {
    *name = "an Intel HEX file",
    *advice = "make a binary of it: objcopy -I ihex -O binary FILE firmware.bin";
  } else if (left > 10 && text[0] == 'S' && isdigit((unsigned char) text[1]) &&
             hex_digits(text + 2, end) >= 8) {
    *name = "a file of S-records",
    *advice = "make a binary of it: objcopy -I srec -O binary FILE firmware.bin";
  } else if (left > 5 && text[0] == '@' && hex_digits(text + 1, end) >= 4 &&
             isspace((unsigned char) text[1 + hex_digits(text + 1, end - 1)])) {
    *name = "a TI-TXT or Verilog hex file",
    *advice = "give the firmware's binary (objcopy -O binary of its ELF file)";
  } else {
    return false;
  }
  return true;
}

bool pki_image_kind(const uint8_t *data, size_t size, const char **name, const char **advice)
{
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    const struct kind *kind = &kinds[i];
    if (kind->offset + kind->size > size ||
        memcmp(data + kind->offset, kind->magic, kind->size) != 0)
      continue;
    *name = kind->name;
    *advice = kind->advice;
    return true;
  }
  return is_text_of_records((const char *) data, size, name, advice);
}

/* --- The cause of a refusal ------------------------------------------------------------------- */

static const struct {
  uint16_t type;
  const char *name;
} entries[] = {{DEVICE_IMAGE_TLV_KEYHASH, "key hash"},
               {0x02, "public key"},
               {DEVICE_IMAGE_TLV_SHA256, "SHA-256"},
               {0x11, "SHA-384"},
               {0x12, "SHA-512"},
               {0x20, "RSA-2048 signature"},
               {0x21, "ECDSA P-224 signature"},
               {DEVICE_IMAGE_TLV_ECDSA, "ECDSA signature"},
               {0x23, "RSA-3072 signature"},
               {0x24, "Ed25519 signature"},
               {0x25, "mark of a signature over the image itself"},
               {0x30, "image key, encrypted by RSA"},
               {0x31, "image key, encrypted by AES"},
               {0x32, "image key, encrypted on P-256"},
               {0x33, "image key, encrypted on X25519"},
               {0x34, "image key, encrypted on X25519 with SHA-512"},
               {DEVICE_IMAGE_TLV_DEPENDENCY, "dependency"},
               {DEVICE_IMAGE_TLV_COUNTER, "security counter"},
               {0x60, "boot record"},
               {0x70, "decompressed size"},
               {0x71, "decompressed hash"},
               {0x72, "decompressed signature"},
               {0x73, "compressed size"},
               {0x74, "vendor id"},
               {0x75, "class id"},
               {DEVICE_IMAGE_TLV_CLASS, "device class"},
               {DEVICE_IMAGE_TLV_TRUST, "trust bundle"}};

const char *pki_image_entry_name(uint16_t type)
{
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
    if (entries[i].type == type) return entries[i].name;
  return "unknown";
}

/* "its device class (0xa0) has 1 byte, not 4" */
static void tell_size(const struct device_image_finding *f, char out[PKI_IMAGE_CAUSE_MAX])
{
  const char *wanted =
      f->type == DEVICE_IMAGE_TLV_ECDSA        ? "not 1 to 72: sign it by a P-256 key"
      : f->type == DEVICE_IMAGE_TLV_DEPENDENCY ? "not 12"
      : f->type == DEVICE_IMAGE_TLV_COUNTER    ? "not 4"
      : f->type == DEVICE_IMAGE_TLV_TRUST      ? "and should have some"
      : f->type == DEVICE_IMAGE_TLV_CLASS
          ? "not 4: write four bytes, little-endian, as --custom-tlv 0xa0 0x01000000 for class 1"
          : "not 32";
  snprintf(out, PKI_IMAGE_CAUSE_MAX, "its %s (0x%02x) has %u byte%s, %s",
           pki_image_entry_name(f->type), f->type, f->number, f->number == 1 ? "" : "s", wanted);
}

/* --pad fills the slot with the value of erased flash; at its end is a trailer, or more of the
   same. */
static void tell_after(const struct device_image_source *source, uint32_t after,
                       char out[PKI_IMAGE_CAUSE_MAX])
{
  uint8_t first = 0;
  bool erased = source->read(source->ctx, source->size - after, &first, 1) == 0 &&
                (first == 0xff || first == 0);
  snprintf(
      out, PKI_IMAGE_CAUSE_MAX, "%u bytes follow the image%s", after,
      erased
          ? ", which is padded to the size of a slot: sign it without --pad, --confirm and --test"
          : "");
}

static void tell_magic(const struct device_image_source *source, char out[PKI_IMAGE_CAUSE_MAX])
{
  uint8_t data[PKI_IMAGE_KIND_BYTES];
  const char *name, *advice;
  size_t size = source->size < sizeof data ? source->size : sizeof data;
  if (source->read(source->ctx, 0, data, size) == 0 && pki_image_kind(data, size, &name, &advice))
    snprintf(out, PKI_IMAGE_CAUSE_MAX, "it is %s: %s", name, advice);
}

void pki_image_cause(const struct device_image_source *source,
                     const struct device_image_finding *finding, char out[PKI_IMAGE_CAUSE_MAX])
{
  static const char *const sentences[] = {
#define X(symbol, status, sentence) sentence,
      DEVICE_IMAGE_FLAWS(X)
#undef X
  };
  const char *sentence = finding->flaw == DEVICE_IMAGE_FLAW_NONE ? "" : sentences[finding->flaw],
             *detail = "";
  char buffer[64];
  switch (finding->flaw) {
  case DEVICE_IMAGE_FLAW_FLAGS:
    snprintf(buffer, sizeof buffer, " (0x%x)", finding->number);
    detail = buffer;
    break;
  case DEVICE_IMAGE_FLAW_LIST:
    snprintf(buffer, sizeof buffer, ", at byte %u", finding->number);
    detail = buffer;
    break;
  case DEVICE_IMAGE_FLAW_DEPENDENCY:
    snprintf(buffer, sizeof buffer, " (image %u): sign it without --dependencies", finding->number);
    detail = buffer;
    break;
  case DEVICE_IMAGE_FLAW_ENTRY:
  case DEVICE_IMAGE_FLAW_TWICE:
  case DEVICE_IMAGE_FLAW_OTHER_HASH:
  case DEVICE_IMAGE_FLAW_OTHER_SIGNATURE:
  case DEVICE_IMAGE_FLAW_UNSIGNED:
    snprintf(buffer, sizeof buffer, " (0x%02x, %s)", finding->type,
             pki_image_entry_name(finding->type));
    detail = buffer;
    break;
  default: break;
  }
  snprintf(out, PKI_IMAGE_CAUSE_MAX, "%s%s", sentence, detail);
  if (finding->flaw == DEVICE_IMAGE_FLAW_SIZE) tell_size(finding, out);
  if (finding->flaw == DEVICE_IMAGE_FLAW_AFTER) tell_after(source, finding->number, out);
  if (finding->flaw == DEVICE_IMAGE_FLAW_MAGIC || finding->flaw == DEVICE_IMAGE_FLAW_SHORT)
    tell_magic(source, out);
}

bool pki_image_signature_is_padded(const struct device_image_source *source,
                                   const struct device_image_info *info)
{
  uint8_t der[DEVICE_IMAGE_SIGNATURE_MAX];
  if (source->read(source->ctx, info->signature_offset, der, info->signature_size) != 0)
    return false;
  if (info->signature_size < 2 || der[0] != 0x30 || der[1] > info->signature_size - 3) return false;
  for (size_t i = 2u + der[1]; i < info->signature_size; i++)
    if (der[i] != 0) return false;
  return true;
}

void pki_image_note(const struct device_image_source *source, const struct device_image_info *info,
                    char out[PKI_IMAGE_CAUSE_MAX])
{
  uint8_t head[4];
  bool vendor = false, class = false;
  uint32_t at = info->header_size + info->body_size + 4;
  while (at + sizeof head <= info->signed_size &&
         source->read(source->ctx, at, head, sizeof head) == 0) {
    uint16_t type = device_get16_le(head);
    vendor = vendor || type == 0x74;
    class = class || type == 0x75;
    at += (uint32_t) sizeof head + device_get16_le(head + 2);
  }
  out[0] = '\0';
  if (vendor || class)
    snprintf(out, PKI_IMAGE_CAUSE_MAX,
             "its %s%s%s not looked at here, as by an MCUboot without MCUBOOT_UUID_VID and _CID; "
             "one that has them refuses an image of other ids, so try that on hardware",
             vendor ? "vendor id" : "", vendor && class ? " and " : "",
             class ? vendor ? "class id are" : "class id is" : " is");
}
