/* fleetsim calibrate: timing profiles: list, show, compare, make again, and check against a fresh
   calibration. */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "child/child.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "timing/model.h"

#define PROFILES_MAX 32
#define SOURCES_MAX  8
/* keys and signatures are drawn anew each time: that alone moves an operation by 0.2 % */
#define DRIFT_MAX 0.01
/* a certificate's numbers and their lengths: 0.3 ms that make up 0.1 % of a handshake */
#define PARSE_DRIFT 0.15

static const char usage[] =
    "usage: fleetsim calibrate list                          the checked-in timing profiles\n"
    "       fleetsim calibrate show PROFILE                  one of them, and where it comes from\n"
    "       fleetsim calibrate compare A B [--json FILE]     what a change of library, options or "
    "hardware does\n"
    "       fleetsim calibrate [--check] [PROFILE...]        make them again: all, or those "
    "named\n\n"
    "  --check           write nothing: compare fresh ones with those checked in, and end with 1 "
    "if an operation\n"
    "                    has drifted by more than 1 % (the parsing of certificates, whose numbers "
    "vary: 15 %)\n"
    "  --mbedtls SOURCE  a source tree of Mbed TLS to take a version from (can be given again)\n"
    "  --json FILE       the comparison as JSON\n\n"
    "PROFILE is a name or the path of a .json file. Making one takes arm-none-eabi-gcc and "
    "fleetsim-m4 (Unicorn);\n"
    "FLEETSIM_M4 names another fleetsim-m4, FLEETSIM_TIMING_PROFILES another folder of profiles.\n"
    "All times are modelled, none is measured: nominal, and in parentheses the band that memory "
    "may make of it.\n\n"
    "example: fleetsim calibrate compare mbedtls-3.6.6-Os mbedtls-3.6.7-Os\n";

struct arguments {
  bool check, help;
  const char *json;
  const char *source[SOURCES_MAX];
  size_t source_count;
  char **name;
  size_t name_count;
};

/* A profile with the parts of its file that a run does not need. */
struct profile {
  struct timing_profile timing;
  json_t *file;
};

/* What is printed of a profile: cycles of an operation, or of a byte. */
static const struct operation {
  const char *name, *path;
  bool per_byte;
} operations[] = {{"keygen", "operations.keygen.cycles", false},
                  {"public key", "operations.public_key.cycles", false},
                  {"ECDH", "operations.ecdh.cycles", false},
                  {"sign", "operations.sign.cycles", false},
                  {"verify", "operations.verify.cycles", false},
                  {"certificate parse", "operations.certificate_parse.cycles", false},
                  {"HKDF-Expand", "operations.hkdf_expand.cycles", false},
                  {"AES-GCM, record", "operations.aes_gcm.cycles_per_record", false},
                  {"AES-GCM, KiB", "operations.aes_gcm.cycles_per_byte", true},
                  {"SHA-256, KiB", "operations.sha256.cycles_per_byte", true}};
#define CERTIFICATE_PARSE 5 /* its place */
#define OPERATIONS        (sizeof operations / sizeof operations[0])

static const struct chain {
  const char *name, *key;
  uint16_t verify; /* the broker's links and its CertificateVerify */
} chains[] = {{"handshake, leaf only", "leaf_only", 2},
              {"handshake, one intermediate", "one_intermediate", 3}};
#define CHAINS (sizeof chains / sizeof chains[0])

static const json_t *find(const json_t *at, const char *path)
{
  char text[128];
  char *rest = NULL;
  snprintf(text, sizeof text, "%s", path);
  for (char *key = strtok_r(text, ".", &rest); key != NULL && at != NULL;
       key = strtok_r(NULL, ".", &rest))
    at = json_object_get(at, key);
  return at;
}

/* The number there, or a NaN. */
static double number(const struct profile *profile, const char *path)
{
  const json_t *value = find(profile->file, path);
  return json_is_number(value) ? json_number_value(value) : (double) NAN;
}

static const char *text(const struct profile *profile, const char *path)
{
  const char *value = json_string_value(find(profile->file, path));
  return value != NULL ? value : "-";
}

