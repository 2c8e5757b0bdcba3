/* A comparison of two reports for people, on a terminal and in Markdown: what is worse first. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/report_compare.h"
#include "gauntlet/report_rows.h"
#include "gauntlet/report_text.h"
#include "gauntlet/reports.h"
#include "report/markdown.h"
#include "report/screen.h"

#define ONLY_MOST 12u /* trials of one side that are named */

static const enum report_state in_order[] = {REPORT_WORSE, REPORT_UNCLEAR, REPORT_BETTER,
                                             REPORT_CHANGED};
#define ORDERS (sizeof in_order / sizeof *in_order)

/* "WORSE" */
static const char *loud_word(const json_t *tree, char out[16])
{
  const char *word = report_json_text(tree, "verdict");
  size_t i = 0;
  for (; i < 15 && word[i] != '\0'; i++)
    out[i] = (char) (word[i] >= 'a' && word[i] <= 'z' ? word[i] - 'a' + 'A' : word[i]);
  out[i] = '\0';
  return out;
}

/* "1 worse, 2 better", or that nothing changed. */
static const char *counts_text(const json_t *tree, char out[160])
{
  size_t used = 0;
  const json_t *counts = json_object_get(tree, "counts");
  snprintf(out, 160, "nothing that was tried in both went another way");
  for (size_t s = 0; s < ORDERS; s++) {
    const char *word = report_compare_word(in_order[s]);
    double count = report_json_number(counts, word);
    if (count > 0)
      used +=
          (size_t) snprintf(out + used, 160 - used, "%s%.0f %s", used > 0 ? ", " : "", count, word);
  }
  return out;
}

static const char *side_text(const json_t *side, char out[512])
{
  char score[32] = "";
  const json_t *points = json_object_get(side, "score");
  if (json_is_number(points))
    snprintf(score, sizeof score, ", score %.0f of 100", json_number_value(points));
  snprintf(out, 512, "%.200s: %.130s, begun %.40s%s", report_json_text(side, "folder"),
           report_json_text(side, "client"), report_json_text(side, "started"), score);
  text_trim(out);
  return out;
}

/* --- Pairs, those of a case as one ------------------------------------------------------------ */

struct pair_row {
  const json_t *pair;
  char tls[40];
};

static bool same_change(const json_t *a, const json_t *b)
{
  return report_json_says(a, "case", report_json_text(b, "case")) &&
         report_json_says(a, "change", report_json_text(b, "change"));
}

/* From `*at` on, the next that has this state, with those of its case that changed alike. */
static bool next_row(const json_t *pairs, size_t *at, enum report_state state, struct pair_row *row)
{
  size_t used = 0, count = json_array_size(pairs);
  while (*at < count &&
         !report_json_says(json_array_get(pairs, *at), "state", report_compare_word(state)))
    ++*at;
  if (*at == count) return false;
  *row = (struct pair_row){.pair = json_array_get(pairs, *at), .tls = "-"};
  for (; *at < count && same_change(row->pair, json_array_get(pairs, *at)); ++*at) {
    const char *tls = report_json_text(json_array_get(pairs, *at), "tls");
    if (tls[0] != '\0' && used < sizeof row->tls - 12)
      used += (size_t) snprintf(row->tls + used, sizeof row->tls - used, "%s%.8s",
                                used > 0 ? ", " : "", tls);
  }
  return true;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void put_items(FILE *out, const char *before, const json_t *items)
{
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    const char *word =
        json_is_object(item) ? report_json_text(item, "group") : json_string_value(item);
    fprintf(out, "%s%s", i == 0 ? before : ", ", word != NULL ? word : "?");
  }
}

static void put_value(FILE *out, const json_t *value)
{
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  if (json_is_string(value))
    fputs(json_string_value(value), out);
  else
    fputs(json_is_null(value) || text == NULL ? "none" : text, out);
  free(text);
}

/* "now also x, y; no longer z", "another order" or "TLS 1.3, was TLS 1.2"; malloc'd, or NULL. */
static char *fact_text(const json_t *fact)
{
  char *text = NULL;
  size_t size;
  const json_t *added = json_object_get(fact, "added"), *removed = json_object_get(fact, "removed");
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  if (json_array_size(added) + json_array_size(removed) > 0) {
    put_items(out, "now also ", added);
    put_items(out, json_array_size(added) > 0 ? "; no longer " : "no longer ", removed);
  } else if (json_is_array(json_object_get(fact, "b"))) {
    fputs("the same in another order", out);
  } else {
    put_value(out, json_object_get(fact, "b"));
    fputs(", was ", out);
    put_value(out, json_object_get(fact, "a"));
  }
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

/* --- On a terminal ---------------------------------------------------------------------------- */

static const char *mark_of_state(enum report_state state)
{
  static const char *const marks[] = {
      [REPORT_WORSE] = "x", [REPORT_BETTER] = "+", [REPORT_CHANGED] = "~", [REPORT_UNCLEAR] = "?"};
  return marks[state];
}

static void show_pair(const struct pair_row *row, enum report_state state, FILE *out)
{
  const json_t *pair = row->pair, *b = json_object_get(pair, "b");
  screen_line(out, "%-2s%-8.8s%-9s  %s", mark_of_state(state), report_json_text(pair, "severity"),
              row->tls, report_json_text(pair, "name"));
  screen_paragraph(out, 21, report_json_text(pair, "change"));
  if (state == REPORT_WORSE || state == REPORT_UNCLEAR)
    screen_paragraph(out, 21, report_json_text(b, "why"));
}

static void show_pairs(const json_t *tree, FILE *out)
{
  const json_t *pairs = json_object_get(tree, "trials");
  for (size_t s = 0; s < ORDERS; s++) {
    struct pair_row row;
    for (size_t at = 0; next_row(pairs, &at, in_order[s], &row);) show_pair(&row, in_order[s], out);
  }
}

static void show_fact_changes(const json_t *tree, FILE *out)
{
  const json_t *facts = json_object_get(tree, "hello");
  if (json_array_size(facts) > 0) screen_line(out, "  its ClientHello:");
  for (size_t f = 0; f < json_array_size(facts); f++) {
    char label[SCREEN_CELL];
    const json_t *fact = json_array_get(facts, f);
    char *text = fact_text(fact);
    snprintf(label, sizeof label, "~ %-24.24s ", report_json_text(fact, "fact"));
    if (text != NULL) report_text_labelled(out, label, text);
    free(text);
  }
}

static const char *finding_label(const json_t *finding)
{
  return report_json_says(finding, "in", "b") ? "stands out now" : "no longer so";
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
    snprintf(label, sizeof label, "%-2s%-15s", mark, finding_label(finding));
    report_text_labelled(out, label, report_json_text(finding, "sentence"));
  }
}

