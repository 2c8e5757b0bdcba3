/* A comparison of two reports on a terminal: what is worse first. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "gauntlet/report_compare.h"
#include "gauntlet/report_text.h"
#include "gauntlet/reports.h"
#include "report/screen.h"

static const char *mark_of_state(enum report_state state)
{
  static const char *const marks[] = {
      [REPORT_WORSE] = "x", [REPORT_BETTER] = "+", [REPORT_CHANGED] = "~", [REPORT_UNCLEAR] = "?"};
  return marks[state];
}

static void show_row_head(const struct pair_row *row, enum report_state state, FILE *out)
{
  screen_line(out, "%-2s%-8.8s%-9s  %s", mark_of_state(state),
              report_json_text(row->pair, "severity"), row->tls,
              report_json_text(row->pair, "name"));
  screen_paragraph(out, 21, report_json_text(row->pair, "change"));
}

static void show_pair(const struct pair_row *row, enum report_state state, FILE *out)
{
  const json_t *b = json_object_get(row->pair, "b");
  show_row_head(row, state, out);
  if (state == REPORT_WORSE || state == REPORT_UNCLEAR)
    screen_paragraph(out, 21, report_json_text(b, "why"));
}

/* Of trials that only B has, those that it failed. */
static void show_failed_alone(const json_t *only, FILE *out)
{
  struct pair_row row;
  for (size_t at = 0; report_compare_row(only, &at, REPORT_UNCLEAR, &row);) {
    if (!report_json_says(row.pair, "in", "b")) continue;
    show_row_head(&row, REPORT_UNCLEAR, out);
    screen_paragraph(out, 21, report_json_text(row.pair, "why"));
  }
}

static void show_pairs(const json_t *tree, FILE *out)
{
  const json_t *pairs = json_object_get(tree, "trials");
  for (size_t s = 0; s < REPORT_ORDERS; s++) {
    struct pair_row row;
    enum report_state state = report_compare_order[s];
    if (state == REPORT_UNCLEAR) show_failed_alone(json_object_get(tree, "only"), out);
    for (size_t at = 0; report_compare_row(pairs, &at, state, &row);) show_pair(&row, state, out);
  }
}

static void show_fact_changes(const json_t *tree, FILE *out)
{
  const json_t *facts = json_object_get(tree, "hello");
  if (json_array_size(facts) > 0) screen_line(out, "  its ClientHello:");
  for (size_t f = 0; f < json_array_size(facts); f++) {
    char label[SCREEN_CELL];
    const json_t *fact = json_array_get(facts, f);
    char *text = report_compare_fact(fact);
    snprintf(label, sizeof label, "~ %-24.24s ", report_json_text(fact, "fact"));
    if (text != NULL) report_text_labelled(out, label, text);
    free(text);
  }
}

static void show_finding_changes(const json_t *tree, FILE *out)
{
  const json_t *findings = json_object_get(tree, "stands_out");
  for (size_t f = 0; f < json_array_size(findings); f++) {
    char label[SCREEN_CELL];
    const json_t *finding = json_array_get(findings, f);
    const char *mark = report_json_says(finding, "state", "worse")    ? "x"
                       : report_json_says(finding, "state", "better") ? "+"
                                                                      : "~";
    snprintf(label, sizeof label, "%-2s%-15s", mark, report_compare_finding(finding));
    report_text_labelled(out, label, report_json_text(finding, "sentence"));
  }
}

static void show_names_alone(const json_t *only, const char *side, FILE *out)
{
  for (size_t i = 0; i < json_array_size(only); i++) {
    char text[200];
    const json_t *lone = json_array_get(only, i);
    if (report_compare_is_told(lone, side))
      screen_paragraph(out, 4, report_compare_lone_text(lone, text));
  }
}

static void show_alone(const json_t *only, const char *side, const char *mark, FILE *out)
{
  char text[200];
  unsigned count = report_compare_only_text(only, side, text);
  if (count == 0) return;
  report_text_labelled(out, mark, text);
  if (count <= REPORT_ONLY_MOST)
    show_names_alone(only, side, out);
  else
    screen_line(out, "    --json names them");
}

static void show_sentences(const json_t *sentences, const char *label, FILE *out)
{
  for (size_t i = 0; i < json_array_size(sentences); i++) {
    const char *text = json_string_value(json_array_get(sentences, i));
    report_text_labelled(out, label, text != NULL ? text : "");
  }
}

void report_compare_print(const json_t *comparison, FILE *out, bool colour)
{
  char word[16], text[512];
  const json_t *only = json_object_get(comparison, "only");
  report_text_headline(out, report_compare_loud(comparison, word),
                       report_compare_counts(comparison, text), colour);
  show_sentences(json_object_get(comparison, "unlike"), "! not alike:   ", out);
  show_sentences(json_object_get(comparison, "warnings"), "! beware:      ", out);
  report_text_labelled(out, "  A  ", report_compare_side(json_object_get(comparison, "a"), text));
  report_text_labelled(out, "  B  ", report_compare_side(json_object_get(comparison, "b"), text));
  show_pairs(comparison, out);
  show_finding_changes(comparison, out);
  show_fact_changes(comparison, out);
  show_alone(only, "a", "? ", out);
  show_alone(only, "b", "  ", out);
  fflush(out);
}
