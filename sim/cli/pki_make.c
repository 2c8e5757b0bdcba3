/* fleetsim pki make: a new fleet in a folder of its own. What cannot be made whole is taken away
 * again. */
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "pki/name_list.h"

#define DEVICES_MAX 1000000

struct make_line {
  uint64_t devices;
  struct pki_roots roots, trusted;
  const char *broker_root, *names;
};

#define TO(field) .offset = offsetof(struct make_line, field)
static const struct args_option options[] = {
    {"devices", "N", "devices to make (default: as many as --names has)", args_number, TO(devices),
     .what = "number of devices", .least = 1, .most = DEVICES_MAX},
    {"names", "TEMPLATE|FILE",
     "what they are called: 'SN-2026-{index:06}', or a file with a name a line or\na column 'id'; "
     "its other columns are kept (default: 00000001 and on)",
     args_text, TO(names)},
    {"roots", "A,B,spare", "names of the roots (this is the default; at most 8)",
     pki_args_take_roots, TO(roots)},
    {"trusted", "A,spare", "roots that the devices trust (default: the first and the last)",
     pki_args_take_roots, TO(trusted)},
    {"broker-root", "A", "the root in use: it issues the device certificates (default: the first)",
     args_text, TO(broker_root)},
    {0},
};
#undef TO

static const struct make_line defaults = {.roots = {.count = 3, .name = {"A", "B", "spare"}}};

/* Two anchors at rest: the one that brokers use, and the one that was kept for the day it fails. */
static void first_and_last(const struct pki_roots *roots, struct pki_roots *out)
{
  *out = (struct pki_roots){.count = 1};
  strcpy(out->name[0], roots->name[0]);
  if (roots->count > 1) strcpy(out->name[out->count++], roots->name[roots->count - 1]);
}

/* The roots that devices trust, and the one that issues. */
static int choose(const struct make_line *line, struct pki_roots *trusted, const char **issuing,
                  struct error *error)
{
  *trusted = line->trusted;
  if (trusted->count == 0) first_and_last(&line->roots, trusted);
  if (pki_args_within(trusted, &line->roots, "--trusted", error) != 0) return -1;
  *issuing = line->broker_root == NULL ? line->roots.name[0] : line->broker_root;
  if (pki_roots_include(&line->roots, *issuing)) return 0;
  return error_set(error, EXIT_CODE_USAGE, "--broker-root '%s' is none of the fleet's roots",
                   *issuing);
}

/* --- Names ------------------------------------------------------------------------------------ */

/* By a list where there is one, else by the template. */
struct naming {
  const char *template;
  struct pki_name_list list;
};

/* pki_add_named_devices calls it. */
static int name_device(void *ctx, size_t index, char out[PKI_DEVICE_NAME], struct error *error)
{
  const struct naming *naming = ctx;
  const struct template_values values = {.index = index};
  if (naming->list.name != NULL) {
    strcpy(out, naming->list.name[index]);
    return 0;
  }
  if (template_expand(naming->template, &values, out, PKI_DEVICE_NAME) >= 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "--names '%s': a name of more than %d characters",
                   naming->template, PKI_DEVICE_NAME_MAX);
}

/* So does that. */
static bool tell_column(void *ctx, size_t index, size_t column, const char **name,
                        const char **value)
{
  const struct naming *naming = ctx;
  return naming->list.name != NULL &&
         pki_name_list_column(&naming->list, index, column, name, value);
}

/* What has a brace is a template. */
static int take_names(const struct make_line *line, struct naming *out, uint64_t *devices,
                      struct error *error)
{
  unsigned has;
  *out = (struct naming){.template = line->names};
  *devices = line->devices;
  if (line->names != NULL && strchr(line->names, '{') == NULL) {
    if (pki_name_list_read(line->names, &out->list, error) != 0)
      return error_wrap(error, "--names");
    if (*devices == 0) *devices = out->list.count;
    if (*devices == out->list.count) return 0;
    return error_set(error, EXIT_CODE_USAGE,
                     "%s has %zu names, and --devices says %llu: leave --devices out", line->names,
                     out->list.count, (unsigned long long) *devices);
  }
  if (*devices == 0)
    return error_set(error, EXIT_CODE_USAGE, "--devices is missing; --help shows an example");
  if (line->names == NULL) return 0;
  if (template_check(line->names, TEMPLATE_BIT(TEMPLATE_INDEX), &has, error) != 0)
    return error_wrap(error, "--names");
  if (has != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "--names '%s' is the same for all devices: let {index} be in it", line->names);
}

static int make_fleet(const struct args *args, struct error *error)
{
  const struct make_line *line = args->given;
  struct pki_roots trusted;
  const char *issuing = NULL;
  struct pki *pki = NULL;
  struct naming names;
  uint64_t devices;
  const struct pki_naming naming = {.name = name_device, .ctx = &names, .column = tell_column};
  if (choose(line, &trusted, &issuing, error) != 0) return -1;
  int result = take_names(line, &names, &devices, error);
  if (result == 0) result = pki_create(args->operand[0], &line->roots, &pki, error);
  if (result == 0)
    result = pki_add_named_devices(pki, (size_t) devices, line->names != NULL ? &naming : NULL,
                                   issuing, &trusted, error);
  pki_name_list_free(&names.list);
  if (result != 0) {
    if (pki != NULL) pki_discard(pki);
    return -1;
  }
  pki_args_print_fleet(pki, &trusted);
  pki_args_warn_of_one_root("make", &trusted);
  pki_close(pki);
  return EXIT_CODE_PASS;
}

const struct args_verb cli_pki_make = {
    .name = "make",
    .line = "a new fleet: roots, intermediates, cross-certificates, devices with keys and "
            "certificates",
    .usage = "usage: fleetsim pki make FOLDER --devices N [options]\n\n",
    .options = options,
    .example = "fleetsim pki make fleets/lab --devices 1000 --roots A,B,spare --trusted A,spare\n"
               "fleetsim pki make fleets/line2 --devices 200 --names 'SN-2026-{index:06}'",
    PKI_VERB,
    .size = sizeof(struct make_line),
    .defaults = &defaults,
    .run = make_fleet,
};
