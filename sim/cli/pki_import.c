/* fleetsim pki import: a fleet that exists already, keys and certificates, into a folder that runs
 * can use. A new folder gets its roots with it; where that fails nothing is left, so that the same
 * command can be given again. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "pki/csv.h"
#include "pki/password.h"

struct import_line {
  const char *csv, *roots_pem, *ca_keys, *password_file;
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

static const char *const sources[] = {
    [PKI_ID_FROM_CSV] = "csv",
    [PKI_ID_FROM_CN] = "cn",
    [PKI_ID_FROM_SERIAL] = "serialNumber",
    [PKI_ID_FROM_URI] = "san-uri",
    [PKI_ID_FROM_DNS] = "san-dns",
};

static void say_sources(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) say(ctx, sources[i]);
}

static int take_id_from(const struct args_option *option, char *value, void *to,
                        struct error *error)
{
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
     take_id_from, TO(how.id_from), .words = say_sources},
    {"password-file", "FILE",
     "its first line is the passphrase of keys that are under one; mode 0600", args_text,
     TO(password_file)},
    {"no-certificates", NULL,
     "the devices show none, as the broker knows them by name and password or\n"
     "token: the list has a column id, and no files",
     args_flag, TO(how.no_certificates)},
    {"roots-pem", "A=FILE,B=FILE",
     "for a new folder: the root certificates that the brokers' chains end at", args_text,
     TO(roots_pem)},
    {"ca-keys", "A=FILE,B=FILE",
     "private keys of a staging CA, for a new folder: of root A itself, or of an\n"
     "intermediate that A issued (its certificate in the same file). Then broker\n"
     "and device certificates and lists can be made under A; without, that is for\n"
     "files and commands of yours",
     args_text, TO(ca_keys)},
    {"trusted", "A,B", "roots that the devices trust at first (default: all)", pki_args_take_roots,
     TO(how.trusted)},
    {0},
};
#undef TO

/* A new folder's roots: the texts of the line, taken apart. */
struct adoption {
  struct pki_foreign foreign[PKI_ROOTS_MAX];
  struct pki_roots names;
  char roots[8 * FILES_PATH_MAX], keys[8 * FILES_PATH_MAX];
};

/* The next "A=path" of a list, taken apart in place; NULL: none is left, or (with `error` set) it is
   none. */
static char *next_pair(char **rest, const char **path, const char *option, struct error *error)
{
  char *one = strsep(rest, ","), *equals = one == NULL ? NULL : strchr(one, '=');
  if (one == NULL) return NULL;
  if (equals == NULL || equals[1] == '\0' || equals - one >= PKI_NAME_MAX) {
    error_set(error, EXIT_CODE_USAGE, "%s wants NAME=FILE,NAME=FILE for at most %d roots, not '%s'",
              option, PKI_ROOTS_MAX, one);
    return NULL;
  }
  *equals = '\0';
  *path = equals + 1;
  return one;
}

static int take_roots(struct adoption *adoption, struct error *error)
{
  struct pki_roots *names = &adoption->names;
  const char *path;
  char *rest = adoption->roots;
  error->text[0] = '\0';
  for (char *name; (name = next_pair(&rest, &path, "--roots-pem", error)) != NULL;) {
    if (names->count == PKI_ROOTS_MAX)
      return error_set(error, EXIT_CODE_USAGE, "--roots-pem names more than %d roots",
                       PKI_ROOTS_MAX);
    struct pki_foreign *root = &adoption->foreign[names->count];
    strcpy(root->name, name);
    root->path = path;
    strcpy(names->name[names->count++], name);
  }
  return error->text[0] != '\0' ? -1 : pki_roots_check_names(names, error);
}

