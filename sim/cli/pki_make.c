/* fleetsim pki make: a new fleet in a folder of its own. What cannot be made whole is taken away
 * again. */
#include <string.h>

#include "cli/pki_args.h"
#include "cli/verbs.h"

#define DEVICES_MAX 1000000

struct make_line {
  uint64_t devices;
  struct pki_roots roots, trusted;
  const char *broker_root;
};

#define TO(field) .offset = offsetof(struct make_line, field)
static const struct args_option options[] = {
    {"devices", "N", "devices to make, with ids from 00000001", args_number, TO(devices),
     .needed = true, .what = "number of devices", .least = 1, .most = DEVICES_MAX},
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
  if (trusted->count < 2)
    return error_set(error, EXIT_CODE_USAGE,
                     "devices must trust at least two roots; name more with --roots or --trusted");
  if (pki_args_within(trusted, &line->roots, "--trusted", error) != 0) return -1;
  *issuing = line->broker_root == NULL ? line->roots.name[0] : line->broker_root;
  if (pki_roots_include(&line->roots, *issuing)) return 0;
  return error_set(error, EXIT_CODE_USAGE, "--broker-root '%s' is none of the fleet's roots",
                   *issuing);
}

static int make_fleet(const struct args *args, struct error *error)
{
  const struct make_line *line = args->given;
  struct pki_roots trusted;
  const char *issuing = NULL;
  struct pki *pki = NULL;
  if (choose(line, &trusted, &issuing, error) != 0) return -1;
  if (pki_create(args->operand[0], &line->roots, &pki, error) != 0) return -1;
  if (pki_add_devices(pki, (size_t) line->devices, issuing, &trusted, error) != 0) {
    pki_discard(pki);
    return -1;
  }
  pki_args_print_fleet(pki, &trusted);
  pki_close(pki);
  return EXIT_CODE_PASS;
}

const struct args_verb cli_pki_make = {
    .name = "make",
    .line = "a new fleet: roots, intermediates, cross-certificates, devices with keys and "
            "certificates",
    .usage = "usage: fleetsim pki make FOLDER --devices N [options]\n\n",
    .options = options,
    .after = "\nexample: fleetsim pki make fleets/lab --devices 1000 --roots A,B,spare --trusted "
             "A,spare\n",
    PKI_VERB,
    .size = sizeof(struct make_line),
    .defaults = &defaults,
    .run = make_fleet,
};
