/* fleetsim image: make, sign, show and corrupt firmware images in MCUboot's format. */
#define _GNU_SOURCE
#include "cli/image_args.h"
#include "base/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/verbs.h"

static const struct image_command *const commands[] = {&image_command_make, &image_command_sign,
                                                       &image_command_show, &image_command_corrupt};

static const struct option options[] = {
    [IMAGE_ARG_HELP] = {"help", no_argument, NULL, IMAGE_ARG_HELP},
    [IMAGE_ARG_OUT] = {"out", required_argument, NULL, IMAGE_ARG_OUT},
    [IMAGE_ARG_FORCE] = {"force", no_argument, NULL, IMAGE_ARG_FORCE},
    [IMAGE_ARG_FLEET] = {"fleet", required_argument, NULL, IMAGE_ARG_FLEET},
    [IMAGE_ARG_KEY] = {"key", required_argument, NULL, IMAGE_ARG_KEY},
    [IMAGE_ARG_VERSION] = {"version", required_argument, NULL, IMAGE_ARG_VERSION},
    [IMAGE_ARG_COUNTER] = {"counter", required_argument, NULL, IMAGE_ARG_COUNTER},
    [IMAGE_ARG_CLASS] = {"class", required_argument, NULL, IMAGE_ARG_CLASS},
    [IMAGE_ARG_SIZE] = {"size", required_argument, NULL, IMAGE_ARG_SIZE},
    [IMAGE_ARG_SEED] = {"seed", required_argument, NULL, IMAGE_ARG_SEED},
    [IMAGE_ARG_TRUST] = {"trust", required_argument, NULL, IMAGE_ARG_TRUST},
    [IMAGE_ARG_HOW] = {"how", required_argument, NULL, IMAGE_ARG_HOW},
    [IMAGE_ARG_JSON] = {"json", no_argument, NULL, IMAGE_ARG_JSON},
    [IMAGE_ARGS] = {0},
};

const char *image_args_need(const struct image_args *args, enum image_arg arg, struct error *error)
{
  if (args->value[arg] != NULL) return args->value[arg];
  error_set(error, EXIT_CODE_USAGE, "--%s is missing; --help shows an example", options[arg].name);
  return NULL;
}

int image_args_number(const struct image_args *args, enum image_arg arg, uint64_t limit,
                      uint64_t otherwise, uint64_t *out, struct error *error)
{
  const char *text = args->value[arg];
  *out = otherwise;
  if (text == NULL) return 0;
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || value > limit)
    return error_set(error, EXIT_CODE_USAGE, "'%s' is no --%s: give a whole number from 0 to %llu",
                     text, options[arg].name, (unsigned long long) limit);
  *out = value;
  return 0;
}

int image_signer_open(const struct image_args *args, bool public_will_do, struct image_signer *out,
                      struct error *error)
{
  const char *fleet = args->value[IMAGE_ARG_FLEET], *path = args->value[IMAGE_ARG_KEY];
  *out = (struct image_signer){0};
  if (fleet != NULL && path != NULL)
    return error_set(error, EXIT_CODE_USAGE, "give either --fleet or --key: each names a key");
  if (path != NULL) {
    out->key = public_will_do ? pki_key_read_public(path, error) : pki_key_read(path, error);
    return out->key == NULL ? -1 : 0;
  }
  if (fleet == NULL) return 0;
  return pki_open(fleet, &out->pki, error) != 0 ? -1 : pki_image_key(out->pki, &out->key, error);
}

void image_signer_close(struct image_signer *signer)
{
  if (signer->pki == NULL) EVP_PKEY_free(signer->key); /* the folder's is the folder's */
  pki_close(signer->pki);
  *signer = (struct image_signer){0};
}

static int cannot_write(const struct image_out *out, int reason, struct error *error)
{
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot write %s (%zu bytes): %s; check the folder's permissions and free space",
                   out->path, out->size, strerror(reason));
}

static int refuse_existing(const char *path, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "%s exists already and is not overwritten; choose another path, or say --force",
                   path);
}

/* With the mode that the user's umask gives to files. */
static int reserve(struct image_out *out)
{
  mode_t mask = umask(0);
  umask(mask);
  if (fchmod(out->fd, 0666 & ~mask) != 0) return errno;
  int reason = posix_fallocate(out->fd, 0, (off_t) out->size);
  if (reason != 0) return reason;
  void *map = mmap(NULL, out->size, PROT_READ | PROT_WRITE, MAP_SHARED, out->fd, 0);
  if (map == MAP_FAILED) return errno;
  out->data = map;
  return 0;
}

