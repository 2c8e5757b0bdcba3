/* A gauntlet's report for people and for programs, made from the tree of report_json.h: on a
 * terminal, in Markdown, and as the files of a folder; and two of them side by side.
 *
 *     json_t *tree = report_json(&report);
 *     report_print(tree, stdout, &(struct report_extent){.colour = true});
 *     if (report_write(tree, folder, &error) != 0) ..
 */
#ifndef FLEETSIM_GAUNTLET_REPORTS_H
#define FLEETSIM_GAUNTLET_REPORTS_H

#include "gauntlet/report_json.h"

struct report_extent {
  bool colour, verbose; /* verbose: every trial */
};

/* Lines of at most 80 columns: what the owner must know, counts, what deserves attention, facts. */
void report_print(const json_t *tree, FILE *out, const struct report_extent *extent);

/* Writes `folder`/report.html, junit.xml and, last, results.json, each whole or not at all; the
 * folder is there. Where one fails, no results.json stays. */
int report_write(const json_t *tree, const char *folder, struct error *error);

int report_html_write(const json_t *tree, const char *folder, struct error *error);
int report_junit_write(const json_t *tree, const char *folder, struct error *error);

/* Of one report, or of several, as an array. */
int report_markdown_write(const json_t *tree, const char *path, struct error *error);

/* --- Two reports ------------------------------------------------------------------------------ */

#define REPORT_COMPARISON_SCHEMA "fleetsim-gauntlet-comparison/1"

/* What changed from A to B, as a tree; its "exit_code" is FAIL where something is worse, or where B
 * has failed what is grave and A has not tried. What keeps them from being compared at all is in its
 * "unlike". NULL: no memory. `a` and `b` are what they are called. */
json_t *report_compare(const json_t *tree_a, const char *a, const json_t *tree_b, const char *b);

void report_compare_print(const json_t *comparison, FILE *out, bool colour);
int report_compare_markdown(const json_t *comparison, const char *path, struct error *error);

#endif
