/* report.html: one file for people that needs nothing beside it: no script, no font, no picture. What
 * came from a client, its command or a file of cases is text in it, never markup; and its policy
 * would let nothing run or be fetched. */
#include "gauntlet/report_html.h"

#include <string.h>

#include "gauntlet/report_style.h"
#include "gauntlet/report_text.h"
#include "gauntlet/reports.h"

#define MARK_FAIL "bad"
#define MARK_WARN "warn"
#define MARK_GOOD "good"

/* --- Pieces ----------------------------------------------------------------------------------- */

void report_html_text(FILE *out, const char *before, const char *text, const char *after)
{
  fputs(before, out);
  markup_put(out, text);
  fputs(after, out);
}

static const char *tone_of(const char *word)
{
  if (strcmp(word, "fail") == 0 || strcmp(word, "high") == 0) return MARK_FAIL;
  if (strcmp(word, "pass") == 0) return MARK_GOOD;
  return strcmp(word, "low") == 0 ? "" : MARK_WARN;
}

void report_html_tag(FILE *out, const char *word)
{
  fprintf(out, "<span class=\"tag %s\">", tone_of(word));
  report_html_text(out, "", word, "</span>");
}

static void page_cell(FILE *out, const char *label, const char *text)
{
  fprintf(out, "<td data-label=\"%s\">", label);
  report_html_text(out, "", text, "</td>");
}

/* --- Head, first screen ----------------------------------------------------------------------- */

static void page_head(const json_t *tree, FILE *out)
{
  char hash[REPORT_STYLE_HASH];
  report_style_hash(hash);
  fprintf(out,
          "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n",
          hash);
  report_html_text(out, "<title>gauntlet: ", report_json_text(tree, "client"), "</title>\n");
  fputs("<style>", out);
  report_style_put(out);
  fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

static void page_tile(FILE *out, const char *name, const char *value, const char *note)
{
  fprintf(out, "<div class=\"tile\"><dt>%s</dt><dd><span class=\"big\">%s</span>", name, value);
  fprintf(out, "<span class=\"quiet\">%s</span></dd></div>\n", note);
}

static double tally_of(const json_t *tree, enum verdict verdict)
{
  double sum = 0;
  const json_t *by = json_object_get(json_object_get(tree, "tally"), verdict_word(verdict));
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++)
    sum += report_json_number(by, case_severity_word((enum case_severity) s));
  return sum;
}

static void page_tally(const json_t *tree, enum verdict verdict, const char *name, FILE *out)
{
  char value[32], note[96];
  const json_t *by = json_object_get(json_object_get(tree, "tally"), verdict_word(verdict));
  snprintf(value, sizeof value, "%.0f", tally_of(tree, verdict));
  snprintf(note, sizeof note, "high %.0f, medium %.0f, low %.0f", report_json_number(by, "high"),
           report_json_number(by, "medium"), report_json_number(by, "low"));
  page_tile(out, name, value, tally_of(tree, verdict) > 0 ? note : "");
}

/* As its owner decided, or not. */
static double believed_of(const json_t *by, const char *severity)
{
  const json_t *of = json_object_get(by, severity);
  return report_json_number(of, "believed") + report_json_number(of, "allowed");
}

static void page_tiles(const json_t *tree, FILE *out)
{
  char value[64], note[96];
  const json_t *score = json_object_get(tree, "score"), *lies = json_object_get(tree, "lies");
  fputs("<dl class=\"tiles\">\n", out);
  snprintf(value, sizeof value, "%.0f of 100", json_number_value(score));
  page_tile(out, "score", json_is_number(score) ? value : "none",
            json_is_number(score) ? "high weighs 10, medium 3, low 1" : "nothing was proven");
  snprintf(value, sizeof value, "%.0f of %.0f",
           report_json_number(lies, "believed") + report_json_number(lies, "allowed"),
           report_json_number(lies, "told"));
  const json_t *by = json_object_get(lies, "by_severity");
  snprintf(note, sizeof note, "high %.0f, medium %.0f, low %.0f", believed_of(by, "high"),
           believed_of(by, "medium"), believed_of(by, "low"));
  page_tile(out, "lies believed", value, json_is_object(by) ? note : "");
  page_tally(tree, VERDICT_PASS, "passed", out);
  page_tally(tree, VERDICT_FAIL, "failed", out);
  page_tally(tree, VERDICT_WARN, "warned of", out);
  page_tally(tree, VERDICT_NOT_SHOWN, "not shown", out);
  page_tally(tree, VERDICT_NOT_OFFERED, "not offered", out);
  page_tally(tree, VERDICT_SKIPPED, "skipped", out);
  fputs("</dl>\n", out);
}

