/* fleetsim pki make, import: new fleets, and fleets that exist already. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"

#define DEVICES_MAX 1000000

static void print_roots(const struct pki_roots *roots)
{
  for (size_t i = 0; i < roots->count; i++) printf("%s%s", i == 0 ? "" : ", ", roots->name[i]);
}

static void print_fleet(const struct pki *pki, const struct pki_roots *trusted)
{
  size_t count = pki_device_count(pki);
  printf("%s: roots ", pki_folder(pki));
  print_roots(pki_roots(pki));
  printf("; %zu device%s, %08x to %08x, trusting ", count, count == 1 ? "" : "s",
         (unsigned) pki_device_id(pki, 0), (unsigned) pki_device_id(pki, count - 1));
  print_roots(trusted);
  printf("\n");
}

/* Two anchors at rest: the one that brokers use, and the one that was kept for the day it fails. */
static void first_and_last(const struct pki_roots *roots, struct pki_roots *out)
{
  *out = (struct pki_roots){.count = 1};
  strcpy(out->name[0], roots->name[0]);
  if (roots->count > 1) strcpy(out->name[out->count++], roots->name[roots->count - 1]);
}

static int parse_make(const struct pki_args *args, size_t *devices, struct pki_roots *roots,
                      struct pki_roots *trusted, const char **issuing, struct error *error)
{
  const char *count = pki_args_need(args, PKI_ARG_DEVICES, error);
  const char *names = args->value[PKI_ARG_ROOTS], *anchors = args->value[PKI_ARG_TRUSTED];
  if (count == NULL ||
      pki_args_number(count, "number of devices", DEVICES_MAX, devices, error) != 0 ||
      pki_args_roots(names == NULL ? "A,B,spare" : names, roots, error) != 0)
    return -1;
  first_and_last(roots, trusted);
  if (anchors != NULL && pki_args_roots(anchors, trusted, error) != 0) return -1;
  if (trusted->count < 2)
    return error_set(error, EXIT_CODE_USAGE,
                     "devices must trust at least two roots; name more with --roots or --trusted");
  if (pki_args_within(trusted, roots, "--trusted", error) != 0) return -1;
  *issuing =
      args->value[PKI_ARG_BROKER_ROOT] == NULL ? roots->name[0] : args->value[PKI_ARG_BROKER_ROOT];
  if (pki_roots_include(roots, *issuing)) return 0;
  return error_set(error, EXIT_CODE_USAGE, "--broker-root '%s' is none of the fleet's roots",
                   *issuing);
}

static int run_make(const struct pki_args *args, struct error *error)
{
  size_t devices;
  struct pki_roots roots, trusted;
  const char *issuing = NULL;
  struct pki *pki = NULL;
  if (parse_make(args, &devices, &roots, &trusted, &issuing, error) != 0) return -1;
  if (pki_create(args->folder, &roots, &pki, error) != 0) return -1;
  if (pki_add_devices(pki, devices, issuing, &trusted, error) != 0) {
    pki_discard(pki);
    return -1;
  }
  print_fleet(pki, &trusted);
  pki_close(pki);
  return 0;
}

const struct pki_command pki_command_make = {
    .name = "make",
    .line =
        "a new fleet: roots, intermediates, cross-certificates, devices with keys and certificates",
    .help =
        "usage: fleetsim pki make FOLDER --devices N [options]\n\n"
        "  --devices N          devices to make, with ids from 00000001\n"
        "  --roots A,B,spare    names of the roots (this is the default; at most 8)\n"
        "  --trusted A,spare    roots that the devices trust (default: the first and the last)\n"
        "  --broker-root A      the root in use: it issues the device certificates (default: the "
        "first)\n\n"
        "example: fleetsim pki make fleets/lab --devices 1000 --roots A,B,spare --trusted "
        "A,spare\n",
    .allowed = 1u << PKI_ARG_DEVICES | 1u << PKI_ARG_ROOTS | 1u << PKI_ARG_TRUSTED |
               1u << PKI_ARG_BROKER_ROOT,
    .run = run_make,
};

