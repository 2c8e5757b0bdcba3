/* fleetsim calibrate: timing profiles are made again, by a script that compiles the client for a
 * Cortex-M4 and counts its cycles in an emulator; --check compares fresh ones with those checked in
 * and ends with 1 if one has drifted. What only looks at profiles is a verb of its own. */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/data.h"
#include "base/files.h"
#include "base/process.h"
#include "child/child.h"
#include "cli/profile.h"
#include "cli/verbs.h"

#define PROFILES_MAX 32
#define SOURCES_MAX  8
/* keys and signatures are drawn anew each time: that alone moves an operation by 0.2 % */
#define DRIFT_MAX 0.01
/* a certificate's numbers and their lengths: 0.3 ms that make up 0.1 % of a handshake */
#define PARSE_DRIFT 0.15

struct calibrate_line {
  bool check;
  struct args_texts sources;
};

static const struct args_option options[] = {
    {"check", NULL,
     "write nothing: compare fresh ones with those checked in, and end with 1 if an operation\n"
     "has drifted by more than 1 % (the parsing of certificates, whose numbers vary: 15 %)",
     args_flag, .offset = offsetof(struct calibrate_line, check)},
    {"mbedtls", "DIR", "a source tree of Mbed TLS to take a version from (can be given again)",
     args_texts, .offset = offsetof(struct calibrate_line, sources), .most = SOURCES_MAX},
    {0},
};

