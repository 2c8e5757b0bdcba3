/* fleetsim image make, sign, corrupt: images are written in place into a mapping of the file, so
 * that their size is that of the disk, not of memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/image.h"
#include "device/trust.h"
#include "fleetsim/nvm.h"
#include "pki/image_cause.h"
#include "scenario/units.h"
#include "verb_image.h"

/* What make and sign have in common: everything but the body. The caller frees image->trust. */
static int parse_image(const struct image_args *args, struct pki_image *image, struct error *error)
{
  char why[256];
  uint64_t number;
  const char *version = image_args_need(args, IMAGE_ARG_VERSION, error);
  if (version == NULL || image_args_need(args, IMAGE_ARG_COUNTER, error) == NULL) return -1;
  if (units_version(version, &image->version, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "--version: %s", why);
  if (image_args_number(args, IMAGE_ARG_COUNTER, UINT32_MAX, 0, &number, error) != 0) return -1;
  image->counter = (uint32_t) number;
  if (image_args_number(args, IMAGE_ARG_CLASS, UINT32_MAX, 1, &number, error) != 0) return -1;
  image->device_class = (uint32_t) number;
  return image_args_number(args, IMAGE_ARG_SEED, UINT64_MAX, 1, &image->seed, error);
}

/* --trust: a bundle of `fleetsim pki export --what bundle`. */
static int read_trust(const struct image_args *args, uint8_t **out, struct pki_image *image,
                      struct error *error)
{
  const char *path = args->value[IMAGE_ARG_TRUST];
  struct device_trust_bundle bundle;
  if (path == NULL) return 0;
  if (files_read(path, DEVICE_NVM_TRUST_MAX, out, &image->trust_size, error) != 0) return -1;
  image->trust = *out;
  if (device_trust_parse(*out, image->trust_size, &bundle) == DEVICE_UPDATE_COMMITTED) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s is no trust bundle that devices would take: make one with 'fleetsim pki "
                   "export FLEET --what bundle'",
                   path);
}

static int need_signer(const struct image_args *args, struct image_signer *signer,
                       struct error *error)
{
  if (image_signer_open(args, false, signer, error) != 0) return -1;
  if (signer->key != NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "name the key that signs: --fleet FOLDER (its image.key) or --key FILE (PEM)");
}

static void print_made(const char *path, uint32_t size, const struct pki_image *image,
                       const uint8_t hash[32])
{
  char version[DEVICE_VERSION_TEXT];
  device_version_text(image->version, version);
  printf("%s: version %s, security counter %u, class %u, %u bytes, SHA-256 ", path, version,
         image->counter, image->device_class, size);
  for (size_t i = 0; i < 32; i++) printf("%02x", hash[i]);
  printf("\n");
}