/* "A=path,B=path" taken apart into `text`, which must live as long as the result. */
static int parse_foreign(char *text, struct pki_foreign foreign[PKI_ROOTS_MAX],
                         struct pki_roots *names, struct error *error)
{
  names->count = 0;
  char *rest = NULL;
  for (char *one = strtok_r(text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
    char *equals = strchr(one, '=');
    if (equals == NULL || equals[1] == '\0' || equals - one >= PKI_NAME_MAX ||
        names->count == PKI_ROOTS_MAX)
      return error_set(error, EXIT_CODE_USAGE,
                       "--roots-pem wants NAME=FILE,NAME=FILE for at most %d roots, not '%s'",
                       PKI_ROOTS_MAX, one);
    *equals = '\0';
    strcpy(foreign[names->count].name, one);
    foreign[names->count].path = equals + 1;
    strcpy(names->name[names->count++], one);
  }
  return pki_roots_check_names(names, error);
}

static bool holds_fleet(const char *folder)
{
  char path[FILES_PATH_MAX];
  return files_join(path, folder, "registry.db", NULL) == 0 && access(path, F_OK) == 0;
}

static void tell_warning(void *ctx, const char *sentence)
{
  (void) ctx;
  fprintf(stderr, "fleetsim pki import: warning: %s\n", sentence);
}

/* Opens the fleet, or makes one around the roots of --roots-pem. */
static int open_or_adopt(const struct pki_args *args, const struct pki_roots *trusted,
                         struct pki **out, struct error *error)
{
  const char *given = args->value[PKI_ARG_ROOTS_PEM];
  struct pki_foreign foreign[PKI_ROOTS_MAX] = {0};
  struct pki_roots names;
  char text[8 * FILES_PATH_MAX];
  if (holds_fleet(args->folder)) {
    if (given == NULL) return pki_open(args->folder, out, error);
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds a fleet with its own roots already; leave --roots-pem out, or "
                     "choose another folder",
                     args->folder);
  }
  if (given == NULL || strlen(given) >= sizeof text)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds no fleet yet: name its roots with --roots-pem NAME=FILE,NAME=FILE",
                     args->folder);
  strcpy(text, given);
  if (parse_foreign(text, foreign, &names, error) != 0) return -1;
  if (names.count < 2 || (trusted->count > 0 && trusted->count < 2))
    return error_set(error, EXIT_CODE_USAGE,
                     "devices must trust at least two roots; name more with --roots-pem");
  if (pki_args_within(trusted, &names, "--trusted", error) != 0) return -1;
  return pki_create_foreign(args->folder, foreign, names.count, out, tell_warning, NULL, error);
}

static int run_import(const struct pki_args *args, struct error *error)
{
  struct pki_roots trusted = {0};
  struct pki *pki = NULL;
  const char *csv = pki_args_need(args, PKI_ARG_CSV, error),
             *anchors = args->value[PKI_ARG_TRUSTED];
  if (csv == NULL || (anchors != NULL && pki_args_roots(anchors, &trusted, error) != 0)) return -1;
  if (open_or_adopt(args, &trusted, &pki, error) != 0) return -1;
  if (trusted.count == 0) trusted = *pki_roots(pki);
  int result = pki_import_devices(pki, csv, &trusted, tell_warning, NULL, error);
  if (result != 0 && args->value[PKI_ARG_ROOTS_PEM] != NULL) {
    pki_discard(pki); /* so that the same command can be given again */
    return -1;
  }
  if (result == 0) print_fleet(pki, &trusted);
  pki_close(pki);
  return result;
}

const struct pki_command pki_command_import = {
    .name = "import",
    .line = "an existing fleet, for use against a staging broker",
    .help =
        "usage: fleetsim pki import FOLDER --csv FILE [options]\n\n"
        "  --csv FILE                    lines of 'id,key path,certificate path': id is eight hex "
        "digits and (in\n"
        "                                lower case) the certificate's CN, the files are PEM "
        "(P-256, SHA-256; the\n"
        "                                leaf first, then its intermediates), paths are relative "
        "to the CSV;\n"
        "                                \"quoted, fields\", '#' comments and a header line "
        "'id,...' are allowed\n"
        "  --roots-pem A=FILE,B=FILE     for a new folder: the root certificates that the brokers' "
        "chains end at\n"
        "                                (no CA keys: nothing can be issued under them)\n"
        "  --trusted A,B                 roots that the devices trust at first (default: all)\n\n"
        "Trust bundles are signed by the folder's own update.key. operator.crt and operator.key "
        "may be replaced by\n"
        "an identity that the staging broker knows.\n\n"
        "example: fleetsim pki import fleets/staging --csv devices.csv --roots-pem "
        "A=root-a.pem,B=root-b.pem\n",
    .allowed = 1u << PKI_ARG_CSV | 1u << PKI_ARG_ROOTS_PEM | 1u << PKI_ARG_TRUSTED,
    .run = run_import,
};