/* The program beside ours, where the build puts it. */
static int beside(char out[FILES_PATH_MAX], char self[FILES_PATH_MAX], struct error *error)
{
  if (process_path(self) != 0)
    return error_set(error, EXIT_CODE_INTERNAL, "cannot tell where this program lies");
  const char *set = getenv("FLEETSIM_M4");
  const int folder = (int) (strrchr(self, '/') - self);
  const int n = set != NULL ? snprintf(out, FILES_PATH_MAX, "%s", set)
                            : snprintf(out, FILES_PATH_MAX, "%.*s/fleetsim-m4", folder, self);
  if (n > 0 && n < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path of fleetsim-m4 is too long");
}

/* A build has links to the sources that a profile is made from; an installed program has none. */
static int find_sources(char script[FILES_PATH_MAX], char mbedtls[FILES_PATH_MAX],
                        struct error *error)
{
  if (data_path("m4/calibrate.sh", script, error) != 0 || data_path("mbedtls", mbedtls, error) != 0)
    return -1;
  if (access(script, X_OK) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "a profile is made from the sources of fleetsim, which are not installed: there "
                   "is no %s; get them, and say './fleetsim calibrate' there",
                   script);
}

static int run_script(char **command, struct error *error)
{
  const struct child_options script = {
      .file = command[0], .arguments = command, .output = -1, .keeps_umask = true};
  fflush(stdout);
  const pid_t child = child_start(&script);
  if (child < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot start %s: are the sources there?", command[0]);
  const int status = child_wait(child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CODE_INTERRUPTED;
  if (code == 127)
    return error_set(error, EXIT_CODE_SETUP, "cannot start %s: are the sources there?", command[0]);
  return error_set(error, (enum exit_code) code, "no profile was made, see above");
}

/* Fresh profiles into `folder`. */
static int make_profiles(const struct args *args, const char *folder, struct error *error)
{
  const struct args_texts *sources = &((const struct calibrate_line *) args->given)->sources;
  char self[FILES_PATH_MAX], emulator[FILES_PATH_MAX];
  char script[FILES_PATH_MAX], built_with[FILES_PATH_MAX];
  char *command[8 + 2 * (SOURCES_MAX + 1) + PROFILES_MAX];
  if (beside(emulator, self, error) != 0 || find_sources(script, built_with, error) != 0) return -1;
  size_t n = 0;
  const char *const fixed[] = {script, "--fleetsim", self, "--emulator", emulator, "--out", folder};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) command[n++] = (char *) fixed[i];
  /* those named come before the one we were built with */
  for (size_t i = 0; i <= sources->count; i++) {
    command[n++] = "--mbedtls";
    command[n++] = (char *) (i < sources->count ? sources->at[i] : built_with);
  }
  for (size_t i = 0; i < args->operand_count; i++) command[n++] = args->operand[i];
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
  for (size_t i = 0; i < PROFILE_OPERATIONS; i++)
    bad += drifted(profile_operations[i].name,
                   profile_operation_cycles(before, &profile_operations[i]),
                   profile_operation_cycles(now, &profile_operations[i]),
                   i == PROFILE_CERTIFICATE_PARSE ? PARSE_DRIFT : DRIFT_MAX);
  for (size_t i = 0; i < PROFILE_CHAINS; i++)
    bad += drifted(profile_chains[i].name, profile_handshake_cycles(before, &profile_chains[i]),
                   profile_handshake_cycles(now, &profile_chains[i]), DRIFT_MAX);
  return bad;
}

/* How many operations of the profile in `folder` are not what is checked in; -1 with a sentence. */
static int check_one(const char *folder, const char *file, struct error *error)
{
  char path[FILES_PATH_MAX], name[TIMING_NAME_MAX];
  struct profile before = {.file = NULL}, now = {.file = NULL};
  snprintf(name, sizeof name, "%.*s", (int) (strlen(file) - strlen(".json")), file);
  int result = files_join(path, folder, file, error);
  if (result == 0) result = profile_open(path, &now, error);
  if (result == 0) result = profile_open(name, &before, error);
  if (result == 0) result = check_rows(&before, &now);
  profile_close(&before);
  profile_close(&now);
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

static int check_profiles(const struct args *args, struct error *error)
{
  const char *temporary = getenv("TMPDIR");
  char folder[FILES_PATH_MAX];
  struct timing_profile known;
  for (size_t i = 0; i < args->operand_count; i++)
    if (timing_load(args->operand[i], &known, error) != 0) return -1;
  snprintf(folder, sizeof folder, "%s/fleetsim-calibrate-XXXXXX",
           temporary != NULL ? temporary : "/tmp");
  if (mkdtemp(folder) == NULL)
    return error_set(error, EXIT_CODE_SETUP, "cannot make a folder in %s",
                     temporary != NULL ? temporary : "/tmp");
  int result = make_profiles(args, folder, error);
  if (result == 0) result = check_all(folder, error);
  if (rmdir(folder) != 0)
    fprintf(stderr, "fleetsim calibrate: what was made is left in %s\n", folder);
  return result;
}

static int regenerate(const struct args *args, struct error *error)
{
  char folder[FILES_PATH_MAX];
  return timing_folder(folder, error) != 0 ? -1 : make_profiles(args, folder, error);
}

static int calibrate(const struct args *args, struct error *error)
{
  const struct calibrate_line *line = args->given;
  return line->check ? check_profiles(args, error) : regenerate(args, error);
}

static const struct args_verb *const calibrate_verbs[] = {&cli_calibrate_list, &cli_calibrate_show,
                                                          &cli_calibrate_compare, NULL};

const struct args_verb cli_calibrate = {
    .name = "calibrate",
    .line = "list, show, compare, check and make timing profiles of a device's processor",
    .usage = "usage: fleetsim calibrate list\n"
             "       fleetsim calibrate show PROFILE\n"
             "       fleetsim calibrate compare A B [--json FILE]\n"
             "       fleetsim calibrate [--check] [PROFILE...]    makes them again: all, or those "
             "named\n\n",
    .options = options,
    .after =
        "\nPROFILE is a name or the path of a .json file. Making one takes arm-none-eabi-gcc and "
        "fleetsim-m4 (Unicorn);\n"
        "FLEETSIM_M4 names another fleetsim-m4, FLEETSIM_TIMING_PROFILES another folder of "
        "profiles.\n"
        "All times are modelled, none is measured: nominal, and in parentheses the band that "
        "memory may make of it.\n",
    .example = "fleetsim calibrate compare mbedtls-3.6.6-Os mbedtls-3.6.7-Os",
    .operand_words = profile_names,
    .operands_most = PROFILES_MAX,
    .operands = "at most 32 profiles at a time",
    .size = sizeof(struct calibrate_line),
    .run = calibrate,
    .verbs = calibrate_verbs,
};
