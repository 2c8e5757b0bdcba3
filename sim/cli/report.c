/* fleetsim report: the summary of a run that has ended, from its results.json, and that run's exit
 * code; and its page, also of one that did not end. Of two runs, or two sets of them, what moved
 * (report/compare.h). The same of a gauntlet, or of two (gauntlet/reports.h). What is no folder of
 * results ends with a sentence and code 2. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"

#include "cli/summary_file.h"
#include "cli/verbs.h"
#include "gauntlet/reports.h"
#include "report/compare.h"
#include "report/results.h"

struct report_line {
  bool html, json, anyway, verbose;
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
    {"anyway", NULL,
     "of two: also of another scenario, fleet or machine, or of gauntlets without a\n"
     "protocol or case in common; what differs is told",
     args_flag, TO(anyway)},
    {"json", NULL,
     "of two, for programs: one object, schema fleetsim-comparison/1, or of gauntlets\n"
     "fleetsim-gauntlet-comparison/1",
     args_flag, TO(json)},
    {"verbose", NULL, "of a gauntlet: every trial", args_flag, TO(verbose)},
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

/* --- Of a gauntlet ---------------------------------------------------------------------------- */

static int tell_gauntlet(const json_t *tree, const char *folder, const struct report_line *line,
                         struct error *error)
{
  if (line->json || line->anyway)
    return error_set(error, EXIT_CODE_USAGE,
                     "--json and --anyway are of two: name both folders; one gauntlet has its "
                     "results.json for programs");
  report_print(
      tree, stdout,
      &(struct report_extent){.colour = terminal_paints(STDOUT_FILENO), .verbose = line->verbose});
  if (line->summary != NULL && report_markdown_write(tree, line->summary, error) != 0) return -1;
  if (line->html && report_html_write(tree, folder, error) != 0) return -1;
  return (int) json_integer_value(json_object_get(tree, "exit_code"));
}

static int reprint_gauntlet(const char *folder, const struct report_line *line, struct error *error)
{
  json_t *tree = report_load(folder, error);
  int code = tree != NULL ? tell_gauntlet(tree, folder, line, error) : -1;
  json_decref(tree);
  return code;
}

static bool counts_any(const json_t *comparison, const char *state)
{
  return report_json_number(json_object_get(comparison, "counts"), state) > 0;
}

static int code_of_comparison(const json_t *comparison, enum compare_alarm alarm)
{
  bool alarmed = json_integer_value(json_object_get(comparison, "exit_code")) != EXIT_CODE_PASS ||
                 (alarm == COMPARE_ALARM_MOVED && counts_any(comparison, "better")) ||
                 (alarm == COMPARE_ALARM_UNCLEAR && counts_any(comparison, "unclear"));
  return alarmed ? EXIT_CODE_FAIL : EXIT_CODE_PASS;
}

static int tell_gauntlets(const json_t *comparison, const struct report_line *line,
                          struct error *error)
{
  if (line->json) {
    if (json_dumpf(comparison, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0)
      return error_set(error, EXIT_CODE_INTERNAL, "not enough memory for the comparison");
    fputc('\n', stdout);
  } else
    report_compare_print(comparison, stdout, terminal_paints(STDOUT_FILENO));
  if (line->summary != NULL && report_compare_markdown(comparison, line->summary, error) != 0)
    return -1;
  return code_of_comparison(comparison, line->alarm);
}

/* Where nothing was shown, nothing can have changed. */
static json_t *load_shown(const char *folder, struct error *error)
{
  json_t *tree = report_load(folder, error);
  if (tree == NULL || !json_is_false(json_object_get(tree, "proven"))) return tree;
  error_set(error, EXIT_CODE_USAGE, "%.200s cannot be compared: %.500s; run that gauntlet again",
            folder, report_json_text(tree, "message"));
  json_decref(tree);
  return NULL;
}

/* One of them alone, as its sentence says why. */
static int refuse_gauntlets(const json_t *unlike, const char *a, const char *b, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "%.200s (A) and %.200s (B) are not alike, so that what changed would say "
                   "nothing: %.200s; --anyway compares them all the same",
                   a, b, json_string_value(json_array_get(unlike, 0)));
}

static int compare_gauntlets(const char *a, const char *b, const struct report_line *line,
                             struct error *error)
{
  json_t *tree_a = load_shown(a, error), *tree_b = tree_a != NULL ? load_shown(b, error) : NULL;
  json_t *comparison = tree_b != NULL ? report_compare(tree_a, a, tree_b, b) : NULL;
  const json_t *unlike = json_object_get(comparison, "unlike");
  int code = -1;
  if (json_array_size(unlike) > 0 && !line->anyway)
    refuse_gauntlets(unlike, a, b, error);
  else if (comparison != NULL)
    code = tell_gauntlets(comparison, line, error);
  else if (tree_b != NULL)
    error_set(error, EXIT_CODE_INTERNAL, "not enough memory for the comparison");
  json_decref(comparison);
  json_decref(tree_a);
  json_decref(tree_b);
  return code;
}

static int refuse_mixed(const char *gauntlet, const char *other, struct error *error)
{
  if (access(other, F_OK) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "there is no folder %.200s: name two that have results of a gauntlet", other);
  return error_set(error, EXIT_CODE_USAGE,
                   "%.200s has results of a gauntlet and %.200s has none: a gauntlet is compared "
                   "with a gauntlet, and a run with a run",
                   gauntlet, other);
}

/* --- Which of them ---------------------------------------------------------------------------- */

static int report_two(const struct args *args, const struct report_line *line, struct error *error)
{
  const char *a = args->operand[0], *b = args->operand[1];
  bool of_gauntlet = report_is_in(a);
  if (of_gauntlet != report_is_in(b))
    return refuse_mixed(of_gauntlet ? a : b, of_gauntlet ? b : a, error);
  if (!of_gauntlet) return compare(args, line, error);
  if (line->html)
    return error_set(error, EXIT_CODE_USAGE,
                     "--html is of one gauntlet: name one folder, or leave the option out");
  return compare_gauntlets(a, b, line, error);
}

static int report(const struct args *args, struct error *error)
{
  const struct report_line *line = args->given;
  if (args->operand_count == 2) return report_two(args, line, error);
  if (report_is_in(args->operand[0])) return reprint_gauntlet(args->operand[0], line, error);
  if (line->verbose)
    return error_set(error, EXIT_CODE_USAGE, "--verbose is of a gauntlet: leave the option out");
  return reprint(args, line, error);
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
        "not alike.\n\n"
        "A folder of fleetsim gauntlet is read likewise: which lies its client believed, and of "
        "two, as of two builds of a firmware, which it believes newly or no more, and what its TLS "
        "does otherwise. What B alone has tried and failed, at high severity, ends with 1 too.\n\n",
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