int image_out_open(const char *path, bool replace, size_t size, struct image_out *out,
                   struct error *error)
{
  *out = (struct image_out){.replace = replace, .size = size, .fd = -1};
  if (snprintf(out->path, sizeof out->path, "%s", path) >= (int) sizeof out->path ||
      snprintf(out->partial, sizeof out->partial, "%s.XXXXXX", path) >= (int) sizeof out->partial)
    return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", path);
  if (!replace && access(path, F_OK) == 0) return refuse_existing(path, error);
  out->fd = mkostemp(out->partial, O_CLOEXEC);
  if (out->fd < 0) return cannot_write(out, errno, error);
  int reason = reserve(out);
  if (reason == 0) return 0;
  cannot_write(out, reason, error);
  image_out_close(out, false, NULL);
  return -1;
}

/* A file that came into being meanwhile is not overwritten either. */
static int put_in_place(const struct image_out *out, struct error *error)
{
  if (fsync(out->fd) != 0) return cannot_write(out, errno, error);
  if (out->replace ? rename(out->partial, out->path) == 0
                   : renameat2(AT_FDCWD, out->partial, AT_FDCWD, out->path, RENAME_NOREPLACE) == 0)
    return 0;
  return errno == EEXIST ? refuse_existing(out->path, error) : cannot_write(out, errno, error);
}

int image_out_close(struct image_out *out, bool keep, struct error *error)
{
  if (out->fd < 0) return 0;
  if (out->data != NULL) munmap(out->data, out->size);
  int result = keep ? put_in_place(out, error) : 0;
  if (!keep || result != 0) unlink(out->partial);
  close(out->fd);
  out->fd = -1;
  return result;
}

static int parse(int argc, char **argv, const struct image_command *command,
                 struct image_args *args, struct error *error)
{
  int option;
  opterr = 0, optind = 0;
  while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    if (option == ':' || option == '?') return verb_bad_option(option, argv, options, error);
    if (option != IMAGE_ARG_HELP && (command->allowed & (1u << option)) == 0)
      return error_set(error, EXIT_CODE_USAGE, "--%s is no option of '%s'; --help lists them",
                       options[option].name, command->name);
    args->value[option] = optarg == NULL ? "" : optarg;
  }
  if (args->value[IMAGE_ARG_HELP] != NULL) return 0;
  if (optind + 1 != argc)
    return error_set(error, EXIT_CODE_USAGE, "give exactly one file; --help shows an example");
  args->file = argv[optind];
  return 0;
}

static int run_command(const struct image_command *command, int argc, char **argv)
{
  struct error error = {.code = EXIT_CODE_INTERNAL};
  struct image_args args = {0};
  int result = parse(argc, argv, command, &args, &error);
  if (result == 0 && args.value[IMAGE_ARG_HELP] != NULL)
    fputs(command->help, stdout);
  else if (result == 0)
    result = command->run(&args, &error);
  if (result >= 0) return result == 0 ? EXIT_CODE_PASS : EXIT_CODE_FAIL;
  fprintf(stderr, "fleetsim image %s: %s\n", command->name, error.text);
  return (int) error.code;
}

static void print_help(FILE *out)
{
  fputs("usage: fleetsim image COMMAND FILE [options]\n\n", out);
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->line);
  fputs("\n  fleetsim image COMMAND --help    options and an example\n\n"
        "example: fleetsim image sign firmware.bin --out v2.img --version 1.1.0 --counter 2 "
        "--fleet fleets/lab\n",
        out);
}

int verb_image(int argc, char **argv)
{
  if (argc < 2 || strcmp(argv[1], "--help") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? EXIT_CODE_USAGE : EXIT_CODE_PASS;
  }
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp(argv[1], commands[i]->name) == 0)
      return run_command(commands[i], argc - 1, argv + 1);
  char shown[200];
  fprintf(stderr, "fleetsim image: there is no '%s'; 'fleetsim image --help' lists what there is\n",
          mask_url(argv[1], shown, sizeof shown));
  return EXIT_CODE_USAGE;
}