static int open_profile(const char *name, struct profile *out, struct error *error)
{
  out->file = NULL;
  if (timing_load(name, &out->timing, error) != 0) return -1;
  json_error_t where;
  out->file = json_load_file(out->timing.path, 0, &where);
  if (out->file != NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s:%d: %s", out->timing.path, where.line, where.text);
}

static void close_profile(struct profile *profile)
{
  json_decref(profile->file);
}

static double operation_cycles(const struct profile *profile, const struct operation *operation)
{
  return number(profile, operation->path) * (operation->per_byte ? 1024 : 1);
}

/* As emulated; or, of a profile without an emulation, as the model adds it up. */
static double handshake_cycles(const struct profile *profile, const struct chain *chain)
{
  char path[64];
  snprintf(path, sizeof path, "handshake.%s.emulated_cycles", chain->key);
  const double emulated = number(profile, path);
  if (!isnan(emulated)) return emulated;
  snprintf(path, sizeof path, "handshake.%s.bytes", chain->key);
  const double bytes = number(profile, path);
  const struct crypto_meter meter = {
      .keygen = 1, .public_key = 1, .ecdh = 1, .sign = 1, .verify = chain->verify};
  return isnan(bytes) || bytes < 0 ? (double) NAN
                                   : timing_handshake(&profile->timing, &meter, (uint64_t) bytes);
}

/* "1774.1 (1658.1-1907.0)", or "-". */
static const char *band(const struct profile *profile, double cycles, char out[64])
{
  const struct timing_band us = timing_band(&profile->timing, cycles);
  const int digits = us.nominal < 10000 ? 3 : 1;
  if (isnan(cycles))
    snprintf(out, 64, "-");
  else
    snprintf(out, 64, "%.*f (%.*f-%.*f)", digits, us.nominal / 1e3, digits, us.low / 1e3, digits,
             us.high / 1e3);
  return out;
}

/* --- list ------------------------------------------------------------------------------------- */
struct listing {
  int result;
  struct error *error;
};

static void list_one(void *ctx, const char *name)
{
  struct listing *listing = ctx;
  struct profile profile;
  char handshake[64];
  if (listing->result != 0) return;
  listing->result = open_profile(name, &profile, listing->error);
  if (listing->result != 0) return;
  printf("%-26s %7.0f MHz  %-26s", name, profile.timing.clock_hz / 1e6,
         band(&profile, handshake_cycles(&profile, &chains[1]), handshake));
  const struct timing_profile *t = &profile.timing;
  if (t->rom_bytes > 0)
    printf(" %8.1f %8.1f\n", t->rom_bytes / 1024.0,
           ((double) t->ram_static_bytes + t->heap_peak_bytes + t->stack_peak_bytes) / 1024.0);
  else
    printf(" %8s %8s\n", "-", "-");
  close_profile(&profile);
}

static int list(struct error *error)
{
  struct listing listing = {.error = error};
  printf("%-26s %11s  %-26s %8s %8s\n", "profile", "clock", "handshake, ms modelled", "ROM, KiB",
         "RAM, KiB");
  if (timing_each(list_one, &listing, error) != 0 || listing.result != 0) return -1;
  printf("\nTimes are modelled: TLS 1.3 with both sides' certificates and one intermediate, "
         "nominal (low-high).\n");
  return 0;
}

/* --- show ------------------------------------------------------------------------------------- */
static void print_row(const struct profile *profile, const char *name, double cycles)
{
  char ms[64];
  if (isnan(cycles))
    printf("  %-28s %13s  -\n", name, "-");
  else
    printf("  %-28s %13.0f  %s\n", name, cycles, band(profile, cycles, ms));
}

static void print_validation(const struct profile *profile)
{
  size_t i;
  json_t *row;
  const json_t *rows = json_object_get(profile->file, "validation");
  if (json_array_size(rows) == 0) return;
  printf("\n  %-58s %-14s %s\n", "the model against the same source on a real board", "",
         "modelled / measured");
  json_array_foreach(rows, i, row)
  {
    const char *anchor = json_string_value(json_object_get(row, "anchor"));
    const char *operation = json_string_value(json_object_get(row, "operation"));
    printf("  %-58s %-14s %.3f\n", anchor != NULL ? anchor : "-",
           operation != NULL ? operation : "-", json_number_value(json_object_get(row, "ratio")));
  }
}

static void print_origin(const struct profile *profile)
{
  const char *note = json_string_value(find(profile->file, "provenance.note"));
  printf("%s: %.0f MHz, k_mem %.2f (%.2f-%.2f)\n", profile->timing.name,
         profile->timing.clock_hz / 1e6, profile->timing.k_nominal, profile->timing.k_low,
         profile->timing.k_high);
  printf("  %s %s, %s\n  %s; %s\n", text(profile, "provenance.library.name"),
         text(profile, "provenance.library.version"), text(profile, "provenance.options"),
         text(profile, "provenance.compiler"), text(profile, "provenance.date"));
  if (note != NULL) printf("  %s\n", note);
}

static int show(const char *name, struct error *error)
{
  struct profile profile;
  if (open_profile(name, &profile, error) != 0) return -1;
  print_origin(&profile);
  printf("\n  %-28s %13s  %s\n", "operation", "cycles", "ms modelled, nominal (low-high)");
  for (size_t i = 0; i < OPERATIONS; i++)
    print_row(&profile, operations[i].name, operation_cycles(&profile, &operations[i]));
  for (size_t i = 0; i < CHAINS; i++)
    print_row(&profile, chains[i].name, handshake_cycles(&profile, &chains[i]));
  const struct timing_profile *t = &profile.timing;
  if (t->rom_bytes > 0)
    printf("\n  ROM %u bytes; RAM %u static, at most %u heap and %u stack\n", t->rom_bytes,
           t->ram_static_bytes, t->heap_peak_bytes, t->stack_peak_bytes);
  print_validation(&profile);
  close_profile(&profile);
  return 0;
}

/* --- compare ---------------------------------------------------------------------------------- */
static json_t *side(const struct profile *profile, double cycles)
{
  if (isnan(cycles)) return json_null();
  const struct timing_band us = timing_band(&profile->timing, cycles);
  return json_pack("{s:f, s:f, s:f, s:f}", "cycles", cycles, "modelled_ms", us.nominal / 1e3,
                   "modelled_ms_low", us.low / 1e3, "modelled_ms_high", us.high / 1e3);
}

static void compare_row(const struct profile pair[2], const char *name, const double cycles[2],
                        json_t *rows)
{
  char one[64], other[64], ratio[32] = "-";
  const double quotient = timing_us(&pair[1].timing, cycles[1]) /
                          timing_us(&pair[0].timing, cycles[0]); /* of times: clocks may differ */
  if (isfinite(quotient)) snprintf(ratio, sizeof ratio, "%.3f", quotient);
  printf("%-28s %12.0f %12.0f  %-26s %-26s %6s\n", name, cycles[0], cycles[1],
         band(&pair[0], cycles[0], one), band(&pair[1], cycles[1], other), ratio);
  json_array_append_new(rows,
                        json_pack("{s:s, s:o, s:o, s:o}", "operation", name, "a",
                                  side(&pair[0], cycles[0]), "b", side(&pair[1], cycles[1]),
                                  "ratio", isfinite(quotient) ? json_real(quotient) : json_null()));
}

static json_t *compare_rows(const struct profile pair[2])
{
  json_t *rows = json_array();
  printf("A: %s\nB: %s\n\n%-28s %12s %12s  %-26s %-26s %6s\n", pair[0].timing.name,
         pair[1].timing.name, "", "A, cycles", "B, cycles", "A, ms modelled", "B, ms modelled",
         "B/A");
  for (size_t i = 0; i < OPERATIONS; i++) {
    const double cycles[2] = {operation_cycles(&pair[0], &operations[i]),
                              operation_cycles(&pair[1], &operations[i])};
    compare_row(pair, operations[i].name, cycles, rows);
  }
  for (size_t i = 0; i < CHAINS; i++) {
    const double cycles[2] = {handshake_cycles(&pair[0], &chains[i]),
                              handshake_cycles(&pair[1], &chains[i])};
    compare_row(pair, chains[i].name, cycles, rows);
  }
  printf("\nTimes are modelled: nominal (low-high).\n");
  return rows;
}

static int compare(char **name, const char *path, struct error *error)
{
  struct profile pair[2] = {{.file = NULL}, {.file = NULL}};
  int result = open_profile(name[0], &pair[0], error);
  if (result == 0) result = open_profile(name[1], &pair[1], error);
  if (result == 0) {
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:o}", "schema", "fleetsim-timing-comparison/1", "a",
                  pair[0].timing.name, "b", pair[1].timing.name, "rows", compare_rows(pair));
    if (path != NULL && json_dump_file(out, path, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) != 0)
      result = error_set(error, EXIT_CODE_SETUP, "cannot write %s: does its folder exist?", path);
    json_decref(out);
  }
  close_profile(&pair[0]);
  close_profile(&pair[1]);
  return result;
}