static int take_keys(struct adoption *adoption, const struct pki_password *password,
                     struct error *error)
{
  const char *path;
  char *rest = adoption->keys[0] != '\0' ? adoption->keys : NULL;
  error->text[0] = '\0';
  for (char *name; (name = next_pair(&rest, &path, "--ca-keys", error)) != NULL;) {
    struct pki_foreign *root = adoption->foreign, *end = root + adoption->names.count;
    while (root < end && strcmp(root->name, name) != 0) root++;
    if (root == end || root->key_path != NULL)
      return error_set(error, EXIT_CODE_USAGE, "--ca-keys names '%s', which %s", name,
                       root == end ? "is no root of --roots-pem" : "it has a key of already");
    root->key_path = path;
    root->password = password;
  }
  return error->text[0] != '\0' ? -1 : 0;
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

static int check_adoption(const char *folder, const struct import_line *line, bool exists,
                          struct error *error)
{
  const char *keys = line->ca_keys != NULL ? line->ca_keys : "";
  if (exists && (line->roots_pem != NULL || line->ca_keys != NULL))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds a fleet with its own roots already; leave %s out, or choose another "
                     "folder",
                     folder, line->roots_pem != NULL ? "--roots-pem" : "--ca-keys");
  if (!exists && (line->roots_pem == NULL || strlen(line->roots_pem) >= 8 * FILES_PATH_MAX ||
                  strlen(keys) >= 8 * FILES_PATH_MAX))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds no fleet yet: name its roots with --roots-pem NAME=FILE,NAME=FILE",
                     folder);
  return 0;
}

static int adopt(const char *folder, const struct import_line *line, struct adoption *adoption,
                 struct pki **out, struct error *error)
{
  const struct pki_roots *trusted = &line->how.trusted, *names = &adoption->names;
  strcpy(adoption->roots, line->roots_pem);
  if (line->ca_keys != NULL) strcpy(adoption->keys, line->ca_keys);
  if (take_roots(adoption, error) != 0 || take_keys(adoption, line->how.password, error) != 0)
    return -1;
  if (pki_args_within(trusted, names, "--trusted", error) != 0) return -1;
  return pki_create_foreign(folder, adoption->foreign, names->count, out, tell_warning, NULL,
                            error);
}

/* Opens the fleet, or makes one around the roots of --roots-pem. */
static int open_or_adopt(const char *folder, const struct import_line *line, struct pki **out,
                         struct error *error)
{
  bool exists = holds_fleet(folder);
  if (check_adoption(folder, line, exists, error) != 0) return -1;
  if (exists) return pki_open(folder, out, error);
  struct adoption *adoption = calloc(1, sizeof *adoption);
  if (adoption == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for an import");
  int result = adopt(folder, line, adoption, out, error);
  free(adoption);
  return result;
}

/* Of a fleet that was imported: where nothing can be issued, and what that leaves. */
static void print_keys(const struct pki *pki)
{
  const struct pki_roots *roots = pki_roots(pki);
  for (size_t i = 0; i < roots->count; i++)
    if (pki_can_issue(pki, roots->name[i]))
      printf("root %s can issue: certificates of brokers and devices, and lists\n", roots->name[i]);
    else
      printf("root %s has no key here: 'present', 'prove' and 'reissue' take files of yours for "
             "it\n",
             roots->name[i]);
}

static int import_with(const char *folder, const struct import_line *line, struct error *error)
{
  struct pki_import how = line->how;
  struct pki *pki = NULL;
  if (open_or_adopt(folder, line, &pki, error) != 0) return -1;
  if (how.trusted.count == 0) how.trusted = *pki_roots(pki);
  int result = pki_import_devices(pki, line->csv, &how, tell_warning, NULL, error);
  if (result != 0 && line->roots_pem != NULL) {
    pki_discard(pki); /* so that the same command can be given again */
    return -1;
  }
  if (result == 0) pki_args_print_fleet(pki, &how.trusted);
  if (result == 0 && line->roots_pem != NULL) print_keys(pki);
  if (result == 0) pki_args_warn_of_one_root("import", &how.trusted);
  pki_close(pki);
  return result;
}

static int import_fleet(const struct args *args, struct error *error)
{
  struct import_line line = *(const struct import_line *) args->given;
  struct pki_password password = {.given = false};
  if (line.how.no_certificates && line.how.id_from != PKI_ID_FROM_CSV)
    return error_set(error, EXIT_CODE_USAGE,
                     "--no-certificates leaves none that --id-from could take names from: leave "
                     "one of the two out");
  if (line.password_file != NULL && pki_password_read(line.password_file, &password, error) != 0)
    return -1;
  line.how.password = &password;
  int result = import_with(args->operand[0], &line, error);
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
             "an identity that the staging broker knows.\n",
    .example = "fleetsim pki import fleets/staging --csv devices.csv --roots-pem "
               "A=root-a.pem,B=root-b.pem",
    PKI_VERB,
    .size = sizeof(struct import_line),
    .run = import_fleet,
};
