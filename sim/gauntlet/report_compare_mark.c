/* A comparison of two reports as a page of CI shows it: what is worse first. */
#include <stdlib.h>

#include "gauntlet/report_compare.h"
#include "gauntlet/reports.h"
#include "report/markdown.h"

/* The head of the table goes before its first row. */
static void mark_row_of(const struct pair_row *row, enum report_state state, const char *why,
                        bool *headed, FILE *out)
{
  const char *const cells[] = {report_compare_word(state),
                               report_json_text(row->pair, "severity"),
                               report_json_text(row->pair, "case"),
                               row->tls,
                               report_json_text(row->pair, "change"),
                               why};
  if (!*headed)
    fputs("\n| | severity | case | TLS | change | what was seen |\n"
          "| --- | --- | --- | --- | --- | --- |\n",
          out);
  *headed = true;
  for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
    fputs("| ", out);
    markdown_text(out, cells[c]);
    fputs(" ", out);
  }
  fputs("|\n", out);
}

/* Of trials that only B has, those that it failed. */
static void mark_failed_alone(const json_t *only, bool *headed, FILE *out)
{
  struct pair_row row;
  for (size_t at = 0; report_compare_row(only, &at, REPORT_UNCLEAR, &row);)
    if (report_json_says(row.pair, "in", "b"))
      mark_row_of(&row, REPORT_UNCLEAR, report_json_text(row.pair, "why"), headed, out);
}

static void mark_pairs(const json_t *tree, FILE *out)
{
  struct pair_row row;
  bool headed = false;
  const json_t *pairs = json_object_get(tree, "trials");
  for (size_t s = 0; s < REPORT_ORDERS; s++) {
    enum report_state state = report_compare_order[s];
    if (state == REPORT_UNCLEAR) mark_failed_alone(json_object_get(tree, "only"), &headed, out);
    for (size_t at = 0; report_compare_row(pairs, &at, state, &row);)
      mark_row_of(&row, state, report_json_text(json_object_get(row.pair, "b"), "why"), &headed,
                  out);
  }
}

static void mark_facts(const json_t *tree, FILE *out)
{
  const json_t *facts = json_object_get(tree, "hello"),
               *findings = json_object_get(tree, "stands_out");
  fputs("\n", out);
  for (size_t f = 0; f < json_array_size(findings); f++) {
    const json_t *finding = json_array_get(findings, f);
    fprintf(out, "- **%s:** ", report_compare_finding(finding));
    markdown_text(out, report_json_text(finding, "sentence"));
    fputs("\n", out);
  }
  for (size_t f = 0; f < json_array_size(facts); f++) {
    char *text = report_compare_fact(json_array_get(facts, f));
    fputs("- ClientHello, ", out);
    markdown_text(out, report_json_text(json_array_get(facts, f), "fact"));
    fputs(": ", out);
    markdown_text(out, text != NULL ? text : "");
    fputs("\n", out);
    free(text);
  }
}

static void mark_alone(const json_t *only, const char *side, FILE *out)
{
  char text[200];
  unsigned count = report_compare_only_text(only, side, text);
  if (count > 0) fprintf(out, "- %s\n", text);
  for (size_t i = 0; count <= REPORT_ONLY_MOST && i < json_array_size(only); i++) {
    const json_t *lone = json_array_get(only, i);
    if (!report_compare_is_told(lone, side)) continue;
    fputs("  - ", out);
    markdown_text(out, report_compare_lone_text(lone, text));
    fputs("\n", out);
  }
}

static void mark_sentences(const json_t *sentences, const char *label, FILE *out)
{
  for (size_t i = 0; i < json_array_size(sentences); i++) {
    const char *text = json_string_value(json_array_get(sentences, i));
    fprintf(out, "- **%s:** ", label);
    markdown_text(out, text != NULL ? text : "");
    fputs("\n", out);
  }
}

static void mark_side(const json_t *side, const char *label, FILE *out)
{
  char text[512];
  fprintf(out, "- %s: ", label);
  markdown_text(out, report_compare_side(side, text));
  fputs("\n", out);
}

static void mark_comparison(const json_t *tree, FILE *out)
{
  char word[16], text[512];
  const json_t *only = json_object_get(tree, "only");
  fprintf(out, "## %s: %s\n\n", report_compare_loud(tree, word), report_compare_counts(tree, text));
  mark_side(json_object_get(tree, "a"), "A", out);
  mark_side(json_object_get(tree, "b"), "B", out);
  mark_sentences(json_object_get(tree, "unlike"), "not alike", out);
  mark_sentences(json_object_get(tree, "warnings"), "beware", out);
  mark_pairs(tree, out);
  mark_facts(tree, out);
  mark_alone(only, "a", out);
  mark_alone(only, "b", out);
}

int report_compare_markdown(const json_t *comparison, const char *path, struct error *error)
{
  struct markdown_page page;
  markdown_begin(&page);
  if (page.out != NULL) mark_comparison(comparison, page.out);
  return markdown_end(&page, path, error);
}
