/* fleetsim run: one scenario, from its file to its verdict. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mask.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "run/run.h"

#define OVERRIDES_MAX 64
#define TARGETS_MAX   16
#define OUT_MAX       1000u /* runs that begin in one second */

struct command_line {
  const char *file;
  struct scenario_override overrides[OVERRIDES_MAX];
  size_t override_count;
  const char *targets[TARGETS_MAX];
  const char *broker; /* URL of --broker */
  char broker_block[300];
  struct stage_options options;
};

static void print_help(FILE *out)
{
  fputs(
      "usage: fleetsim run SCENARIO.yaml [options]\n\n"
      "  --devices N         size of the fleet, instead of fleet.devices\n"
      "  --seed N            who is in which wave, jitter and arrivals\n"
      "  --out DIR           folder for results (default out/NAME-TIMESTAMP)\n"
      "  --overwrite         let go of an earlier run's results in that folder\n"
      "  --set PATH=VALUE    any value of the scenario, e.g. --set "
      "phases[0].do[0].connect.rate=50/s\n"
      "  --fleet DIR         keys and certificates made or imported with 'fleetsim pki'\n"
      "  --broker URL        mqtts://HOST:PORT of a staging broker, instead of a local mosquitto\n"
      "  --allow-target HOST permit that host beyond loopback; the scenario's targets: must name "
      "it too\n"
      "  --yes               go on at every prompt: without asking\n"
      "  --quiet             results only: no progress, no summary\n\n"
      "example: fleetsim run scenarios/root-ca-rotation.yaml --devices 200 --seed 7 --out "
      "out/try\n",
      out);
}

static int usage(const char *sentence, const char *detail)
{
  char shown[300];
  fprintf(stderr, "fleetsim run: %s%s; 'fleetsim run --help' shows how\n", sentence,
          mask_url(detail, shown, sizeof shown));
  return EXIT_CODE_USAGE;
}

static int add_override(struct command_line *line, const char *path, const char *value)
{
  if (line->override_count == OVERRIDES_MAX) return usage("too many --set options", "");
  line->overrides[line->override_count++] =
      (struct scenario_override){.path = path, .value = value};
  return 0;
}

static int add_set(struct command_line *line, char *argument)
{
  char *equals = strchr(argument, '=');
  if (equals == NULL) return usage("--set wants PATH=VALUE, not ", argument);
  *equals = '\0';
  return add_override(line, argument, equals + 1);
}

static int add_target(struct command_line *line, const char *host)
{
  if (line->options.allowed_count == TARGETS_MAX)
    return usage("too many --allow-target options", "");
  line->targets[line->options.allowed_count++] = host;
  return 0;
}

static int parse_option(struct command_line *line, int option, char *argument)
{
  switch (option) {
  case 'd': return add_override(line, "fleet.devices", argument);
  case 'e': return add_override(line, "seed", argument);
  case 'o': line->options.out = argument; return 0;
  case 's': return add_set(line, argument);
  case 'f': line->options.fleet = argument; return 0;
  case 'b': line->broker = argument; return 0;
  case 't': return add_target(line, argument);
  case 'y': line->options.yes = true; return 0;
  case 'w': line->options.overwrite = true; return 0;
  case 'q': line->options.quiet = true; return 0;
  default: return -1; /* no other is named below */
  }
}

static int parse(struct command_line *line, int argc, char **argv)
{
  static const struct option options[] = {
      {"devices", required_argument, NULL, 'd'},
      {"seed", required_argument, NULL, 'e'},
      {"out", required_argument, NULL, 'o'},
      {"set", required_argument, NULL, 's'},
      {"fleet", required_argument, NULL, 'f'},
      {"broker", required_argument, NULL, 'b'},
      {"allow-target", required_argument, NULL, 't'},
      {"yes", no_argument, NULL, 'y'},
      {"overwrite", no_argument, NULL, 'w'},
      {"quiet", no_argument, NULL, 'q'},
      {NULL, 0, NULL, 0},
  };
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    struct error error;
    if (option == ':' || option == '?') {
      verb_bad_option(option, argv, options, &error);
      fprintf(stderr, "fleetsim run: %s\n", error.text);
      return EXIT_CODE_USAGE;
    }
    int code = parse_option(line, option, optarg);
    if (code != 0) return code;
  }
  if (optind != argc - 1) return usage("name one scenario file", "");
  line->file = argv[optind];
  return 0;
}

