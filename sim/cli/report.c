/* fleetsim report: the summary of a run that has ended, from its results.json, and that run's exit
 * code; and its page. What is no folder of results ends with a sentence and code 2. */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>

#include "cli/summary_file.h"
#include "cli/verbs.h"
#include "report/results.h"

struct report_line {
  bool html;
  const char *summary;
};

static const struct args_option options[] = {
    {.name = "html",
     .help = "write DIR/report.html anew, too",
     .take = args_flag,
     .offset = offsetof(struct report_line, html)},
    {.name = "summary-markdown",
     .value = "FILE",
     .help = "write the summary there too, in Markdown as pages of CI show it",
     .take = summary_file_take,
     .offset = offsetof(struct report_line, summary)},
    {0},
};

static int reprint(const struct args *args, struct error *error)
{
  const struct report_line *line = args->given;
  int code = results_reprint(args->operand[0], stdout, isatty(STDOUT_FILENO) != 0, error);
  if (code < 0) error->code = EXIT_CODE_USAGE;
  struct error summary; /* of a run without a verdict it says what `error` does */
  if (line->summary != NULL && results_markdown(args->operand[0], line->summary, &summary) != 0 &&
      code >= 0) {
    *error = summary;
    return -1;
  }
  if (code >= 0 && line->html && results_page_again(args->operand[0], error) != 0) return -1;
  return code;
}

const struct args_verb cli_report = {
    .name = "report",
    .line = "print the summary of an earlier run again",
    .usage = "usage: fleetsim report DIR [options]\n\n"
             "Prints the summary of the run whose results are in DIR, and exits with that run's "
             "code. Of a run that did not end, as it was killed, it prints how far that came, and\n"
             "exits with 2.\n\n",
    .options = options,
    .after = "\nexample: fleetsim report out/root-CA-rotation-20270314T091500Z\n",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name the folder of one run's results; 'fleetsim report --help' shows how",
    .size = sizeof(struct report_line),
    .run = reprint,
};
