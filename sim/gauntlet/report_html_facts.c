/* The part of report.html that is about the client itself: its hello, what stands out, when it gives
 * up, whether and when it tries again, what it told. */
#include "gauntlet/report_html.h"

static void page_findings(const json_t *hello, FILE *out)
{
  const json_t *findings = json_object_get(hello, "stands_out");
  if (json_array_size(findings) > 0) fputs("<dt>stands out</dt><dd><ul>", out);
  for (size_t f = 0; f < json_array_size(findings); f++) {
    const json_t *finding = json_array_get(findings, f);
    fputs("<li>", out);
    report_html_tag(out, report_json_text(finding, "severity"));
    report_html_text(out, " ", report_json_text(finding, "sentence"), "</li>");
  }
  if (json_array_size(findings) > 0) fputs("</ul></dd>\n", out);
}

static void page_hello(const json_t *hello, FILE *out)
{
  const json_t *shown = json_object_get(hello, "shown");
  char trials[128];
  fprintf(out, "<div class=\"panel\"><dl class=\"facts\">\n<dt>seen in</dt><dd>%s</dd>\n",
          report_hello_trials(hello, trials));
  for (size_t l = 0; l < json_array_size(shown); l++) {
    const json_t *line = json_array_get(shown, l);
    report_html_text(out, "<dt>", report_json_text(line, "label"), "</dt>");
    report_html_text(out, "<dd>", report_json_text(line, "text"), "</dd>\n");
  }
  page_findings(hello, out);
  fputs("</dl></div>\n", out);
}

/* Those of a few trials alone are folded away. */
static size_t page_hellos_of(const json_t *tree, bool usual, FILE *out)
{
  size_t count = 0;
  const json_t *hellos = json_object_get(tree, "hellos");
  for (size_t h = 0; h < json_array_size(hellos); h++) {
    const json_t *hello = json_array_get(hellos, h);
    if (report_is_usual(tree, hello) != usual) continue;
    if (out != NULL) page_hello(hello, out);
    count++;
  }
  return count;
}

static void page_hellos(const json_t *tree, FILE *out)
{
  size_t others = page_hellos_of(tree, false, NULL);
  if (report_usual_hello(tree) == NULL) return;
  fputs("<section><h2>Its TLS</h2>\n<p class=\"lead\">What its ClientHello says.</p>\n", out);
  page_hellos_of(tree, true, out);
  if (others > 0)
    fprintf(out, "<details><summary>%zu more that differ, each in a few trials</summary>\n",
            others);
  if (others > 0) page_hellos_of(tree, false, out);
  fputs(others > 0 ? "</details></section>\n" : "</section>\n", out);
}

/* --- Times ------------------------------------------------------------------------------------ */

static void page_time(FILE *out, const char *label, const json_t *object, const char *key)
{
  char ms[32];
  fprintf(out, "<td class=\"number\" data-label=\"%s\">%s</td>", label,
          report_ms_text(json_object_get(object, key), ms));
}

static void page_stats(FILE *out, const char *what, const json_t *stats, const char *more)
{
  report_html_text(out, "<tr><th scope=\"row\">", what, "</th>");
  fprintf(out, "<td class=\"number\" data-label=\"times\">%.0f</td>",
          report_json_number(stats, "count"));
  page_time(out, "median", stats, "median_ms");
  page_time(out, "from", stats, "min_ms");
  page_time(out, "to", stats, "max_ms");
  fprintf(out, "<td>%s</td></tr>\n", more);
}

static void page_gave_up(const json_t *figures, FILE *out)
{
  const json_t *kinds = json_object_get(figures, "gave_up");
  for (size_t k = 0; k < json_array_size(kinds); k++) {
    char what[128], never[64] = "";
    const json_t *kind = json_array_get(kinds, k);
    if (report_json_number(kind, "count") == 0 && report_json_number(kind, "never") == 0) continue;
    snprintf(what, sizeof what, "gave up on %.100s", report_json_text(kind, "of"));
    if (report_json_number(kind, "never") > 0)
      snprintf(never, sizeof never, "never in %.0f trials", report_json_number(kind, "never"));
    page_stats(out, what, kind, never);
  }
}

static void page_retries(const json_t *tree, FILE *out)
{
  const json_t *nth =
      json_object_get(json_object_get(json_object_get(tree, "figures"), "retries"), "nth");
  for (size_t n = 0; n < json_array_size(nth); n++) {
    char what[64];
    snprintf(what, sizeof what, "try %zu came after", n + 2);
    page_stats(out, what, json_array_get(nth, n),
               n == 0 && report_lacks_jitter(tree) ? "always the same: no jitter" : "");
  }
}

static void page_told(const json_t *figures, const char *key, const char *sentence, FILE *out)
{
  double trials = report_json_number(figures, key);
  if (trials > 0)
    fprintf(out, "<li>%s (%.0f trial%s)</li>\n", sentence, trials, trials == 1 ? "" : "s");
}

void report_html_facts(const json_t *tree, FILE *out)
{
  const json_t *figures = json_object_get(tree, "figures");
  page_hellos(tree, out);
  fputs("<section><h2>What its connections showed</h2>\n<div class=\"panel\"><ul>\n", out);
  page_told(figures, "crashes",
            "it crashed: a sanitizer's report, or the end by a signal such as SIGSEGV", out);
  page_told(figures, "passwords_told",
            "its password was sent to a server that should have been refused", out);
  page_told(figures, "plain_requests", "a redirect led it to ask without TLS", out);
  page_told(figures, "certificate_in_clear",
            "before TLS 1.3 its certificate, and with it which device it is, can be read by "
            "anybody on the way",
            out);
  if (report_json_number(json_object_get(figures, "retries"), "count") == 0)
    fputs("<li>it did not try again while it was watched</li>\n", out);
  fputs("</ul><table class=\"cards\"><thead><tr><th></th><th class=\"number\">times</th>"
        "<th class=\"number\">median</th><th class=\"number\">from</th>"
        "<th class=\"number\">to</th><th></th></tr></thead><tbody>\n",
        out);
  page_gave_up(figures, out);
  page_retries(tree, out);
  fputs("</tbody></table></div></section>\n", out);
}
