/* fleetsim image: what its subcommands share. */
#ifndef FLEETSIM_CLI_IMAGE_ARGS_H
#define FLEETSIM_CLI_IMAGE_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/files.h"
#include "pki/image.h"

enum image_arg {
  IMAGE_ARG_HELP,
  IMAGE_ARG_OUT,
  IMAGE_ARG_FORCE,
  IMAGE_ARG_FLEET,
  IMAGE_ARG_KEY,
  IMAGE_ARG_VERSION,
  IMAGE_ARG_COUNTER,
  IMAGE_ARG_CLASS,
  IMAGE_ARG_SIZE,
  IMAGE_ARG_SEED,
  IMAGE_ARG_TRUST,
  IMAGE_ARG_HOW,
  IMAGE_ARG_JSON,
  IMAGE_ARGS
};

struct image_args {
  const char *file;
  const char *value[IMAGE_ARGS]; /* NULL: not given; "" for an option without a value */
};

/* One subcommand. `run` gets a file always and returns 0, 1 (the image is refused; everything is
 * printed), or -1 with an error. */
struct image_command {
  const char *name;
  const char *line; /* one line of what it does */
  const char *help; /* usage, options, example */
  unsigned allowed; /* options, as bits 1 << enum image_arg */
  int (*run)(const struct image_args *args, struct error *error);
};

extern const struct image_command image_command_make, image_command_sign, image_command_show,
    image_command_corrupt;

/* The option's value, or NULL with a sentence that asks for it. */
const char *image_args_need(const struct image_args *args, enum image_arg arg, struct error *error);

/* The option's value as a whole number of 0..limit; `otherwise` when it is not given. */
int image_args_number(const struct image_args *args, enum image_arg arg, uint64_t limit,
                      uint64_t otherwise, uint64_t *out, struct error *error);

/* A key to sign or judge by: of --key or of the fleet folder --fleet. */
struct image_signer {
  EVP_PKEY *key; /* NULL: neither option was given */
  struct pki *pki;
};

/* `public_will_do`: it is only to judge by. The caller closes it, also after an error. */
int image_signer_open(const struct image_args *args, bool public_will_do, struct image_signer *out,
                      struct error *error);
void image_signer_close(struct image_signer *signer);

/* A file in the making: `size` bytes of a mapping under a temporary name beside it. */
struct image_out {
  char path[FILES_PATH_MAX], partial[FILES_PATH_MAX];
  bool replace; /* an existing file may be replaced */
  int fd;
  uint8_t *data;
  size_t size;
};

/* Refuses an existing `path` unless `replace`. Its whole size is reserved on disk, so that a full
 * disk is a sentence.
 */
int image_out_open(const char *path, bool replace, size_t size, struct image_out *out,
                   struct error *error);

/* Puts the file in its place, whole or not at all: `keep` says whether it is wanted. Ends `out`
   either way. */
int image_out_close(struct image_out *out, bool keep, struct error *error);

#endif