/* --- Making them ------------------------------------------------------------------------------ */

/* The program beside ours, where the build puts it. */
static int beside(char out[FILES_PATH_MAX], char self[FILES_PATH_MAX], struct error *error)
{
  const ssize_t size = readlink("/proc/self/exe", self, FILES_PATH_MAX - 1);
  if (size <= 0) return error_set(error, EXIT_CODE_INTERNAL, "cannot tell where this program lies");
  self[size] = '\0';
  const char *set = getenv("FLEETSIM_M4");
  const int folder = (int) (strrchr(self, '/') - self);
  const int n = set != NULL ? snprintf(out, FILES_PATH_MAX, "%s", set)
                            : snprintf(out, FILES_PATH_MAX, "%.*s/fleetsim-m4", folder, self);
  if (n > 0 && n < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path of fleetsim-m4 is too long");
}

static int run_script(char **command, struct error *error)
{
  int status = 0;
  fflush(stdout);
  sigset_t signals;
  const pid_t parent = getpid();
  child_block_signals(&signals);
  const pid_t child = fork();
  if (child == 0) {
    child_bind(parent);
    execv(command[0], command);
    _exit(127);
  }
  pthread_sigmask(SIG_SETMASK, &signals, NULL);
  if (child < 0 || waitpid(child, &status, 0) != child)
    return error_set(error, EXIT_CODE_SETUP, "cannot start %s", command[0]);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CODE_INTERRUPTED;
  if (code == 127)
    return error_set(error, EXIT_CODE_SETUP, "cannot start %s: are the sources there?", command[0]);
  return error_set(error, (enum exit_code) code, "no profile was made, see above");
}

/* Fresh profiles into `folder`. */
static int make(const struct arguments *a, const char *folder, struct error *error)
{
  char self[FILES_PATH_MAX], emulator[FILES_PATH_MAX];
  char *command[8 + 2 * (SOURCES_MAX + 1) + PROFILES_MAX];
  if (beside(emulator, self, error) != 0) return -1;
  size_t n = 0;
  static const char script[] = FLEETSIM_M4_FOLDER "/calibrate.sh";
  const char *const fixed[] = {script, "--fleetsim", self, "--emulator", emulator, "--out", folder};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) command[n++] = (char *) fixed[i];
  /* those named come before the one we were built with */
  for (size_t i = 0; i <= a->source_count; i++) {
    command[n++] = "--mbedtls";
    command[n++] = (char *) (i < a->source_count ? a->source[i] : FLEETSIM_M4_MBEDTLS);
  }
  for (size_t i = 0; i < a->name_count; i++) command[n++] = a->name[i];
  command[n] = NULL;
  return run_script(command, error);
}