/* --broker: another URL for a file that is about a remote broker (its hooks stay), a whole new
   block otherwise. */
static int load(struct command_line *line, struct scenario **scenario, struct error *error)
{
  if (scenario_load(line->file, line->overrides, line->override_count, scenario, error) != 0)
    return -1;
  if (line->broker == NULL) return 0;
  bool remote = (*scenario)->remote;
  scenario_free(*scenario);
  snprintf(line->broker_block, sizeof line->broker_block, remote ? "%s" : "{url: \"%s\"}",
           line->broker);
  if (line->override_count == OVERRIDES_MAX)
    return error_set(error, EXIT_CODE_USAGE, "too many --set options");
  line->overrides[line->override_count++] = (struct scenario_override){
      .path = remote ? "broker.url" : "broker", .value = line->broker_block};
  return scenario_load(line->file, line->overrides, line->override_count, scenario, error);
}

/* Makes out/NAME-TIMESTAMP, with the scenario's name in letters that every file system takes; with
 * a number more where another run has begun in the same second. */
static int make_default_out(const struct scenario *scenario, char out[FILES_PATH_MAX],
                            struct error *error)
{
  char name[64], stamp[32];
  size_t n = 0;
  for (const char *c = scenario->name; *c != '\0' && n < sizeof name - 1; c++) {
    bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
    if (plain || (n > 0 && name[n - 1] != '-')) name[n++] = plain ? *c : '-';
  }
  name[n] = '\0';
  time_t now = time(NULL);
  struct tm utc;
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
  if (files_make_folder("out", 0755, error) != 0) return -1;
  for (unsigned nth = 1;; nth++) {
    int used = snprintf(out, FILES_PATH_MAX, "out/%s-%s", name, stamp);
    if (nth > 1) snprintf(out + used, FILES_PATH_MAX - (size_t) used, "-%u", nth);
    if (mkdir(out, 0755) == 0) return 0;
    if (errno != EEXIST || nth == OUT_MAX)
      return error_set(error, EXIT_CODE_SETUP,
                       "cannot make the folder %s: %s; choose another one with --out", out,
                       strerror(errno));
  }
}

int verb_run(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    print_help(stdout);
    return EXIT_CODE_PASS;
  }
  struct command_line line = {.options = {.version = FLEETSIM_VERSION}};
  line.options.allowed_targets = line.targets;
  int code = parse(&line, argc, argv);
  if (code != 0) return code;

  struct scenario *scenario;
  struct error error = {.code = EXIT_CODE_PASS};
  char out[FILES_PATH_MAX];
  if (load(&line, &scenario, &error) != 0) {
    fprintf(stderr, "%s\n", error.text);
    return error.code;
  }
  scenario_warn_unjudged(scenario);
  bool ours = line.options.out == NULL, written = false;
  if (ours && make_default_out(scenario, out, &error) != 0)
    code = (int) error.code;
  else {
    if (ours) line.options.out = out;
    code = (int) run_scenario(scenario, &line.options, &written, &error);
    if (ours && !written) (void) rmdir(out);
  }
  if (code != EXIT_CODE_PASS && code != EXIT_CODE_FAIL && error.text[0] != '\0')
    fprintf(stderr, "fleetsim: %s\n", error.text);
  if (!line.options.quiet && written) fprintf(stderr, "results: %s\n", line.options.out);
  scenario_free(scenario);
  return code;
}
