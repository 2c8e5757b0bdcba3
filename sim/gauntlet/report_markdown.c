/* A report as a page of CI shows it: the sentence, counts, what deserves attention. */
#include <string.h>

#include "gauntlet/report_rows.h"
#include "gauntlet/report_text.h"
#include "gauntlet/reports.h"
#include "report/markdown.h"

static void mark_counts(const json_t *tree, FILE *out)
{
  const json_t *tally = json_object_get(tree, "tally");
  fputs("\n| trials | high | medium | low |\n| --- | ---: | ---: | ---: |\n", out);
  for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
    const json_t *by = json_object_get(tally, verdict_word(v));
    fputs("| ", out);
    markdown_text(out, verdict_word(v));
    for (int s = CASE_HIGH; s >= CASE_LOW; s--)
      fprintf(out, " | %.0f", report_json_number(by, case_severity_word((enum case_severity) s)));
    fputs(" |\n", out);
  }
}

static void mark_lacks(const json_t *tree, FILE *out)
{
  const json_t *lacks = json_object_get(tree, "lacks");
  if (json_array_size(lacks) > 0) fputs("\n**It does not check, or not always:**\n\n", out);
  for (size_t l = 0; l < json_array_size(lacks); l++) {
    const json_t *one = json_array_get(lacks, l);
    fputs("- **", out);
    markdown_text(out, report_json_text(one, "flaw"));
    fputs("**: ", out);
    if (report_json_is(one, "partly"))
      fprintf(out, "with holes, %.0f of %.0f trials that need it were failed\n",
              report_json_number(one, "failed"), report_json_number(one, "judged"));
    else {
      markdown_text(out, report_json_text(one, "sentence"));
      fputs("\n", out);
    }
  }
}

static void mark_row(const struct report_row *row, FILE *out)
{
  const char *const cells[] = {report_json_text(row->about, "severity"),
                               row->id,
                               row->tls,
                               report_json_text(row->trial, "why"),
                               report_json_text(row->about, "why"),
                               report_json_text(row->about, "reference")};
  for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
    fputs("| ", out);
    markdown_text(out, cells[c]);
    fputs(" ", out);
  }
  fputs("|\n", out);
}

static void mark_verdict(const json_t *tree, enum verdict verdict, const char *title, FILE *out)
{
  struct report_rows rows;
  if (report_rows_make(tree, verdict_word(verdict), &rows) != 0) return;
  if (rows.count > 0)
    fprintf(out,
            "\n### %s\n\n| severity | case | TLS | what was seen | what it is about | reference "
            "|\n| --- | --- | --- | --- | --- | --- |\n",
            title);
  for (size_t r = 0; r < rows.count; r++) mark_row(&rows.row[r], out);
  report_rows_free(&rows);
}

static void mark_report(const json_t *tree, FILE *out)
{
  const json_t *score = json_object_get(tree, "score");
  fprintf(out, "## %s: ", report_text_verdict(tree));
  markdown_text(out, report_json_text(tree, "client"));
  fputs("\n\n", out);
  markdown_text(out, report_json_text(tree, "message"));
  if (json_is_number(score)) fprintf(out, "; score %.0f of 100", json_number_value(score));
  fputs("\n", out);
  mark_lacks(tree, out);
  mark_counts(tree, out);
  mark_verdict(tree, VERDICT_FAIL, "Failed", out);
  mark_verdict(tree, VERDICT_WARN, "Warned of", out);
  mark_verdict(tree, VERDICT_NOT_SHOWN, "Not shown", out);
}

int report_markdown_write(const json_t *tree, const char *path, struct error *error)
{
  struct markdown_page page;
  markdown_begin(&page);
  if (page.out != NULL && json_is_object(tree)) mark_report(tree, page.out);
  for (size_t i = 0; page.out != NULL && i < json_array_size(tree); i++) {
    if (i > 0) fputs("\n", page.out);
    mark_report(json_array_get(tree, i), page.out);
  }
  return markdown_end(&page, path, error);
}
