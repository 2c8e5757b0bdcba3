/* fleetsim image make, sign: images are written in place into a mapping of the file, so that their
 * size is that of the disk, not of memory. What a device could not run is refused before anything
 * is written. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/image_args.h"
#include "cli/image_out.h"
#include "cli/verbs.h"
#include "device/image.h"
#include "device/trust.h"
#include "fleetsim/nvm.h"
#include "pki/image_cause.h"

/* --trust: a bundle of `fleetsim pki export --what bundle`. */
static int read_trust(const struct image_line *line, uint8_t **out, struct pki_image *image,
                      struct error *error)
{
  const char *path = line->trust;
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

static int need_signer(const struct image_line *line, struct image_signer *signer,
                       struct error *error)
{
  if (image_args_open_signer(line, false, signer, error) != 0) return -1;
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
  char text[2 * 32 + 1];
  text_hex(hash, 32, text);
  printf("%s\n", text);
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

/* A file of the firmware, and where the image goes. */
struct firmware {
  const char *path;
  int fd; /* -1: pseudo-random bytes take its place */
  const char *out;
};

static int write_image(const struct image_line *line, const struct firmware *firmware,
                       struct pki_image *image, EVP_PKEY *key, struct error *error)
{
  struct image_out out;
  uint32_t size = 0;
  uint8_t hash[32];
  static const uint8_t some; /* a body whose bytes nobody reads yet: for its size */
  if (firmware->fd >= 0) image->body = &some;
  if (pki_image_size(image, &size, error) != 0 ||
      image_out_open(firmware->out, line->force, size, &out, error) != 0)
    return -1;
  int result = 0;
  if (firmware->fd >= 0) {
    image->body = out.data + DEVICE_IMAGE_HEADER_SIZE;
    result = fill(firmware->fd, firmware->path, out.data + DEVICE_IMAGE_HEADER_SIZE,
                  image->body_size, error);
  }
  if (result == 0) result = pki_image_write(image, key, out.data, hash, error);
  if (image_out_close(&out, result == 0, error) != 0) result = -1;
  if (result == 0) print_made(firmware->out, size, image, hash);
  return result;
}

/* `image` has what the verb knows of the body. */
static int sign_and_write(const struct image_line *line, const struct firmware *firmware,
                          struct pki_image *image, struct error *error)
{
  struct image_signer signer = {0};
  uint8_t *trust = NULL;
  image->version = line->version;
  image->counter = (uint32_t) line->counter;
  image->device_class = (uint32_t) line->device_class;
  image->seed = line->seed;
  int result = read_trust(line, &trust, image, error);
  if (result == 0) result = need_signer(line, &signer, error);
  if (result == 0) result = write_image(line, firmware, image, signer.key, error);
  image_args_close_signer(&signer);
  free(trust);
  return result;
}

static int make_image(const struct args *args, struct error *error)
{
  const struct image_line *line = args->given;
  const struct firmware none = {.fd = -1, .out = args->operand[0]};
  struct pki_image image = {.size = (uint32_t) line->size};
  return sign_and_write(line, &none, &image, error);
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

static int sign_image(const struct args *args, struct error *error)
{
  const struct image_line *line = args->given;
  struct pki_image image = {0};
  struct firmware firmware = {.path = args->operand[0], .out = line->out};
  firmware.fd = open_firmware(firmware.path, &image, error);
  if (firmware.fd < 0) return -1;
  int result = sign_and_write(line, &firmware, &image, error);
  close(firmware.fd);
  return result;
}

#define HEADER_OPTIONS                                                                        \
  {"version",                                                                                 \
   "1.2.0",                                                                                   \
   "firmware's version: 0.0.0 to 255.255.65535",                                              \
   image_args_take_version,                                                                   \
   IMAGE_TO(version),                                                                         \
   .needed = true},                                                                           \
      {"counter",                                                                             \
       "N",                                                                                   \
       "security counter: devices refuse one that is not above that of what they run",        \
       args_number,                                                                           \
       IMAGE_TO(counter),                                                                     \
       .needed = true,                                                                        \
       .most = UINT32_MAX},                                                                   \
      {"class",                                                                               \
       "N",                                                                                   \
       "class of devices that it is for (default: 1)",                                        \
       args_number,                                                                           \
       IMAGE_TO(device_class),                                                                \
       .most = UINT32_MAX},                                                                   \
      {IMAGE_FLEET}, {IMAGE_KEY},                                                             \
      {"trust", "FILE",                                                                       \
       "a trust bundle ('fleetsim pki export --what bundle') that comes into force with the " \
       "image",                                                                               \
       args_text, IMAGE_TO(trust)},                                                           \
  {                                                                                           \
    IMAGE_FORCE                                                                               \
  }

static const struct args_option make_options[] = {
    {"size", "256KiB", "of the whole file", image_args_take_size, IMAGE_TO(size), .needed = true},
    {IMAGE_SEED("of the firmware's bytes")},
    HEADER_OPTIONS,
    {0},
};

const struct args_verb cli_image_make = {
    .name = "make",
    .line = "an image of pseudo-random firmware, of any size",
    .usage = "usage: fleetsim image make FILE --size SIZE --version V --counter N (--fleet FOLDER "
             "| --key FILE)\n\n",
    .options = make_options,
    .example = "fleetsim image make v2.img --size 256KiB --version 1.1.0 --counter 2 --fleet "
               "fleets/lab",
    IMAGE_VERB,
    .run = make_image,
};

static const struct args_option sign_options[] = {
    {"out", "FILE", "the image", args_text, IMAGE_TO(out), .needed = true},
    HEADER_OPTIONS,
    {0},
};

const struct args_verb cli_image_sign = {
    .name = "sign",
    .line = "an image of your own firmware",
    .usage = "usage: fleetsim image sign FIRMWARE --out FILE --version V --counter N (--fleet "
             "FOLDER | --key FILE)\n\n"
             "FIRMWARE is the raw binary (firmware.bin), without a header.\n\n",
    .options = sign_options,
    .example = "fleetsim image sign firmware.bin --out v2.img --version 1.1.0 --counter 2 --key "
               "signing.pem",
    IMAGE_VERB,
    .run = sign_image,
};
