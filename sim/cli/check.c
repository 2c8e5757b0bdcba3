/* fleetsim check: is this a scenario, and what would it do when? */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "scenario/scenario.h"

int verb_check(int argc, char **argv)
{
  const char *stray = verb_stray_option(argc, argv);
  if (stray != NULL && strcmp(stray, "--help") != 0) {
    fprintf(stderr, "fleetsim check: there is no option '%.*s'; --help shows how\n",
            (int) strcspn(stray, "="), stray);
    return EXIT_CODE_USAGE;
  }
  if (argc != 2 || strcmp(argv[1], "--help") == 0) {
    FILE *out = argc == 2 ? stdout : stderr;
    fputs("usage: fleetsim check SCENARIO.yaml\n\n"
          "Validates the file and prints its timetable: phases, steps, gates, and the longest time "
          "each may take.\n"
          "Errors are FILE:LINE:COLUMN: SENTENCE, and the exit code is 2.\n\n"
          "example: fleetsim check scenarios/root-ca-rotation.yaml\n",
          out);
    return argc == 2 ? EXIT_CODE_PASS : EXIT_CODE_USAGE;
  }
  struct scenario *scenario;
  struct error error;
  if (scenario_load(argv[1], NULL, 0, &scenario, &error) != 0) {
    fprintf(stderr, "%s\n", error.text);
    return error.code;
  }
  scenario_print(scenario, stdout);
  scenario_warn_unjudged(scenario);
  scenario_free(scenario);
  return EXIT_CODE_PASS;
}
