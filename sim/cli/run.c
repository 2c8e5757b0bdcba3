/* fleetsim run: one scenario, from its file to its verdict. The line becomes overrides of the file
 * and stage_options; results go to a folder that is made here unless --out names one. A folder that
 * nothing was written to is taken away again. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/live_option.h"
#include "cli/overrides.h"
#include "cli/summary_file.h"
#include "cli/told_line.h"
#include "cli/verbs.h"
#include "run/run.h"
#include "scenario/settings.h"
#include "steps/steps.h"
#include "world_uv/world_uv.h"

#define TARGETS_MAX 16
#define OUT_MAX     1000u /* runs that begin in one second */

struct run_line {
  struct overrides overrides;
  struct args_texts targets;
  const char *out, *keys, *fleet, *broker, *summary, *allow_live;
  struct live_option live;
  bool overwrite, compressed, yes, quiet;
};

#define TO(field) .offset = offsetof(struct run_line, field)
static const struct args_option line_options[] = {
    {"devices", "N", "size of the fleet, instead of fleet.devices", overrides_take_value,
     TO(overrides), .what = "fleet.devices"},
    {"seed", "N", "who is in which wave, jitter and arrivals", overrides_take_value, TO(overrides),
     .what = "seed"},
    {"out", "DIR", "folder for results (default out/NAME-TIMESTAMP)", args_text, TO(out)},
    {"keys", "DIR", "folder for this run's private keys and passwords (default: that DIR.keys)",
     args_text, TO(keys)},
    {"overwrite", NULL, "let go of an earlier run's results in that folder", args_flag,
     TO(overwrite)},
    {"compress-events", NULL,
     "write events.ndjson.zst, about a tenth as large; zstdcat and 'report' read it", args_flag,
     TO(compressed)},
    {"set", "PATH=VALUE", "any value of the scenario, e.g. --set phases[0].do[0].connect.rate=50/s",
     overrides_take_set, TO(overrides), .words = scenario_settings},
    {"fleet", "DIR", "keys and certificates made or imported with 'fleetsim pki'", args_text,
     TO(fleet)},
    {"broker", "URL", "mqtts://HOST:PORT of a staging broker, instead of a local mosquitto",
     args_text, TO(broker)},
    {"allow-target", "HOST",
     "permit that host beyond loopback; the scenario's targets: must name it too", args_texts,
     TO(targets), .most = TARGETS_MAX},
    {"live", "[ADDR:PORT]",
     "a page that shows the run while it goes on, and /metrics for Prometheus\n(default "
     "127.0.0.1 and a free port)",
     live_option_take, TO(live), .is_value = live_option_is_value},
    {"allow-live", "ADDR", "permit that address beyond loopback to --live", args_text,
     TO(allow_live)},
    {"yes", NULL, "go on at every prompt: without asking", args_flag, TO(yes)},
    {"quiet", NULL, "say the verdict and why, and no more: no progress, no figures", args_flag,
     TO(quiet)},
    {"summary-markdown", "FILE", "write the summary there too, in Markdown as pages of CI show it",
     summary_file_take, TO(summary)},
    {0},
};
#undef TO

/* All that the line changes of the file. */
struct changes {
  struct overrides overrides;
  char broker[300]; /* of --broker */
};

/* --broker: another URL for a file that is about a remote broker (its hooks stay), a whole new
   block otherwise. */
