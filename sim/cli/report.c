/* fleetsim report: the summary of a run that has ended, from its results.json, and that run's exit
 * code; and its page, also of one that did not end. Of two runs, or two sets of them, what moved (report/compare.h). What is no
 * folder of results ends with a sentence and code 2. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"

#include "cli/summary_file.h"
#include "cli/verbs.h"
#include "report/compare.h"
#include "report/results.h"

struct report_line {
  bool html, json, anyway;
  const char *summary;
  double threshold;
  enum compare_alarm alarm;
};

static const struct report_line defaults = {.threshold = 0.1};

/* "10%" or "10" */
static int take_threshold(const struct args_option *option, char *value, void *to,
                          struct error *error)
{
  char *end;
  double percent = strtod(value, &end);
  if (end != value && (*end == '\0' || strcmp(end, "%") == 0) && percent >= 0.1 &&
      percent <= 1000) {
    *(double *) to = percent / 100;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "'%s' is no --%s: give a percentage from 0.1%% to 1000%%", value, option->name);
}

static const char *const alarms[] = {"worse", "moved", "unclear"}; /* of enum compare_alarm */

static void say_alarms(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t w = 0; w < sizeof alarms / sizeof *alarms; w++) say(ctx, alarms[w]);
}

static int take_alarm(const struct args_option *option, char *value, void *to, struct error *error)
{
  for (size_t w = 0; w < sizeof alarms / sizeof *alarms; w++) {
    if (strcmp(value, alarms[w]) != 0) continue;
    *(enum compare_alarm *) to = (enum compare_alarm) w;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE, "'%s' is no --%s: give worse, moved or unclear", value,
                   option->name);
}

#define TO(field) .offset = offsetof(struct report_line, field)
static const struct args_option options[] = {
    {"html", NULL, "write DIR/report.html anew, too", args_flag, TO(html)},
    {"summary-markdown", "FILE", "write the same there too, in Markdown as pages of CI show it",
     summary_file_take, TO(summary)},
    {"threshold", "PERCENT", "of two: less than that is the same (default 10%)", take_threshold,
     TO(threshold)},
    {"fail-on", "WORD",
     "of two: exit with 1 where something is worse (default), moved: or better,\n"
     "unclear: or too few runs can tell",
     take_alarm, TO(alarm), .words = say_alarms},
    {"anyway", NULL, "of two: also of another scenario, fleet or machine; what differs is told",
     args_flag, TO(anyway)},
    {"json", NULL, "of two, for programs: one object, schema fleetsim-comparison/1", args_flag,
     TO(json)},
    {0},
};
#undef TO

static int compare(const struct args *args, const struct report_line *line, struct error *error)
{
  const struct compare_options asked = {.a = args->operand[0],
                                        .b = args->operand[1],
                                        .threshold = line->threshold,
                                        .alarm = line->alarm,
                                        .anyway = line->anyway,
                                        .json = line->json,
                                        .summary = line->summary};
  if (line->html)
    return error_set(error, EXIT_CODE_USAGE,
                     "--html is of one run: name one folder, or leave the option out");
  return compare_folders(&asked, stdout, terminal_paints(STDOUT_FILENO), error);
}

/* So that whoever finds the folder sees how far it came. What stands in the way is told, and is not why there
 * is no verdict. */
static void show_how_far(const char *folder)
{
  struct error error;
  int written = results_page_so_far(folder, &error);
  fflush(stdout);
  if (written > 0)
    fprintf(stderr, "fleetsim report: %s/report.html shows how far it came\n", folder);
  if (written < 0) fprintf(stderr, "fleetsim report: no page of how far it came: %s\n", error.text);
}

static int reprint(const struct args *args, const struct report_line *line, struct error *error)
{
  if (line->json || line->anyway)
    return error_set(error, EXIT_CODE_USAGE,
                     "--json and --anyway are of two runs: name both folders; one run has its "
                     "results.json for programs");
  int code = results_reprint(args->operand[0], stdout, terminal_paints(STDOUT_FILENO), error);
  if (code < 0) error->code = EXIT_CODE_USAGE;
  if (code < 0) show_how_far(args->operand[0]);
  struct error summary; /* of a run without a verdict it says what `error` does */
  if (line->summary != NULL && results_markdown(args->operand[0], line->summary, &summary) != 0 &&
      code >= 0) {
    *error = summary;
    return -1;
  }
  if (code >= 0 && line->html && results_page_again(args->operand[0], error) != 0) return -1;
  return code;
}

static int report(const struct args *args, struct error *error)
{
  const struct report_line *line = args->given;
  return args->operand_count == 2 ? compare(args, line, error) : reprint(args, line, error);
}

const struct args_verb cli_report = {
    .name = "report",
    .line = "print the summary of an earlier run again, or what moved between two",
    .usage =
        "usage: fleetsim report DIR [options]\n"
        "       fleetsim report A B [options]\n\n"
        "Prints the summary of the run whose results are in DIR, and exits with that run's "
        "code. Of a run that did not end, as it was killed, it prints how far that came, writes\n"
        "DIR/report.html of that, and exits with 2.\n\n"
        "With A and B, each the folder of a run or one that holds several of these folders, prints "
        "what moved from A to B, by how much, and whether that is more than noise.\n"
        "Exits with 1 where something is worse, and with 2 where a run has no verdict or they are "
        "not alike.\n\n",
    .options = options,
    .example = "fleetsim report out/root-CA-rotation-20270314T091500Z\n"
               "fleetsim report last-week out/root-CA-rotation-20270314T091500Z",
    .operand = "DIR",
    .operands_least = 1,
    .operands_most = 2,
    .operands = "name the folder of one run's results, or two to compare; 'fleetsim report --help' "
                "shows how",
    .size = sizeof(struct report_line),
    .defaults = &defaults,
    .run = report,
};