/* Reads the firmware's bytes to their place. */
static int fill(int fd, const char *path, uint8_t *out, size_t size, struct error *error)
{
  while (size > 0) {
    ssize_t n = read(fd, out, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return error_set(error, EXIT_CODE_SETUP, "cannot read %s whole: %s", path,
                       n == 0 ? "it became shorter meanwhile" : strerror(errno));
    out += n;
    size -= (size_t) n;
  }
  return 0;
}

/* Writes the image to --out, its body from `fd`, or pseudo-random where that is -1. */
static int write_image(const struct image_args *args, const char *path, int fd,
                       struct pki_image *image, EVP_PKEY *key, struct error *error)
{
  struct image_out out;
  uint32_t size = 0;
  uint8_t hash[32];
  static const uint8_t some; /* a body whose bytes nobody reads yet: for its size */
  if (fd >= 0) image->body = &some;
  if (pki_image_size(image, &size, error) != 0 ||
      image_out_open(path, args->value[IMAGE_ARG_FORCE] != NULL, size, &out, error) != 0)
    return -1;
  int result = 0;
  if (fd >= 0) {
    image->body = out.data + DEVICE_IMAGE_HEADER_SIZE;
    result = fill(fd, args->file, out.data + DEVICE_IMAGE_HEADER_SIZE, image->body_size, error);
  }
  if (result == 0) result = pki_image_write(image, key, out.data, hash, error);
  if (image_out_close(&out, result == 0, error) != 0) result = -1;
  if (result == 0) print_made(path, size, image, hash);
  return result;
}

static int sign_and_write(const struct image_args *args, const char *path, int fd,
                          struct pki_image *image, struct error *error)
{
  struct image_signer signer = {0};
  uint8_t *trust = NULL;
  int result = parse_image(args, image, error);
  if (result == 0) result = read_trust(args, &trust, image, error);
  if (result == 0) result = need_signer(args, &signer, error);
  if (result == 0) result = write_image(args, path, fd, image, signer.key, error);
  image_signer_close(&signer);
  free(trust);
  return result;
}

static int run_make(const struct image_args *args, struct error *error)
{
  struct pki_image image = {0};
  char why[256];
  uint64_t size = 0;
  const char *text = image_args_need(args, IMAGE_ARG_SIZE, error);
  if (text == NULL) return -1;
  if (units_bytes(text, &size, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "--size: %s", why);
  if (size > UINT32_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "an image has less than 4 GiB, and '%s' is more; name a smaller --size", text);
  image.size = (uint32_t) size;
  return sign_and_write(args, args->file, -1, &image, error);
}

/* What a boot loader would start and cannot run: signed, it would be a good image. */
static int refuse_other_kinds(int fd, const char *path, struct error *error)
{
  uint8_t data[PKI_IMAGE_KIND_BYTES];
  const char *name, *advice;
  ssize_t size = pread(fd, data, sizeof data, 0);
  if (size < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot read %s: %s", path, strerror(errno));
  if (!pki_image_kind(data, (size_t) size, &name, &advice)) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s is %s and no raw firmware: %s", path, name, advice);
}

/* The firmware's file, and its size in image->body_size. */
static int open_firmware(const char *path, struct pki_image *image, struct error *error)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  if (fd < 0) return error_set(error, EXIT_CODE_USAGE, "cannot read %s: %s", path, strerror(errno));
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    error_set(error, EXIT_CODE_USAGE, "%s is not a regular file", path);
  else if (st.st_size == 0)
    error_set(error, EXIT_CODE_USAGE, "%s is empty: there is no firmware to sign", path);
  else if (st.st_size > UINT32_MAX)
    error_set(error, EXIT_CODE_USAGE, "%s has %jd bytes: an image has less than 4 GiB", path,
              (intmax_t) st.st_size);
  else if (refuse_other_kinds(fd, path, error) == 0) {
    image->body_size = (uint32_t) st.st_size;
    return fd;
  }
  close(fd);
  return -1;
}

static int run_sign(const struct image_args *args, struct error *error)
{
  struct pki_image image = {0};
  const char *path = image_args_need(args, IMAGE_ARG_OUT, error);
  if (path == NULL) return -1;
  int fd = open_firmware(args->file, &image, error);
  if (fd < 0) return -1;
  int result = sign_and_write(args, path, fd, &image, error);
  close(fd);
  return result;
}

static int find_harm(const char *word, enum pki_image_harm *harm, struct error *error)
{
  int found = pki_harm_find(word);
  if (found > PKI_HARM_NONE) {
    *harm = (enum pki_image_harm) found;
    return 0;
  }
  error_set(error, EXIT_CODE_USAGE,
            "there is no harm '%.40s'; 'fleetsim image corrupt --help' lists them", word);
  return -1;
}

static int write_bytes(const struct image_args *args, const char *path, const uint8_t *data,
                       size_t size, struct error *error)
{
  struct image_out out;
  if (image_out_open(path, args->value[IMAGE_ARG_FORCE] != NULL, size, &out, error) != 0) return -1;
  memcpy(out.data, data, size);
  return image_out_close(&out, true, error);
}

static int run_corrupt(const struct image_args *args, struct error *error)
{
  const char *path = image_args_need(args, IMAGE_ARG_OUT, error),
             *word = image_args_need(args, IMAGE_ARG_HOW, error);
  enum pki_image_harm harm = PKI_HARM_NONE;
  struct image_signer signer = {0};
  uint8_t *data = NULL;
  size_t size = 0;
  uint64_t seed;
  if (path == NULL || word == NULL || find_harm(word, &harm, error) != 0) return -1;
  int result = image_args_number(args, IMAGE_ARG_SEED, UINT64_MAX, 1, &seed, error);
  if (result == 0) result = image_signer_open(args, false, &signer, error);
  if (result == 0) result = files_read(args->file, UINT32_MAX, &data, &size, error);
  if (result == 0) {
    result = pki_image_spoil(harm, seed, signer.key, &data, &size, NULL, error);
    if (result != 0) error_wrap(error, "%s", args->file);
  }
  if (result == 0) result = write_bytes(args, path, data, size, error);
  if (result == 0)
    printf("%s: %zu bytes; %s; a device ends with '%s'\n", path, size, pki_harm_sentence(harm),
           device_ota_status_name(pki_harm_status(harm)));
  free(data);
  image_signer_close(&signer);
  return result;
}

#define SIGNER_HELP                                           \
  "  --fleet FOLDER   sign with that fleet's image.key, or\n" \
  "  --key FILE       with this private P-256 key (PEM, no passphrase)\n"
#define IMAGE_HELP                                                                                 \
  "  --version 1.2.0  firmware's version: 0.0.0 to 255.255.65535\n"                                \
  "  --counter N      security counter: devices refuse one that is not above that of what they "   \
  "run\n"                                                                                          \
  "  --class N        class of devices that it is for (default: 1)\n" SIGNER_HELP                  \
  "  --trust FILE     a trust bundle ('fleetsim pki export --what bundle') that comes into force " \
  "with the image\n"                                                                               \
  "  --force          replace an existing file\n"
#define IMAGE_ALLOWED                                                          \
  (1u << IMAGE_ARG_VERSION | 1u << IMAGE_ARG_COUNTER | 1u << IMAGE_ARG_CLASS | \
   1u << IMAGE_ARG_FLEET | 1u << IMAGE_ARG_KEY | 1u << IMAGE_ARG_TRUST | 1u << IMAGE_ARG_FORCE)

const struct image_command image_command_make = {
    .name = "make",
    .line = "an image of pseudo-random firmware, of any size",
    .help = "usage: fleetsim image make FILE --size SIZE --version V --counter N (--fleet FOLDER | "
            "--key FILE)\n\n"
            "  --size 256KiB    of the whole file\n"
            "  --seed N         of the firmware's bytes (default: 1)\n" IMAGE_HELP
            "\nexample: fleetsim image make v2.img --size 256KiB --version 1.1.0 --counter 2 "
            "--fleet fleets/lab\n",
    .allowed = IMAGE_ALLOWED | 1u << IMAGE_ARG_SIZE | 1u << IMAGE_ARG_SEED,
    .run = run_make,
};

const struct image_command image_command_sign = {
    .name = "sign",
    .line = "an image of your own firmware",
    .help = "usage: fleetsim image sign FIRMWARE --out FILE --version V --counter N (--fleet "
            "FOLDER | --key FILE)\n\n"
            "FIRMWARE is the raw binary (firmware.bin), without a header.\n\n"
            "  --out FILE       the image\n" IMAGE_HELP
            "\nexample: fleetsim image sign firmware.bin --out v2.img --version 1.1.0 --counter 2 "
            "--key signing.pem\n",
    .allowed = IMAGE_ALLOWED | 1u << IMAGE_ARG_OUT,
    .run = run_sign,
};

const struct image_command image_command_corrupt = {
    .name = "corrupt",
    .line = "a copy of a good image with one thing wrong",
    .help = "usage: fleetsim image corrupt IMAGE --how HOW --out FILE [options]\n\n"
            "  --how HOW        bit-flip, truncated, endless, bad-magic, bad-tlv, no-tlv, "
            "wrong-key, bad-signature;\n"
            "                   signed by the owner, so with --fleet or --key: wrong-class, "
            "older-counter\n"
            "  --out FILE       the copy\n"
            "  --seed N         chooses bit and place (default: 1)\n" SIGNER_HELP
            "  --force          replace an existing file\n"
            "\nThe step 'corrupt' of a scenario has these and those of manifests.\n"
            "\nexample: fleetsim image corrupt v2.img --how bit-flip --out v2-flipped.img\n",
    .allowed = 1u << IMAGE_ARG_HOW | 1u << IMAGE_ARG_OUT | 1u << IMAGE_ARG_SEED |
               1u << IMAGE_ARG_FLEET | 1u << IMAGE_ARG_KEY | 1u << IMAGE_ARG_FORCE,
    .run = run_corrupt,
};
