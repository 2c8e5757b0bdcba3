/* fleetsim image: what its verbs share: options, and the key that they name. */
#ifndef FLEETSIM_CLI_IMAGE_ARGS_H
#define FLEETSIM_CLI_IMAGE_ARGS_H

#include "cli/args.h"
#include "pki/image.h"
#include "pki/key.h"

/* What the command line of an image verb gave; a verb's table has the options that it knows. */
struct image_line {
  const char *out, *fleet, *key, *trust, *how;
  uint32_t version;
  uint64_t size, counter, device_class, seed; /* the first three are below 2^32 */
  bool force, json;
};

extern const struct image_line image_args_defaults;

/* `take` of --version and --size. */
int image_args_take_version(const struct args_option *option, char *value, void *to,
                            struct error *error);
int image_args_take_size(const struct args_option *option, char *value, void *to,
                         struct error *error);

#define IMAGE_TO(field) .offset = offsetof(struct image_line, field)

/* Options of several verbs: what stands between the braces of an entry. */
#define IMAGE_FLEET \
  "fleet", "FOLDER", "sign with that fleet's image.key, or", args_text, IMAGE_TO(fleet)
#define IMAGE_KEY \
  "key", "FILE", "with this private P-256 key (PEM, no passphrase)", args_text, IMAGE_TO(key)
#define IMAGE_FORCE "force", NULL, "replace an existing file", args_flag, IMAGE_TO(force)
#define IMAGE_SEED(of) \
  "seed", "N", of " (default: 1)", args_number, IMAGE_TO(seed), .most = UINT64_MAX

/* What all image verbs have in common, between the braces of theirs. */
#define IMAGE_VERB                                                                 \
  .operands_least = 1, .operands_most = 1,                                         \
  .operands = "give exactly one file; --help shows an example", .operand = "FILE", \
  .size = sizeof(struct image_line), .defaults = &image_args_defaults

/* A key to sign or judge by: of --key or of the fleet folder --fleet. */
struct image_signer {
  EVP_PKEY *key; /* NULL: neither option was given */
  struct pki *pki;
};

/* `public_will_do`: it is only to judge by. The caller closes it, also after an error. */
int image_args_open_signer(const struct image_line *line, bool public_will_do,
                           struct image_signer *out, struct error *error);
void image_args_close_signer(struct image_signer *signer);

#endif
