/* fleetsim image show: what an image says of itself, and what a device says to it. What is listed
 * is read leniently, so that a foreign or damaged image can be looked at; the verdict is that of
 * the device's own code. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <psa/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/image_args.h"
#include "cli/tree.h"
#include "cli/verbs.h"
#include "device/bytes.h"
#include "device/image.h"
#include "device/platform.h"
#include "device/trust.h"
#include "pki/image_cause.h"
#include "pki/nvm_store.h"

#define CACHE_SIZE  65536u
#define USUAL_CLASS 1  /* of devices where a scenario says nothing */
#define ENTRIES_MAX 64 /* listed of each list; a device's parser reads them all */

/* The file, read a piece at a time. */
struct look {
  int fd;
  uint32_t size;
  uint32_t cached_at, cached;
  uint8_t cache[CACHE_SIZE];
};

/* device_image_source's read; small reads come from a cached piece, for hashing goes in slices of
   256 bytes. */
static int look_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct look *look = ctx;
  if (offset < look->cached_at || offset - look->cached_at + size > look->cached) {
    ssize_t n = pread(look->fd, look->cache, sizeof look->cache, (off_t) offset);
    if (n < (ssize_t) size) return -1;
    look->cached_at = offset;
    look->cached = (uint32_t) n;
  }
  memcpy(out, look->cache + (offset - look->cached_at), size);
  return 0;
}