static void show_only(const json_t *names, const char *label, FILE *out)
{
  size_t count = json_array_size(names);
  if (count == 0) return;
  screen_line(out, "  %zu trial%s in %s only%s", count, count == 1 ? "" : "s", label,
              count <= ONLY_MOST ? ":" : ": --json names them");
  for (size_t n = 0; n < count && count <= ONLY_MOST; n++)
    screen_paragraph(out, 4, json_string_value(json_array_get(names, n)));
}

void report_compare_print(const json_t *comparison, FILE *out, bool colour)
{
  char word[16], text[512];
  report_text_headline(out, loud_word(comparison, word), counts_text(comparison, text), colour);
  report_text_labelled(out, "  A  ", side_text(json_object_get(comparison, "a"), text));
  report_text_labelled(out, "  B  ", side_text(json_object_get(comparison, "b"), text));
  show_pairs(comparison, out);
  show_finding_changes(comparison, out);
  show_fact_changes(comparison, out);
  show_only(json_object_get(comparison, "only_in_a"), "A", out);
  show_only(json_object_get(comparison, "only_in_b"), "B", out);
  fflush(out);
}

/* --- In Markdown ------------------------------------------------------------------------------ */

static void mark_cells(FILE *out, const char *const cells[], size_t count)
{
  for (size_t c = 0; c < count; c++) {
    fputs("| ", out);
    markdown_text(out, cells[c]);
    fputs(" ", out);
  }
  fputs("|\n", out);
}

static void mark_pairs(const json_t *tree, FILE *out)
{
  const json_t *pairs = json_object_get(tree, "trials");
  if (json_array_size(pairs) > 0)
    fputs("\n| | severity | case | TLS | change | what was seen |\n"
          "| --- | --- | --- | --- | --- | --- |\n",
          out);
  for (size_t s = 0; s < ORDERS; s++) {
    struct pair_row row;
    for (size_t at = 0; next_row(pairs, &at, in_order[s], &row);) {
      const char *const cells[] = {report_compare_word(in_order[s]),
                                   report_json_text(row.pair, "severity"),
                                   report_json_text(row.pair, "case"),
                                   row.tls,
                                   report_json_text(row.pair, "change"),
                                   report_json_text(json_object_get(row.pair, "b"), "why")};
      mark_cells(out, cells, sizeof cells / sizeof *cells);
    }
  }
}

static void mark_facts(const json_t *tree, FILE *out)
{
  const json_t *facts = json_object_get(tree, "hello"),
               *findings = json_object_get(tree, "stands_out");
  fputs("\n", out);
  for (size_t f = 0; f < json_array_size(findings); f++) {
    const json_t *finding = json_array_get(findings, f);
    fprintf(out, "- **%s:** ", finding_label(finding));
    markdown_text(out, report_json_text(finding, "sentence"));
    fputs("\n", out);
  }
  for (size_t f = 0; f < json_array_size(facts); f++) {
    char *text = fact_text(json_array_get(facts, f));
    fputs("- ClientHello, ", out);
    markdown_text(out, report_json_text(json_array_get(facts, f), "fact"));
    fputs(": ", out);
    markdown_text(out, text != NULL ? text : "");
    fputs("\n", out);
    free(text);
  }
}

static void mark_comparison(const json_t *tree, FILE *out)
{
  char word[16], text[512];
  fprintf(out, "## %s: %s\n\n- A: ", loud_word(tree, word), counts_text(tree, text));
  markdown_text(out, side_text(json_object_get(tree, "a"), text));
  fputs("\n- B: ", out);
  markdown_text(out, side_text(json_object_get(tree, "b"), text));
  fputs("\n", out);
  mark_pairs(tree, out);
  mark_facts(tree, out);
  fprintf(out, "- trials in A only: %zu, in B only: %zu\n",
          json_array_size(json_object_get(tree, "only_in_a")),
          json_array_size(json_object_get(tree, "only_in_b")));
}

int report_compare_markdown(const json_t *comparison, const char *path, struct error *error)
{
  struct markdown_page page;
  markdown_begin(&page);
  if (page.out != NULL) mark_comparison(comparison, page.out);
  return markdown_end(&page, path, error);
}
