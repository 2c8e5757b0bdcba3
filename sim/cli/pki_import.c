/* fleetsim pki import: a fleet that exists already, keys and certificates, into a folder that runs
 * can use. A new folder gets its roots with it; where that fails nothing is left, so that the same
 * command can be given again. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"

struct import_line {
  const char *csv, *roots_pem;
  struct pki_roots trusted;
};

#define TO(field) .offset = offsetof(struct import_line, field)
static const struct args_option options[] = {
    {"csv", "FILE",
     "lines of 'id,key path,certificate path': id is eight hex digits and (in\n"
     "lower case) the certificate's CN, the files are PEM (P-256, SHA-256; the\n"
     "leaf first, then its intermediates), paths are relative to the CSV;\n"
     "\"quoted, fields\", '#' comments and a header line 'id,...' are allowed",
     args_text, TO(csv), .needed = true},
    {"roots-pem", "A=FILE,B=FILE",
     "for a new folder: the root certificates that the brokers' chains end at\n"
     "(no CA keys: nothing can be issued under them)",
     args_text, TO(roots_pem)},
    {"trusted", "A,B", "roots that the devices trust at first (default: all)", pki_args_take_roots,
     TO(trusted)},
    {0},
};
#undef TO

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
static int open_or_adopt(const char *folder, const struct import_line *line, struct pki **out,
                         struct error *error)
{
  const char *given = line->roots_pem;
  const struct pki_roots *trusted = &line->trusted;
  struct pki_foreign foreign[PKI_ROOTS_MAX] = {0};
  struct pki_roots names;
  char text[8 * FILES_PATH_MAX];
  if (holds_fleet(folder)) {
    if (given == NULL) return pki_open(folder, out, error);
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds a fleet with its own roots already; leave --roots-pem out, or "
                     "choose another folder",
                     folder);
  }
  if (given == NULL || strlen(given) >= sizeof text)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds no fleet yet: name its roots with --roots-pem NAME=FILE,NAME=FILE",
                     folder);
  strcpy(text, given);
  if (parse_foreign(text, foreign, &names, error) != 0) return -1;
  if (names.count < 2 || (trusted->count > 0 && trusted->count < 2))
    return error_set(error, EXIT_CODE_USAGE,
                     "devices must trust at least two roots; name more with --roots-pem");
  if (pki_args_within(trusted, &names, "--trusted", error) != 0) return -1;
  return pki_create_foreign(folder, foreign, names.count, out, tell_warning, NULL, error);
}

static int import_fleet(const struct args *args, struct error *error)
{
  const struct import_line *line = args->given;
  struct pki_roots trusted = line->trusted;
  struct pki *pki = NULL;
  if (open_or_adopt(args->operand[0], line, &pki, error) != 0) return -1;
  if (trusted.count == 0) trusted = *pki_roots(pki);
  int result = pki_import_devices(pki, line->csv, &trusted, tell_warning, NULL, error);
  if (result != 0 && line->roots_pem != NULL) {
    pki_discard(pki); /* so that the same command can be given again */
    return -1;
  }
  if (result == 0) pki_args_print_fleet(pki, &trusted);
  pki_close(pki);
  return result;
}

const struct args_verb cli_pki_import = {
    .name = "import",
    .line = "an existing fleet, for use against a staging broker",
    .usage = "usage: fleetsim pki import FOLDER --csv FILE [options]\n\n",
    .options = options,
    .after = "\nTrust bundles are signed by the folder's own update.key. operator.crt and "
             "operator.key may be replaced by\n"
             "an identity that the staging broker knows.\n\n"
             "example: fleetsim pki import fleets/staging --csv devices.csv --roots-pem "
             "A=root-a.pem,B=root-b.pem\n",
    PKI_VERB,
    .size = sizeof(struct import_line),
    .run = import_fleet,
};