/* --- --check ---------------------------------------------------------------------------------- */
static bool drifted(const char *name, double before, double now, double tolerance)
{
  const double change = now / before - 1;
  const bool bad = !(fabs(change) <= tolerance);
  printf("  %-28s %13.0f %13.0f %+8.2f %%%s\n", name, before, now, change * 100,
         bad ? "  DRIFT" : "");
  return bad;
}

static int check_rows(const struct profile *before, const struct profile *now)
{
  int bad = 0;
  printf("%s\n  %-28s %13s %13s %10s\n", now->timing.name, "cycles of", "checked in", "fresh",
         "change");
  for (size_t i = 0; i < OPERATIONS; i++)
    bad += drifted(operations[i].name, operation_cycles(before, &operations[i]),
                   operation_cycles(now, &operations[i]),
                   i == CERTIFICATE_PARSE ? PARSE_DRIFT : DRIFT_MAX);
  for (size_t i = 0; i < CHAINS; i++)
    bad += drifted(chains[i].name, handshake_cycles(before, &chains[i]),
                   handshake_cycles(now, &chains[i]), DRIFT_MAX);
  return bad;
}

/* How many operations of the profile in `folder` are not what is checked in; -1 with a sentence. */
static int check_one(const char *folder, const char *file, struct error *error)
{
  char path[FILES_PATH_MAX], name[TIMING_NAME_MAX];
  struct profile before = {.file = NULL}, now = {.file = NULL};
  snprintf(name, sizeof name, "%.*s", (int) (strlen(file) - strlen(".json")), file);
  int result = files_join(path, folder, file, error);
  if (result == 0) result = open_profile(path, &now, error);
  if (result == 0) result = open_profile(name, &before, error);
  if (result == 0) result = check_rows(&before, &now);
  close_profile(&before);
  close_profile(&now);
  return result;
}

static int is_json(const struct dirent *entry)
{
  const size_t size = strlen(entry->d_name);
  return size > 5 && strcmp(entry->d_name + size - 5, ".json") == 0;
}

