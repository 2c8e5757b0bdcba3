/* fleetsim check: is this a scenario, and what would it do when? Whatever is wrong with the file is
 * the reader's sentence with its line and column, and exit code 2. */
#define _POSIX_C_SOURCE 200809L
#include "cli/overrides.h"
#include "cli/verbs.h"
#include "run/run.h"
#include "scenario/settings.h"
#include "steps/steps.h"

struct check_line {
  struct overrides overrides;
  const char *fleet;
};

static const struct args_option options[] = {
    {.name = "set",
     .value = "PATH=VALUE",
     .help = "any value of the scenario, as 'fleetsim run' takes it",
     .take = overrides_take_set,
     .offset = offsetof(struct check_line, overrides),
     .words = scenario_settings},
    {.name = "fleet",
     .value = "DIR",
     .help = "the fleet folder that a run will have, as 'fleetsim run' takes it",
     .take = args_text,
     .offset = offsetof(struct check_line, fleet)},
    {0},
};

/* The sentence begins with the file's name. */
static int refuse(const struct error *error)
{
  fprintf(stderr, "%s\n", error->text);
  return (int) error->code;
}

static int check_scenario(const struct args *args, struct error *error)
{
  const struct check_line *line = args->given;
  struct scenario *scenario;
  if (scenario_load(args->operand[0], line->overrides.at, line->overrides.count, steps_kinds,
                    &scenario, error) != 0)
    return refuse(error);
  if (run_check(scenario, line->fleet, error) != 0) {
    scenario_free(scenario);
    return refuse(error);
  }
  scenario_print(scenario, stdout);
  scenario_warn_unjudged(scenario);
  scenario_warn_product(scenario);
  scenario_free(scenario);
  return EXIT_CODE_PASS;
}

const struct args_verb cli_check = {
    .name = "check",
    .line = "validate a scenario and print its timetable, without running it",
    .usage = "usage: fleetsim check SCENARIO.yaml [options]\n\n"
             "Validates the file and prints its timetable: phases, steps, gates, and the longest "
             "time each may take.\n"
             "Devices that it names and files that it reads must be there, as a run wants them at "
             "its start.\n"
             "Errors are FILE:LINE:COLUMN: SENTENCE, and the exit code is 2.\n\n",
    .options = options,
    .example = "fleetsim check scenarios/root-ca-rotation.yaml --set fleet.devices=50",
    .operand = "FILE",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name one scenario file; 'fleetsim check --help' shows how",
    .size = sizeof(struct check_line),
    .run = check_scenario,
};