static int load(const struct run_line *line, const char *file, struct changes *changes,
                struct scenario **scenario, struct error *error)
{
  struct overrides *overrides = &changes->overrides;
  *overrides = line->overrides;
  if (scenario_load(file, overrides->at, overrides->count, steps_kinds, scenario, error) != 0)
    return -1;
  if (line->broker == NULL) return 0;
  bool remote = !scenario_broker_is(*scenario, BROKER_OWNED);
  scenario_free(*scenario);
  snprintf(changes->broker, sizeof changes->broker, remote ? "%s" : "{url: \"%s\"}", line->broker);
  if (overrides_add(overrides, remote ? "broker.url" : "broker", changes->broker, error) != 0)
    return -1;
  return scenario_load(file, overrides->at, overrides->count, steps_kinds, scenario, error);
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

static enum exit_code run_here(const struct scenario *scenario, const struct stage_options *options,
                               bool *written, struct error *error)
{
  struct world *world;
  if (world_uv_open(&world, error) != 0) return error->code;
  enum exit_code code = run_scenario(world, scenario, options, written, error);
  world_uv_close(world);
  return code;
}

static enum exit_code rehearse(const struct scenario *scenario, const struct stage_options *asked,
                               const char *summary, struct error *error)
{
  char out[FILES_PATH_MAX];
  struct stage_options options = *asked;
  enum exit_code code;
  bool ours = options.out == NULL, written = false;
  if (ours && make_default_out(scenario, out, error) != 0)
    code = error->code;
  else {
    if (ours) options.out = out;
    code = run_here(scenario, &options, &written, error);
    if (ours && !written) (void) rmdir(out);
  }
  if (code != EXIT_CODE_PASS && code != EXIT_CODE_FAIL && error->text[0] != '\0')
    fprintf(stderr, "fleetsim: %s\n", error->text);
  if (summary != NULL) summary_file_end(summary, scenario->name, options.out, written, error->text);
  if (!options.quiet && written) fprintf(stderr, "results: %s\n", options.out);
  return code;
}

/* Shown on the live page, where the line asks for one. */
static enum exit_code rehearse_live(const struct scenario *scenario, const struct run_line *line,
                                    struct stage_options *options, struct error *error)
{
  struct live *live;
  if (live_option_open(&line->live, line->allow_live, &live, error) != 0) {
    fprintf(stderr, "fleetsim: %s\n", error->text);
    return error->code;
  }
  if (live != NULL) options->onlooker = live_onlooker(live);
  enum exit_code code = rehearse(scenario, options, line->summary, error);
  live_close(live);
  return code;
}

/* What goes wrong is no fault of the command line: its sentence stands without the verb's name, or
 * after that of the scenario's file. */
static int run_file(const struct args *args, struct error *error)
{
  const struct run_line *line = args->given;
  struct stage_options options = {.version = FLEETSIM_VERSION,
                                  .out = line->out,
                                  .keys = line->keys,
                                  .fleet = line->fleet,
                                  .overwrite = line->overwrite,
                                  .compressed = line->compressed,
                                  .yes = line->yes,
                                  .quiet = line->quiet,
                                  .allowed_targets = line->targets.at,
                                  .allowed_count = line->targets.count};
  struct scenario *scenario;
  error->code = EXIT_CODE_PASS;
  error->text[0] = '\0';
  struct changes changes;
  struct told_line told;
  const char *file = args->operand[0];
  if (line->summary != NULL && summary_file_begin(line->summary, file, error) != 0) return -1;
  if (load(line, file, &changes, &scenario, error) != 0) {
    fprintf(stderr, "%s\n", error->text);
    if (line->summary != NULL) summary_file_end(line->summary, file, NULL, false, error->text);
    return (int) error->code;
  }
  if (told_line_make(args, &changes.overrides, &told, error) != 0) {
    scenario_free(scenario);
    return -1;
  }
  options.asked = &told.asked;
  scenario_warn_unjudged(scenario);
  scenario_warn_product(scenario);
  enum exit_code code = rehearse_live(scenario, line, &options, error);
  told_line_free(&told);
  scenario_free(scenario);
  return (int) code;
}

const struct args_verb cli_run = {
    .name = "run",
    .line = "rehearse a scenario: verdict, results.json, exit code",
    .usage = "usage: fleetsim run SCENARIO.yaml [options]\n\n",
    .options = line_options,
    .example = "fleetsim run scenarios/root-ca-rotation.yaml --devices 200 --seed 7 --out out/try\n"
               "fleetsim run scenarios/root-ca-rotation.yaml --live=127.0.0.1:8080",
    .operand = "FILE",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name one scenario file; 'fleetsim run --help' shows how",
    .size = sizeof(struct run_line),
    .run = run_file,
};
