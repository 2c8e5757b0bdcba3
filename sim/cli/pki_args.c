/* What the pki verbs share: their own kinds of option, and devices and roots looked up in the fleet
 * that the line names. */
#define _GNU_SOURCE
#include "cli/pki_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pki_args_take_roots(const struct args_option *option, char *value, void *to,
                        struct error *error)
{
  struct pki_roots *out = to;
  (void) option;
  out->count = 0;
  for (const char *at = value; at != NULL;) {
    const char *comma = strchrnul(at, ',');
    size_t size = (size_t) (comma - at);
    if (out->count == PKI_ROOTS_MAX || size >= PKI_NAME_MAX)
      return error_set(error, EXIT_CODE_USAGE,
                       "'%s' is no list of at most %d roots with names of at most %d letters",
                       value, PKI_ROOTS_MAX, PKI_NAME_MAX - 1);
    memcpy(out->name[out->count], at, size);
    out->name[out->count++][size] = '\0';
    at = *comma == '\0' ? NULL : comma + 1;
  }
  return pki_roots_check_names(out, error);
}

static void name_of(const struct pki *pki, size_t index, char out[PKI_DEVICE_NAME])
{
  if (pki_device_name(pki, index, out, NULL) != 0) strcpy(out, "?");
}

int pki_args_device(const struct pki *pki, const char *text, size_t *index, struct error *error)
{
  char name[PKI_DEVICE_NAME], last[PKI_DEVICE_NAME];
  int found = pki_find_name(pki, text, index, error);
  if (found != 0) return found < 0 ? -1 : 0;
  /* an id in upper case is meant, too */
  if (strlen(text) == 8 && strspn(text, "0123456789abcdefABCDEF") == 8) {
    device_id_text((uint32_t) strtoul(text, NULL, 16), name);
    if ((found = pki_find_name(pki, name, index, error)) != 0) return found < 0 ? -1 : 0;
  }
  size_t count = pki_device_count(pki);
  if (count == 0)
    return error_set(error, EXIT_CODE_USAGE, "there is no device %.80s: the fleet has none", text);
  name_of(pki, 0, name);
  name_of(pki, count - 1, last);
  return error_set(error, EXIT_CODE_USAGE,
                   "there is no device %.80s: the fleet's %zu are from %s to %s", text, count, name,
                   last);
}

int pki_args_within(const struct pki_roots *some, const struct pki_roots *all, const char *option,
                    struct error *error)
{
  for (size_t i = 0; i < some->count; i++)
    if (!pki_roots_include(all, some->name[i]))
      return error_set(error, EXIT_CODE_USAGE, "%s names '%s', which is none of the fleet's roots",
                       option, some->name[i]);
  return 0;
}

static void print_roots(const struct pki_roots *roots)
{
  for (size_t i = 0; i < roots->count; i++) printf("%s%s", i == 0 ? "" : ", ", roots->name[i]);
}

void pki_args_print_fleet(const struct pki *pki, const struct pki_roots *trusted)
{
  size_t count = pki_device_count(pki);
  char first[PKI_DEVICE_NAME], last[PKI_DEVICE_NAME];
  name_of(pki, 0, first);
  name_of(pki, count - 1, last);
  printf("%s: roots ", pki_folder(pki));
  print_roots(pki_roots(pki));
  printf("; %zu device%s, %s to %s, trusting ", count, count == 1 ? "" : "s", first, last);
  print_roots(trusted);
  printf("\n");
}

void pki_args_warn_of_one_root(const char *verb, const struct pki_roots *trusted)
{
  if (trusted->count > 1) return;
  fprintf(stderr,
          "fleetsim pki %s: warning: the devices trust root %s alone: a rotation of them takes two "
          "more roots ('push-trust: {roots: [%s, B]}', then '[B, spare]'), for a bundle that they "
          "are sent needs two\n",
          verb, trusted->name[0], trusted->name[0]);
}
