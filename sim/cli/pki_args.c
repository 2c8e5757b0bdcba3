/* fleetsim pki: make, show, export and import certificate hierarchies and fleets; revoke, and list
   what is revoked. */
#define _GNU_SOURCE
#include "cli/pki_args.h"
#include "base/mask.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/verbs.h"

static const struct pki_command *const commands[] = {
    &pki_command_make,   &pki_command_show,     &pki_command_export, &pki_command_import,
    &pki_command_revoke, &pki_command_unrevoke, &pki_command_crl};

static const struct option options[] = {
    [PKI_ARG_HELP] = {"help", no_argument, NULL, PKI_ARG_HELP},
    [PKI_ARG_DEVICES] = {"devices", required_argument, NULL, PKI_ARG_DEVICES},
    [PKI_ARG_ROOTS] = {"roots", required_argument, NULL, PKI_ARG_ROOTS},
    [PKI_ARG_TRUSTED] = {"trusted", required_argument, NULL, PKI_ARG_TRUSTED},
    [PKI_ARG_BROKER_ROOT] = {"broker-root", required_argument, NULL, PKI_ARG_BROKER_ROOT},
    [PKI_ARG_DEVICE] = {"device", required_argument, NULL, PKI_ARG_DEVICE},
    [PKI_ARG_JSON] = {"json", no_argument, NULL, PKI_ARG_JSON},
    [PKI_ARG_WHAT] = {"what", required_argument, NULL, PKI_ARG_WHAT},
    [PKI_ARG_OUT] = {"out", required_argument, NULL, PKI_ARG_OUT},
    [PKI_ARG_ROOT] = {"root", required_argument, NULL, PKI_ARG_ROOT},
    [PKI_ARG_CROSS] = {"cross", required_argument, NULL, PKI_ARG_CROSS},
    [PKI_ARG_HOST] = {"host", required_argument, NULL, PKI_ARG_HOST},
    [PKI_ARG_VERSION] = {"version", required_argument, NULL, PKI_ARG_VERSION},
    [PKI_ARG_CSV] = {"csv", required_argument, NULL, PKI_ARG_CSV},
    [PKI_ARG_ROOTS_PEM] = {"roots-pem", required_argument, NULL, PKI_ARG_ROOTS_PEM},
    [PKI_ARG_REASON] = {"reason", required_argument, NULL, PKI_ARG_REASON},
    [PKI_ARG_CURRENT] = {"current", no_argument, NULL, PKI_ARG_CURRENT},
    [PKI_ARG_NEXT_UPDATE] = {"next-update", required_argument, NULL, PKI_ARG_NEXT_UPDATE},
    [PKI_ARG_ENTRIES] = {"entries", required_argument, NULL, PKI_ARG_ENTRIES},
    [PKI_ARGS] = {0},
};

const char *pki_args_need(const struct pki_args *args, enum pki_arg arg, struct error *error)
{
  if (args->value[arg] != NULL) return args->value[arg];
  error_set(error, EXIT_CODE_USAGE, "--%s is missing; --help shows an example", options[arg].name);
  return NULL;
}

int pki_args_roots(const char *text, struct pki_roots *out, struct error *error)
{
  out->count = 0;
  for (const char *at = text; at != NULL;) {
    const char *comma = strchrnul(at, ',');
    size_t size = (size_t) (comma - at);
    if (out->count == PKI_ROOTS_MAX || size >= PKI_NAME_MAX)
      return error_set(error, EXIT_CODE_USAGE,
                       "'%s' is no list of at most %d roots with names of at most %d letters", text,
                       PKI_ROOTS_MAX, PKI_NAME_MAX - 1);
    memcpy(out->name[out->count], at, size);
    out->name[out->count++][size] = '\0';
    at = *comma == '\0' ? NULL : comma + 1;
  }
  return pki_roots_check_names(out, error);
}

int pki_args_number(const char *text, const char *what, size_t limit, size_t *out,
                    struct error *error)
{
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 || value > limit)
    return error_set(error, EXIT_CODE_USAGE, "'%s' is no %s: give a whole number from 1 to %zu",
                     text, what, limit);
  *out = (size_t) value;
  return 0;
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

static int parse(int argc, char **argv, const struct pki_command *command, struct pki_args *args,
                 struct error *error)
{
  int option;
  opterr = 0, optind = 0;
  while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    if (option == ':' || option == '?') return verb_bad_option(option, argv, options, error);
    if (option != PKI_ARG_HELP && (command->allowed & (1u << option)) == 0)
      return error_set(error, EXIT_CODE_USAGE, "--%s is no option of '%s'; --help lists them",
                       options[option].name, command->name);
    args->value[option] = optarg == NULL ? "" : optarg;
  }
  if (args->value[PKI_ARG_HELP] != NULL) return 0;
  if (optind + 1 != argc)
    return error_set(error, EXIT_CODE_USAGE,
                     "give exactly one fleet folder; --help shows an example");
  args->folder = argv[optind];
  return 0;
}

static int run_command(const struct pki_command *command, int argc, char **argv)
{
  struct error error = {.code = EXIT_CODE_INTERNAL};
  struct pki_args args = {0};
  int result = parse(argc, argv, command, &args, &error);
  if (result == 0 && args.value[PKI_ARG_HELP] != NULL)
    fputs(command->help, stdout);
  else if (result == 0)
    result = command->run(&args, &error);
  if (result == 0) return EXIT_CODE_PASS;
  fprintf(stderr, "fleetsim pki %s: %s\n", command->name, error.text);
  return (int) error.code;
}

static void print_help(FILE *out)
{
  fputs("usage: fleetsim pki COMMAND FOLDER [options]\n\n", out);
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->line);
  fputs("\n  fleetsim pki COMMAND --help    options and an example\n\n"
        "example: fleetsim pki make fleets/lab --devices 1000\n",
        out);
}

int verb_pki(int argc, char **argv)
{
  if (argc < 2 || strcmp(argv[1], "--help") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? EXIT_CODE_USAGE : EXIT_CODE_PASS;
  }
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp(argv[1], commands[i]->name) == 0)
      return run_command(commands[i], argc - 1, argv + 1);
  char shown[200];
  fprintf(stderr, "fleetsim pki: there is no '%s'; 'fleetsim pki --help' lists what there is\n",
          mask_url(argv[1], shown, sizeof shown));
  return EXIT_CODE_USAGE;
}
