/* The part of report.html that lists clauses of standards: how the trials of their cases went. */
#include "gauntlet/report_html.h"

#include <string.h>

static void page_failed(const json_t *clause, FILE *out)
{
  const json_t *failed = json_object_get(clause, "failed");
  fputs("<td data-label=\"failed\">", out);
  for (size_t f = 0; f < json_array_size(failed); f++) {
    const char *id = json_string_value(json_array_get(failed, f));
    report_html_text(out, f > 0 ? ", " : "", id != NULL ? id : "", "");
  }
  fputs("</td>", out);
}

static void page_number(FILE *out, const char *label, double number)
{
  fprintf(out, "<td class=\"number\" data-label=\"%s\">%.0f</td>", label, number);
}

static void page_clause(const json_t *clause, FILE *out)
{
  double open = report_json_number(clause, "not_shown") +
                report_json_number(clause, "not_offered") + report_json_number(clause, "skipped");
  report_html_text(out, "<tr><th scope=\"row\">", report_json_text(clause, "clause"), "</th>");
  report_html_text(out, "<td>", report_json_text(clause, "sentence"), "</td>");
  page_number(out, "cases", (double) json_array_size(json_object_get(clause, "cases")));
  page_number(out, "passed", report_json_number(clause, "pass"));
  page_number(out, "failed", report_json_number(clause, "fail"));
  page_number(out, "warned of", report_json_number(clause, "warn"));
  page_number(out, "open", open);
  page_failed(clause, out);
  fputs("</tr>\n", out);
}

static void page_body(const char *title, FILE *out)
{
  report_html_text(out, "<div class=\"panel\"><h3>", title, "</h3>\n");
  fputs("<table class=\"cards\"><thead><tr><th>clause</th><th>what the cases have to do with it"
        "</th><th class=\"number\">cases</th><th class=\"number\">passed</th>"
        "<th class=\"number\">failed</th><th class=\"number\">warned of</th>"
        "<th class=\"number\">open</th><th>cases that were failed</th></tr></thead><tbody>\n",
        out);
}

void report_html_standards(const json_t *tree, FILE *out)
{
  const json_t *clauses = json_object_get(tree, "standards");
  const char *body = NULL;
  if (json_array_size(clauses) == 0) return;
  fputs("<section><h2>By clause</h2>\n<p class=\"lead\">Passed, failed, open: trials. A clause is "
        "wider than the cases that speak of it: this supports a judgement and is none.</p>\n",
        out);
  for (size_t c = 0; c < json_array_size(clauses); c++) {
    const json_t *clause = json_array_get(clauses, c);
    bool other = body == NULL || !report_json_says(clause, "body", body);
    if (other && body != NULL) fputs("</tbody></table></div>\n", out);
    body = report_json_text(clause, "body");
    if (other) page_body(report_json_text(clause, "title"), out);
    page_clause(clause, out);
  }
  fputs("</tbody></table></div></section>\n", out);
}
