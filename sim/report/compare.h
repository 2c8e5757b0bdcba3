/* Two runs, or two sets of runs, side by side: what moved, by how much, and whether that is more
 * than noise. All is read from the results.json of runs that ended; nothing is measured again. */
#ifndef FLEETSIM_COMPARE_H
#define FLEETSIM_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* What makes the exit code 1. */
enum compare_alarm { COMPARE_ALARM_WORSE, COMPARE_ALARM_MOVED, COMPARE_ALARM_UNCLEAR };

struct compare_options {
  const char *a, *b; /* each the folder of a run, or a folder of such folders */
  double threshold;  /* 0.1: less than a tenth is the same */
  enum compare_alarm alarm;
  bool anyway;         /* runs that are not alike are compared, too, and the difference is told */
  bool json;           /* for programs, instead of the table */
  const char *summary; /* a file for the same in Markdown; NULL: none */
};

/* Prints the comparison and returns its exit code: PASS, or FAIL at an alarm. -1 and a USAGE error:
 * a folder has no run or one without a verdict, or the runs are not alike. */
int compare_folders(const struct compare_options *options, FILE *out, bool colour,
                    struct error *error);

#endif