/* Checks and removes each profile in `folder`. */
static int check_all(const char *folder, struct error *error)
{
  struct dirent **entry;
  char path[FILES_PATH_MAX];
  int bad = 0;
  const int count = scandir(folder, &entry, is_json, alphasort);
  if (count < 0) return error_set(error, EXIT_CODE_SETUP, "cannot read %s", folder);
  for (int i = 0; i < count; i++) {
    const int more = bad < 0 ? 0 : check_one(folder, entry[i]->d_name, error);
    bad = more < 0 ? -1 : bad + more;
    if (files_join(path, folder, entry[i]->d_name, NULL) == 0) unlink(path);
    free(entry[i]);
  }
  free((void *) entry);
  if (bad <= 0) return bad;
  return error_set(error, EXIT_CODE_FAIL,
                   "%d of the figures drifted by more than %.0f %%: find out why, or run 'fleetsim "
                   "calibrate' and commit",
                   bad, DRIFT_MAX * 100);
}

static int check(const struct arguments *a, struct error *error)
{
  const char *temporary = getenv("TMPDIR");
  char folder[FILES_PATH_MAX];
  struct timing_profile known;
  for (size_t i = 0; i < a->name_count; i++)
    if (timing_load(a->name[i], &known, error) != 0) return -1;
  snprintf(folder, sizeof folder, "%s/fleetsim-calibrate-XXXXXX",
           temporary != NULL ? temporary : "/tmp");
  if (mkdtemp(folder) == NULL)
    return error_set(error, EXIT_CODE_SETUP, "cannot make a folder in %s",
                     temporary != NULL ? temporary : "/tmp");
  int result = make(a, folder, error);
  if (result == 0) result = check_all(folder, error);
  if (rmdir(folder) != 0)
    fprintf(stderr, "fleetsim calibrate: what was made is left in %s\n", folder);
  return result;
}

static int regenerate(const struct arguments *a, struct error *error)
{
  const char *set = getenv("FLEETSIM_TIMING_PROFILES");
  return make(a, set != NULL ? set : FLEETSIM_M4_FOLDER "/profiles", error);
}

/* --- Command line ----------------------------------------------------------------------------- */
static int read_arguments(int argc, char **argv, struct arguments *a, struct error *error)
{
  static const struct option options[] = {{"check", no_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"mbedtls", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    if (option == 'c')
      a->check = true;
    else if (option == 'h')
      a->help = true;
    else if (option == 'j')
      a->json = optarg;
    else if (option == 'm' && a->source_count < SOURCES_MAX)
      a->source[a->source_count++] = optarg;
    else if (option == 'm')
      return error_set(error, EXIT_CODE_USAGE, "at most %d --mbedtls at a time", SOURCES_MAX);
    else
      return verb_bad_option(option, argv, options, error);
  }
  a->name = argv + optind;
  a->name_count = (size_t) (argc - optind);
  if (a->name_count <= PROFILES_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "at most %d profiles at a time", PROFILES_MAX);
}

static int expect_names(const struct arguments *a, size_t count, const char *say,
                        struct error *error)
{
  if (a->name_count == count + 1 && !a->check && a->source_count == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "say 'fleetsim calibrate %s'", say);
}

static int dispatch(const struct arguments *a, struct error *error)
{
  const char *word = a->name_count > 0 ? a->name[0] : "";
  if (strcmp(word, "compare") == 0)
    return expect_names(a, 2, "compare A B [--json FILE]", error) != 0
               ? -1
               : compare(a->name + 1, a->json, error);
  if (a->json != NULL) return error_set(error, EXIT_CODE_USAGE, "--json goes with 'compare'");
  if (strcmp(word, "list") == 0) return expect_names(a, 0, "list", error) != 0 ? -1 : list(error);
  if (strcmp(word, "show") == 0)
    return expect_names(a, 1, "show PROFILE", error) != 0 ? -1 : show(a->name[1], error);
  return a->check ? check(a, error) : regenerate(a, error);
}

int verb_calibrate(int argc, char **argv)
{
  struct arguments a = {.check = false};
  struct error error = {.code = EXIT_CODE_INTERNAL};
  int result = read_arguments(argc, argv, &a, &error);
  if (result == 0 && a.help) {
    fputs(usage, stdout);
    return EXIT_CODE_PASS;
  }
  if (result == 0) result = dispatch(&a, &error);
  if (result == 0) return EXIT_CODE_PASS;
  fflush(stdout); /* the sentence belongs below the table */
  fprintf(stderr, "fleetsim calibrate: %s\n", error.text);
  return (int) error.code;
}