static void page_first(const json_t *tree, FILE *out)
{
  const char *word = report_text_verdict(tree), *command = report_json_text(tree, "command");
  fprintf(out, "<header class=\"%s\">\n<p class=\"brand\">fleetsim gauntlet</p>\n",
          strcmp(word, "PASS") == 0   ? MARK_GOOD
          : strcmp(word, "FAIL") == 0 ? MARK_FAIL
                                      : MARK_WARN);
  report_html_text(out, "<h1>", report_json_text(tree, "client"), "</h1>\n");
  fprintf(out, "<p class=\"quiet\">%.0f trials of %zu cases in %.1f s, begun ",
          report_json_number(json_object_get(tree, "tally"), "trials"),
          json_object_size(json_object_get(tree, "cases")), report_json_number(tree, "duration_s"));
  report_html_text(out, "", report_json_text(tree, "started"), "</p>\n");
  if (command[0] != '\0' && strcmp(command, report_json_text(tree, "client")) != 0)
    report_html_text(out, "<code class=\"command\">", command, "</code>\n");
  fprintf(out, "<div class=\"verdict\"><span class=\"word\">%s</span>", word);
  report_html_text(out, "<p class=\"sentence\">", report_json_text(tree, "message"),
                   "</p></div>\n");
  page_tiles(tree, out);
  fputs("</header>\n", out);
}

static void page_lacks(const json_t *tree, FILE *out)
{
  const json_t *lacks = json_object_get(tree, "lacks");
  if (json_array_size(lacks) == 0) return;
  fputs("<section><h2>What it does not check, or not always</h2>\n<div class=\"panel bad\"><dl "
        "class=\"facts\">\n",
        out);
  for (size_t l = 0; l < json_array_size(lacks); l++) {
    const json_t *one = json_array_get(lacks, l);
    report_html_text(out, "<dt>", report_json_text(one, "flaw"), "</dt>");
    if (report_json_is(one, "partly"))
      fprintf(out, "<dd>with holes: %.0f of %.0f trials that need it were failed</dd>\n",
              report_json_number(one, "failed"), report_json_number(one, "judged"));
    else
      report_html_text(out, "<dd>", report_json_text(one, "sentence"), "</dd>\n");
  }
  fputs("</dl></div></section>\n", out);
}

/* --- What deserves attention ------------------------------------------------------------------ */

static void page_clauses(const json_t *about, FILE *out)
{
  const json_t *clauses = json_object_get(about, "clauses");
  if (json_array_size(clauses) > 0) fputs("<span class=\"quiet\">", out);
  for (size_t c = 0; c < json_array_size(clauses); c++) {
    const char *clause = json_string_value(json_array_get(clauses, c));
    report_html_text(out, c > 0 ? "; " : "", clause != NULL ? clause : "", "");
  }
  if (json_array_size(clauses) > 0) fputs("</span>", out);
}

/* A policy is the built-in device's: of others it says nothing. */
static void page_attention(const json_t *tree, const struct report_row *row, FILE *out)
{
  char end[160];
  const char *policy = report_json_text(row->about, "policy");
  bool own = report_json_says(tree, "target", "self");
  report_html_text(out, "<tr><th scope=\"row\">", report_json_text(row->about, "name"), "</th>");
  fputs("<td data-label=\"severity\">", out);
  report_html_tag(out, report_json_text(row->about, "severity"));
  fputs("</td>", out);
  report_html_text(out, "<td class=\"keep\" data-label=\"TLS\">", row->tls, "</td>");
  report_html_text(out, "<td data-label=\"seen\">", report_json_text(row->trial, "why"), "");
  report_html_text(out, "<span class=\"quiet\">", report_end_text(row->trial, end, sizeof end),
                   "</span></td>");
  report_html_text(out, "<td data-label=\"the case\">", report_json_text(row->about, "why"), "");
  if (own && policy[0] != '\0' && !report_json_says(row->trial, "why", policy))
    report_html_text(out, "<span class=\"quiet\">", policy, "</span>");
  report_html_text(out, "</td><td data-label=\"reference\">",
                   report_json_text(row->about, "reference"), "");
  page_clauses(row->about, out);
  fputs("</td></tr>\n", out);
}

