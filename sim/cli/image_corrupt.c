/* fleetsim image corrupt: a copy of a good image in which one thing is wrong, and the word with
 * which a device refuses it. The image itself is only read. */
#include <stdlib.h>
#include <string.h>

#include "cli/image_args.h"
#include "cli/image_out.h"
#include "cli/verbs.h"
#include "pki/image_cause.h"

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

static int write_bytes(const struct image_line *line, const uint8_t *data, size_t size,
                       struct error *error)
{
  struct image_out out;
  if (image_out_open(line->out, line->force, size, &out, error) != 0) return -1;
  memcpy(out.data, data, size);
  return image_out_close(&out, true, error);
}

static int corrupt_image(const struct args *args, struct error *error)
{
  const struct image_line *line = args->given;
  enum pki_image_harm harm = PKI_HARM_NONE;
  struct image_signer signer = {0};
  uint8_t *data = NULL;
  size_t size = 0;
  if (find_harm(line->how, &harm, error) != 0) return -1;
  int result = image_args_open_signer(line, false, &signer, error);
  if (result == 0) result = files_read(args->operand[0], UINT32_MAX, &data, &size, error);
  if (result == 0) {
    result = pki_image_spoil(harm, line->seed, signer.key, &data, &size, NULL, error);
    if (result != 0) error_wrap(error, "%s", args->operand[0]);
  }
  if (result == 0) result = write_bytes(line, data, size, error);
  if (result == 0)
    printf("%s: %zu bytes; %s; a device ends with '%s'\n", line->out, size, pki_harm_sentence(harm),
           device_ota_status_name(pki_harm_status(harm)));
  free(data);
  image_args_close_signer(&signer);
  return result;
}

/* Of an image; those after these are of what a manifest says of it. */
static void say_harms(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (int h = PKI_HARM_NONE + 1; h <= PKI_HARM_OLDER_COUNTER; h++)
    say(ctx, pki_harm_name((enum pki_image_harm) h));
}

static const struct args_option options[] = {
    {"how", "HOW",
     "bit-flip, truncated, endless, bad-magic, bad-tlv, no-tlv, wrong-key, bad-signature;\n"
     "signed by the owner, so with --fleet or --key: wrong-class, older-counter",
     args_text, IMAGE_TO(how), .needed = true, .words = say_harms},
    {"out", "FILE", "the copy", args_text, IMAGE_TO(out), .needed = true},
    {IMAGE_SEED("chooses bit and place")},
    {IMAGE_FLEET},
    {IMAGE_KEY},
    {IMAGE_FORCE},
    {0},
};

const struct args_verb cli_image_corrupt = {
    .name = "corrupt",
    .line = "a copy of a good image with one thing wrong",
    .usage = "usage: fleetsim image corrupt IMAGE --how HOW --out FILE [options]\n\n",
    .options = options,
    .after = "\nThe step 'corrupt' of a scenario has these and those of manifests.\n",
    .example = "fleetsim image corrupt v2.img --how bit-flip --out v2-flipped.img",
    IMAGE_VERB,
    .run = corrupt_image,
};