static int look_open(const char *path, struct look *look, struct error *error)
{
  struct stat st;
  *look = (struct look){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (look->fd < 0)
    return error_set(error, EXIT_CODE_USAGE, "cannot read %s: %s", path, strerror(errno));
  if (fstat(look->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
      st.st_size <= UINT32_MAX) {
    look->size = (uint32_t) st.st_size;
    return 0;
  }
  close(look->fd);
  return error_set(
      error, EXIT_CODE_USAGE,
      "%s is no image: that is a regular file which is not empty and has less than 4 GiB", path);
}

/* Entries that a device needs. */
static const struct {
  uint16_t type;
  bool is_protected;
} needed[] = {{DEVICE_IMAGE_TLV_COUNTER, true},
              {DEVICE_IMAGE_TLV_CLASS, true},
              {DEVICE_IMAGE_TLV_SHA256, false},
              {DEVICE_IMAGE_TLV_KEYHASH, false},
              {DEVICE_IMAGE_TLV_ECDSA, false}};

static json_t *trust_of(struct look *look, uint32_t offset, uint16_t size)
{
  uint8_t bytes[UINT16_MAX];
  struct device_trust_bundle bundle;
  if (look_read(look, offset, bytes, size) != 0 ||
      device_trust_parse(bytes, size, &bundle) != DEVICE_UPDATE_COMMITTED)
    return json_string("malformed");
  char text[80];
  snprintf(text, sizeof text, "version %u, %u anchors, %u revocation lists", bundle.version,
           bundle.anchor_count, bundle.crl_count);
  return json_string(text);
}

/* The value for people: a number, the first 32 bytes as hex, or what a trust bundle has. */
static json_t *value_of(struct look *look, uint16_t type, uint32_t offset, uint16_t size)
{
  uint8_t bytes[32];
  size_t shown = size < sizeof bytes ? size : sizeof bytes;
  if (type == DEVICE_IMAGE_TLV_TRUST) return trust_of(look, offset, size);
  if (look_read(look, offset, bytes, shown) != 0) return json_null();
  if ((type == DEVICE_IMAGE_TLV_COUNTER || type == DEVICE_IMAGE_TLV_CLASS) && size == 4)
    return json_integer(device_get32_le(bytes));
  return tree_hex(bytes, shown);
}

/* Lists the entries of one list, as far as they lie in the file. Returns where the list ends, or 0
 * when there is none.
 */
static uint64_t list_entries(struct look *look, uint64_t at, bool is_protected, json_t *entries)
{
  uint8_t head[4];
  uint16_t magic = is_protected ? DEVICE_IMAGE_PROTECTED_MAGIC : DEVICE_IMAGE_LIST_MAGIC;
  if (at + 4 > look->size || look_read(look, (uint32_t) at, head, 4) != 0 ||
      device_get16_le(head) != magic)
    return 0;
  uint64_t end = at + device_get16_le(head + 2), limit = end < look->size ? end : look->size;
  at += 4;
  for (int i = 0;
       i < ENTRIES_MAX && at + 4 <= limit && look_read(look, (uint32_t) at, head, 4) == 0; i++) {
    uint16_t type = device_get16_le(head), size = device_get16_le(head + 2);
    bool whole = at + 4 + size <= limit;
    json_t *entry = json_object();
    json_object_set_new(entry, "protected", json_boolean(is_protected));
    json_object_set_new(entry, "type", json_integer(type));
    json_object_set_new(entry, "name", json_string(pki_image_entry_name(type)));
    json_object_set_new(entry, "size", json_integer(size));
    json_object_set_new(entry, "value",
                        whole ? value_of(look, type, (uint32_t) at + 4, size) : json_null());
    json_array_append_new(entries, entry);
    at += 4u + size;
  }
  return end;
}

static json_t *missing_entries(const json_t *entries)
{
  json_t *missing = json_array();
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    size_t at;
    json_t *entry;
    bool seen = false;
    json_array_foreach(entries, at, entry) seen |=
        json_integer_value(json_object_get(entry, "type")) == needed[i].type &&
        json_is_true(json_object_get(entry, "protected")) == needed[i].is_protected;
    if (!seen) json_array_append_new(missing, json_string(pki_image_entry_name(needed[i].type)));
  }
  return missing;
}

/* Header and entries; a file that does not begin as an image does has only a size. */
static void add_contents(struct look *look, json_t *tree)
{
  uint8_t h[DEVICE_IMAGE_HEADER_SIZE];
  char version[40];
  json_object_set_new(tree, "size", json_integer(look->size));
  if (look->size < sizeof h || look_read(look, 0, h, sizeof h) != 0 ||
      device_get32_le(h) != DEVICE_IMAGE_MAGIC)
    return;
  json_t *header = json_object(), *entries = json_array();
  snprintf(version, sizeof version, "%u.%u.%u+%u", h[20], h[21], device_get16_le(h + 22),
           device_get32_le(h + 24));
  json_object_set_new(header, "version", json_string(version));
  json_object_set_new(header, "header_size", json_integer(device_get16_le(h + 8)));
  json_object_set_new(header, "body_size", json_integer(device_get32_le(h + 12)));
  json_object_set_new(header, "protected_size", json_integer(device_get16_le(h + 10)));
  json_object_set_new(header, "load_address", json_integer(device_get32_le(h + 4)));
  json_object_set_new(header, "flags", json_integer(device_get32_le(h + 16)));
  json_object_set_new(tree, "header", header);
  json_object_set_new(tree, "entries", entries);
  uint64_t at = (uint64_t) device_get16_le(h + 8) + device_get32_le(h + 12);
  if (device_get16_le(h + 10) > 0) at = list_entries(look, at, true, entries);
  uint64_t end = at == 0 ? 0 : list_entries(look, at, false, entries);
  json_object_set_new(tree, "missing", missing_entries(entries));
  if (end > 0)
    json_object_set_new(tree, "bytes_after",
                        json_integer((json_int_t) look->size - (json_int_t) end));
}

/* What a device says, and why. */
struct verdict {
  enum device_ota_status status;
  bool has_key;
  bool has_class;
  uint32_t device_class;
  char cause[PKI_IMAGE_CAUSE_MAX]; /* "": the status says all */
  char note[PKI_IMAGE_CAUSE_MAX];  /* "": nothing else */
};

/* Without a key: all but who signed it. */
static enum device_ota_status judge_hash(const struct device_image_source *source,
                                         const struct device_image_info *info, uint8_t hash[32])
{
  struct device_image_check check;
  if (device_image_hash_begin(&check, info) != 0) return DEVICE_OTA_FLASH_FAILED;
  int hashed = device_image_hash_continue(&check, source, UINT32_MAX);
  if (device_image_hash_finish(&check, hash) != 0 || hashed != 0) return DEVICE_OTA_FLASH_FAILED;
  return memcmp(hash, info->hash, sizeof info->hash) == 0 ? DEVICE_OTA_NONE
                                                          : DEVICE_OTA_HASH_MISMATCH;
}

static void judge_image(const struct device_image_source *source, const uint8_t *point,
                        struct verdict *out)
{
  struct device_image_info info;
  struct device_image_finding finding;
  uint8_t hash[32];
  out->status = device_image_examine(source, &info, &finding);
  pki_image_cause(source, &finding, out->cause);
  if (out->status != DEVICE_OTA_NONE) return;
  pki_image_note(source, &info, out->note);
  out->has_class = true;
  out->device_class = info.device_class;
  out->status = judge_hash(source, &info, hash);
  if (point == NULL && out->note[0] == '\0' && pki_image_signature_is_padded(source, &info))
    snprintf(out->note, sizeof out->note, "%s", PKI_IMAGE_PADDED_SENTENCE);
  if (out->status != DEVICE_OTA_NONE || point == NULL) return;
  struct device_image_owner owner = {point, false};
  out->status = device_image_judge(source, &info, hash, &owner);
  owner.padded_signatures = true;
  if (out->status == DEVICE_OTA_BAD_SIGNATURE &&
      device_image_judge(source, &info, hash, &owner) == DEVICE_OTA_NONE)
    snprintf(out->cause, sizeof out->cause, "%s", PKI_IMAGE_PADDED_SENTENCE);
}

static int judge(struct look *look, EVP_PKEY *key, struct verdict *verdict, struct error *error)
{
  const struct device_host host = pki_nvm_host(NULL);
  const struct device_platform platform = {.host = &host};
  const struct device_image_source source = {look, look_read, look->size};
  uint8_t point[PKI_KEY_POINT];
  *verdict = (struct verdict){.has_key = key != NULL};
  if (key != NULL && pki_key_point(key, point, error) != 0) return -1;
  device_platform_enter(&platform);
  int begun = psa_crypto_init() == PSA_SUCCESS;
  if (begun) judge_image(&source, key == NULL ? NULL : point, verdict);
  device_platform_leave();
  if (!begun) return error_set(error, EXIT_CODE_INTERNAL, "the device's crypto does not start");
  if (verdict->status != DEVICE_OTA_FLASH_FAILED) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the file could not be read whole: was it changed meanwhile?");
}

/* What was found out before the verdict: "good", "bad", or "not checked". */
static void add_verdict(json_t *tree, const struct verdict *verdict)
{
  enum device_ota_status status = verdict->status;
  bool parsed = status != DEVICE_OTA_BAD_IMAGE && status != DEVICE_OTA_BAD_TLV;
  bool hashed = parsed && status != DEVICE_OTA_HASH_MISMATCH, keyed = hashed && verdict->has_key;
  const char *hash = !parsed ? "not checked" : hashed ? "good" : "bad";
  const char *owner = !keyed                           ? "not checked"
                      : status == DEVICE_OTA_WRONG_KEY ? "another"
                                                       : "the one given";
  const char *signature = !keyed || status == DEVICE_OTA_WRONG_KEY ? "not checked"
                          : status == DEVICE_OTA_NONE              ? "good"
                                                                   : "bad";
  json_object_set_new(tree, "hash", json_string(hash));
  json_object_set_new(tree, "key", json_string(owner));
  json_object_set_new(tree, "signature", json_string(signature));
  json_object_set_new(
      tree, "verdict",
      json_string(status == DEVICE_OTA_NONE ? "good" : device_ota_status_name(status)));
  if (status != DEVICE_OTA_NONE)
    json_object_set_new(tree, "sentence", json_string(device_ota_status_sentence(status)));
  if (verdict->has_class)
    json_object_set_new(tree, "device_class", json_integer(verdict->device_class));
  if (verdict->cause[0] != '\0') json_object_set_new(tree, "cause", json_string(verdict->cause));
  if (verdict->note[0] != '\0') json_object_set_new(tree, "note", json_string(verdict->note));
}

static long long number_of(const json_t *object, const char *key)
{
  return (long long) json_integer_value(json_object_get(object, key));
}

static void print_entry(const json_t *entry)
{
  const json_t *value = json_object_get(entry, "value");
  printf("  %-11s 0x%02llx %s, %lld bytes: ",
         json_is_true(json_object_get(entry, "protected")) ? "protected" : "list",
         number_of(entry, "type"), tree_text(entry, "name"), number_of(entry, "size"));
  if (json_is_integer(value))
    printf("%lld\n", (long long) json_integer_value(value));
  else if (json_is_string(value))
    printf("%s%s\n", json_string_value(value),
           number_of(entry, "size") > 32 && number_of(entry, "type") != DEVICE_IMAGE_TLV_TRUST
               ? "..."
               : "");
  else
    printf("cut off\n");
}

static void print_contents(const json_t *tree)
{
  const json_t *header = json_object_get(tree, "header");
  size_t i;
  json_t *one;
  printf("%s: %lld bytes\n", tree_text(tree, "file"), number_of(tree, "size"));
  if (header == NULL) return;
  printf(
      "  header      version %s, %lld bytes; body %lld bytes; load address 0x%llx, flags 0x%llx\n",
      tree_text(header, "version"), number_of(header, "header_size"),
      number_of(header, "body_size"), number_of(header, "load_address"),
      number_of(header, "flags"));
  json_array_foreach(json_object_get(tree, "entries"), i, one) print_entry(one);
  json_array_foreach(json_object_get(tree, "missing"), i, one)
      printf("  missing     %s\n", json_string_value(one));
  if (number_of(tree, "bytes_after") > 0)
    printf("  after it    %lld bytes more\n", number_of(tree, "bytes_after"));
}

/* Whole is not enough where the fleet is of another class. */
static void print_class(const json_t *tree)
{
  long long class = number_of(tree, "device_class");
  if (class == USUAL_CLASS) return;
  printf(
      "only devices of class %lld take it ('ota: {class: %lld}'); others, and %d is the class of "
      "a fleet that names none, refuse it (%s)\n",
      class, class, USUAL_CLASS, device_ota_status_name(DEVICE_OTA_WRONG_CLASS));
}

static void print_tree(const json_t *tree)
{
  print_contents(tree);
  printf("  hash        %s\n  key         %s\n  signature   %s\n", tree_text(tree, "hash"),
         tree_text(tree, "key"), tree_text(tree, "signature"));
  if (tree_text(tree, "note")[0] != '\0') printf("  note        %s\n", tree_text(tree, "note"));
  if (strcmp(tree_text(tree, "verdict"), "good") != 0) {
    printf("a device refuses it (%s): %s\n", tree_text(tree, "verdict"),
           tree_text(tree, tree_text(tree, "cause")[0] != '\0' ? "cause" : "sentence"));
    return;
  }
  if (strcmp(tree_text(tree, "signature"), "good") == 0)
    printf("%swhole, and signed with that key\n",
           number_of(tree, "device_class") == USUAL_CLASS ? "good: " : "");
  else
    printf("whole; name the key with --fleet or --key, so that the signature is checked too\n");
  print_class(tree);
}

static int print_image(const struct args *args, struct look *look, EVP_PKEY *key,
                       struct error *error)
{
  struct verdict verdict;
  if (judge(look, key, &verdict, error) != 0) return -1;
  json_t *tree = json_object();
  json_object_set_new(tree, "file", json_string(args->operand[0]));
  add_contents(look, tree);
  add_verdict(tree, &verdict);
  if (!((const struct image_line *) args->given)->json)
    print_tree(tree);
  else if (json_dumpf(tree, stdout, JSON_INDENT(2)) == 0)
    printf("\n");
  json_decref(tree);
  return verdict.status == DEVICE_OTA_NONE ? EXIT_CODE_PASS : EXIT_CODE_FAIL;
}

static int show_image(const struct args *args, struct error *error)
{
  static struct look look;
  struct image_signer signer = {0};
  if (look_open(args->operand[0], &look, error) != 0) return -1;
  int result = image_args_open_signer(args->given, true, &signer, error);
  if (result == 0) result = print_image(args, &look, signer.key, error);
  image_args_close_signer(&signer);
  close(look.fd);
  return result;
}

static const struct args_option options[] = {
    {"fleet", "FOLDER", "judge the signature by that fleet's image key, or", args_text,
     IMAGE_TO(fleet)},
    {"key", "FILE", "by this P-256 key (PEM, public or private)", args_text, IMAGE_TO(key)},
    {"json", NULL, "for programs", args_flag, IMAGE_TO(json)},
    {0},
};

const struct args_verb cli_image_show = {
    .name = "show",
    .line = "what an image says of itself, and whether a device would believe it",
    .usage = "usage: fleetsim image show IMAGE [options]\n\n",
    .options = options,
    .after = "\nEnds with 1 when a device would refuse the image. Images of MCUboot's imgtool are "
             "listed too.\n",
    .example = "fleetsim image show v2.img --fleet fleets/lab",
    IMAGE_VERB,
    .run = show_image,
};
