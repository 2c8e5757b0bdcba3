/* The parts of compare.h: sets of runs from folders, and the tree that a comparison is printed
 * from. Internal to sim/report. */
#ifndef FLEETSIM_COMPARISON_H
#define FLEETSIM_COMPARISON_H

#include <jansson.h>

#include "report/compare.h"

#define COMPARISON_SCHEMA   "fleetsim-comparison/1"
#define COMPARISON_RUNS_MAX 1000u

/* Runs of one side. */
struct comparison_set {
  const char *folder; /* as it was named */
  json_t *runs;       /* the trees of their results.json */
  json_t *folders;    /* where each lies */
};

/* comparison_sets.c: reads the folder. Each run must have ended, with a verdict on its scenario:
 * pass or fail. -1 and a USAGE error, which names the run. Release it in any case. */
int comparison_read(const char *folder, struct comparison_set *out, struct error *error);
void comparison_release(struct comparison_set *set);

/* In what runs of the two sets are not alike and would have to be: an array of sentences, empty
 * where they are. `versions`: only what may differ, and is told. NULL: no memory. */
json_t *comparison_unlike(const struct comparison_set *a, const struct comparison_set *b,
                          bool versions);

/* Whose runs somebody has paused, for how long, and what that changes: an array of sentences. NULL: no
 * memory. */
json_t *comparison_paused(const struct comparison_set *a, const struct comparison_set *b);

/* comparison_print.c */
void comparison_print(const json_t *tree, FILE *out, bool colour);
int comparison_markdown(const json_t *tree, const char *path, struct error *error);

#endif
