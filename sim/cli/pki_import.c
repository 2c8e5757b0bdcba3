/* fleetsim pki import: a fleet that exists already, keys and certificates, into a folder that runs
 * can use. A new folder gets its roots with it; where that fails nothing is left, so that the same
 * command can be given again. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "pki/csv.h"
#include "pki/password.h"

struct import_line {
  const char *csv, *roots_pem, *password_file;
  struct pki_import how;
};

static int refuse_column(const char *text, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "--columns wants id=NAME, key=NAME, certificate=NAME or chain=NAME, not '%s'",
                   text);
}

/* "id=Serial No,key=Key" taken apart in place. */
static int take_columns(const struct args_option *option, char *value, void *to,
                        struct error *error)
{
  const char **column = to;
  char *rest = NULL;
  (void) option;
  if (value[0] == '\0') return refuse_column(value, error);
  for (char *one = strtok_r(value, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
    char *equals = strchr(one, '=');
    size_t role = 0, size = equals == NULL ? 0 : (size_t) (equals - one);
    for (; role < PKI_CSV_ROLES; role++) {
      const char *name = pki_csv_role_name((enum pki_csv_role) role);
      if (size == strlen(name) && strncmp(one, name, size) == 0) break;
    }
    if (equals == NULL || role == PKI_CSV_ROLES || equals[1] == '\0')
      return refuse_column(one, error);
    column[role] = equals + 1;
  }
  return 0;
}

static int take_id_from(const struct args_option *option, char *value, void *to,
                        struct error *error)
{
  static const char *const sources[] = {
      [PKI_ID_FROM_CSV] = "csv",
      [PKI_ID_FROM_CN] = "cn",
      [PKI_ID_FROM_SERIAL] = "serialNumber",
      [PKI_ID_FROM_URI] = "san-uri",
      [PKI_ID_FROM_DNS] = "san-dns",
  };
  (void) option;
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    if (strcasecmp(value, sources[i]) != 0) continue;
    *(enum pki_id_from *) to = (enum pki_id_from) i;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "--id-from is csv, cn, serialNumber, san-uri or san-dns, not '%.40s'", value);
}

#define TO(field) .offset = offsetof(struct import_line, field)
static const struct args_option options[] = {
    {"csv", "FILE",
     "the devices: a header that names the columns id, key and certificate\n"
     "(also chain; others are kept), or lines of 'id,key path,certificate path';\n"
     "id is the device's name, paths are relative to the CSV; commas or\n"
     "semicolons, \"quoted, fields\", '#' comments. Files are PEM, DER or PKCS#12,\n"
     "in any order and with text between, key and certificates in one or two;\n"
     "P-256 and SHA-256, which devices know",
     args_text, TO(csv), .needed = true},
    {"columns", "id=NAME,key=NAME,..",
     "which columns of the header these are (id, key, certificate, chain)", take_columns,
     TO(how.column)},
    {"id-from", "SOURCE",
     "where a device's name comes from: csv (its column id), or the leaf's cn,\n"
     "serialNumber (of its subject), san-uri or san-dns (default: csv); 1 to 64\n"
     "characters of printable ASCII without / + # \" and \\. A name of eight hex\n"
     "digits is the id that runs use, and the CN",
     take_id_from, TO(how.id_from)},
    {"password-file", "FILE",
     "its first line is the passphrase of keys that are under one; mode 0600", args_text,
     TO(password_file)},
    {"roots-pem", "A=FILE,B=FILE",
     "for a new folder: the root certificates that the brokers' chains end at\n"
     "(no CA keys: nothing can be issued under them)",
     args_text, TO(roots_pem)},
    {"trusted", "A,B", "roots that the devices trust at first (default: all)", pki_args_take_roots,
     TO(how.trusted)},
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
  const struct pki_roots *trusted = &line->how.trusted;
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

static int import_with(const char *folder, const struct import_line *line, struct pki_import how,
                       struct error *error)
{
  struct pki *pki = NULL;
  if (open_or_adopt(folder, line, &pki, error) != 0) return -1;
  if (how.trusted.count == 0) how.trusted = *pki_roots(pki);
  int result = pki_import_devices(pki, line->csv, &how, tell_warning, NULL, error);
  if (result != 0 && line->roots_pem != NULL) {
    pki_discard(pki); /* so that the same command can be given again */
    return -1;
  }
  if (result == 0) pki_args_print_fleet(pki, &how.trusted);
  pki_close(pki);
  return result;
}

static int import_fleet(const struct args *args, struct error *error)
{
  const struct import_line *line = args->given;
  struct pki_import how = line->how;
  struct pki_password password = {.given = false};
  if (line->password_file != NULL && pki_password_read(line->password_file, &password, error) != 0)
    return -1;
  how.password = &password;
  int result = import_with(args->operand[0], line, how, error);
  pki_password_wipe(&password);
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
