/* What the image verbs share: their own kinds of option, and the key that --fleet or --key names.
 * Both keys at once are refused; which of them is needed is the verb's to say. */
#include "cli/image_args.h"

#include "scenario/units.h"

const struct image_line image_args_defaults = {.device_class = 1, .seed = 1};

int image_args_take_version(const struct args_option *option, char *value, void *to,
                            struct error *error)
{
  char why[256];
  if (units_version(value, to, why, sizeof why) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "--%s: %s", option->name, why);
}

int image_args_take_size(const struct args_option *option, char *value, void *to,
                         struct error *error)
{
  char why[256];
  uint64_t *size = to;
  if (units_bytes(value, size, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "--%s: %s", option->name, why);
  if (*size <= UINT32_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "an image has less than 4 GiB, and '%s' is more; name a smaller --%s", value,
                   option->name);
}

int image_args_open_signer(const struct image_line *line, bool public_will_do,
                           struct image_signer *out, struct error *error)
{
  const char *fleet = line->fleet, *path = line->key;
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

void image_args_close_signer(struct image_signer *signer)
{
  if (signer->pki == NULL) EVP_PKEY_free(signer->key); /* the folder's is the folder's */
  pki_close(signer->pki);
  *signer = (struct image_signer){0};
}
