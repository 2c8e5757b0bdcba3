/* fleetsim report: the summary of a run that has ended. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "report/results.h"

int verb_report(int argc, char **argv)
{
  const char *stray = verb_stray_option(argc, argv);
  if (stray != NULL && strcmp(stray, "--help") != 0) {
    fprintf(stderr, "fleetsim report: there is no option '%.*s'; --help shows how\n",
            (int) strcspn(stray, "="), stray);
    return EXIT_CODE_USAGE;
  }
  if (argc != 2 || strcmp(argv[1], "--help") == 0) {
    FILE *out = argc == 2 ? stdout : stderr;
    fputs("usage: fleetsim report DIR\n\n"
          "Prints the summary of the run whose results are in DIR, and exits with that run's "
          "code.\n\n"
          "example: fleetsim report out/root-CA-rotation-20270314T091500Z\n",
          out);
    return argc == 2 ? EXIT_CODE_PASS : EXIT_CODE_USAGE;
  }
  struct error error;
  int code = results_reprint(argv[1], stdout, isatty(STDOUT_FILENO) != 0, &error);
  if (code >= 0) return code;
  fprintf(stderr, "fleetsim report: %s\n", error.text);
  return EXIT_CODE_USAGE;
}
