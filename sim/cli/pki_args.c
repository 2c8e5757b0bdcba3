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

int pki_args_device(const struct pki *pki, const char *text, size_t *index, struct error *error)
{
  if (strlen(text) != 8 || strspn(text, "0123456789abcdefABCDEF") != 8)
    return error_set(error, EXIT_CODE_USAGE, "'%s' is no device id: eight hex digits are", text);
  if (pki_find_device(pki, (uint32_t) strtoul(text, NULL, 16), index)) return 0;
  size_t count = pki_device_count(pki);
  if (count == 0)
    return error_set(error, EXIT_CODE_USAGE, "there is no device %s: the fleet has none", text);
  return error_set(error, EXIT_CODE_USAGE,
                   "there is no device %s: the fleet's %zu are from %08x to %08x", text, count,
                   (unsigned) pki_device_id(pki, 0), (unsigned) pki_device_id(pki, count - 1));
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
  printf("%s: roots ", pki_folder(pki));
  print_roots(pki_roots(pki));
  printf("; %zu device%s, %08x to %08x, trusting ", count, count == 1 ? "" : "s",
         (unsigned) pki_device_id(pki, 0), (unsigned) pki_device_id(pki, count - 1));
  print_roots(trusted);
  printf("\n");
}