static void page_verdict(const json_t *tree, enum verdict verdict, const char *title,
                         const char *lead, FILE *out)
{
  struct report_rows rows;
  if (report_rows_make(tree, verdict_word(verdict), &rows) != 0) return;
  if (rows.count > 0)
    fprintf(out,
            "<section><h2>%s</h2>\n<p class=\"lead\">%s</p>\n<div class=\"panel %s\">"
            "<table class=\"cards\"><thead><tr><th>case</th><th>severity</th>"
            "<th class=\"keep\">TLS</th>"
            "<th>what was seen</th><th>what the case is</th><th>reference, clauses</th></tr>"
            "</thead><tbody>\n",
            title, lead, tone_of(verdict_word(verdict)));
  for (size_t r = 0; r < rows.count; r++) page_attention(tree, &rows.row[r], out);
  if (rows.count > 0) fputs("</tbody></table></div></section>\n", out);
  report_rows_free(&rows);
}

/* --- Everything ------------------------------------------------------------------------------- */

static void page_trial(const json_t *tree, const json_t *trial, FILE *out)
{
  char ms[32], bytes[32];
  const json_t *about =
                   json_object_get(json_object_get(tree, "cases"), report_json_text(trial, "case")),
               *seen = json_object_get(trial, "seen");
  report_html_text(out, "<tr><th scope=\"row\">", report_json_text(trial, "case"), "</th>");
  report_html_text(out, "<td class=\"keep\" data-label=\"TLS\">", report_json_text(trial, "tls"),
                   "</td>");
  fputs("<td data-label=\"verdict\">", out);
  report_html_tag(out, report_json_text(trial, "verdict"));
  fputs("</td>", out);
  page_cell(out, "severity", report_json_text(about, "severity"));
  page_cell(out, "conduct", report_json_text(trial, "conduct"));
  page_cell(out, "seen", report_json_text(trial, "why"));
  page_cell(out, "alert", report_json_text(json_object_get(seen, "alert"), "name"));
  page_cell(out, "gave up after", report_ms_text(report_gave_up(trial), ms));
  snprintf(bytes, sizeof bytes, "%.0f", report_json_number(seen, "application_bytes"));
  page_cell(out, "bytes told", bytes);
  fputs("</tr>\n", out);
}

static void page_all(const json_t *tree, FILE *out)
{
  const json_t *trials = json_object_get(tree, "trials");
  fputs("<section><h2>All trials</h2>\n<div class=\"panel\"><table class=\"cards\"><thead><tr>"
        "<th>case</th><th class=\"keep\">TLS</th><th>verdict</th><th>severity</th><th>conduct</th>"
        "<th>what was seen</th><th>alert</th><th>gave up after</th><th>bytes told</th></tr>"
        "</thead><tbody>\n",
        out);
  for (size_t i = 0; i < json_array_size(trials); i++)
    page_trial(tree, json_array_get(trials, i), out);
  fputs("</tbody></table></div></section>\n", out);
}

static void page_foot(const json_t *tree, FILE *out)
{
  const json_t *versions = json_object_get(tree, "versions");
  report_html_text(out, "<footer>fleetsim ", report_json_text(versions, "fleetsim"), "");
  report_html_text(out, ", OpenSSL ", report_json_text(versions, "openssl"),
                   "; results.json beside this page has all of it for programs</footer>\n");
  fputs("</main>\n</body>\n</html>\n", out);
}

static void page_whole(const json_t *tree, FILE *out)
{
  page_head(tree, out);
  page_first(tree, out);
  page_lacks(tree, out);
  page_verdict(tree, VERDICT_FAIL, "Failed", "Severest first.", out);
  page_verdict(tree, VERDICT_WARN, "Warned of",
               "What its owner decided, and what others would not.", out);
  page_verdict(tree, VERDICT_NOT_SHOWN, "Not shown",
               "These trials did not come to the point: they speak neither for nor against it.",
               out);
  report_html_facts(tree, out);
  report_html_standards(tree, out);
  page_all(tree, out);
  page_foot(tree, out);
}

int report_html_write(const json_t *tree, const char *folder, struct error *error)
{
  struct report_markup page;
  report_markup_begin(&page);
  if (page.out != NULL) page_whole(tree, page.out);
  return report_markup_end(&page, folder, "report.html", error);
}
