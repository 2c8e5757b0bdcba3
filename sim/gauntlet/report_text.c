/* A report on a terminal: what the owner must know, counts, what deserves attention, and then what
 * is known of the client's TLS. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/report_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/report_rows.h"
#include "gauntlet/reports.h"
#include "report/screen.h"

#define BOLD_GREEN  "\033[1;32m"
#define BOLD_RED    "\033[1;31m"
#define BOLD_YELLOW "\033[1;33m"
#define PLAIN       "\033[0m"
#define WHYS_MOST   12u /* rows that are told with what was seen; more of them are a list */

/* --- Lines ------------------------------------------------------------------------------------ */

/* What of the paragraph's first indent is there already is left out. */
static void show_hanging(FILE *out, size_t taken, int indent, const char *text)
{
  char *lines = NULL;
  size_t size;
  FILE *page = open_memstream(&lines, &size);
  if (page != NULL) screen_paragraph(page, indent, text);
  if (page != NULL && fclose(page) == 0 && size > taken)
    fputs(lines + taken, out);
  else
    fputc('\n', out);
  free(lines);
}

void report_text_labelled(FILE *out, const char *label, const char *text)
{
  screen_put(out, label, SCREEN_COLUMNS);
  show_hanging(out, strlen(label), (int) strlen(label), text);
}

static const char *shade_of(const char *word)
{
  static const char *const good[] = {"PASS", "BETTER", "SAME"};
  for (size_t g = 0; g < sizeof good / sizeof *good; g++)
    if (strcmp(word, good[g]) == 0) return BOLD_GREEN;
  return strcmp(word, "FAIL") == 0 || strcmp(word, "WORSE") == 0 ? BOLD_RED : BOLD_YELLOW;
}

void report_text_headline(FILE *out, const char *word, const char *sentence, bool colour)
{
  size_t columns = strlen(word);
  fprintf(out, "%s%s%s", colour ? shade_of(word) : "", word, colour ? PLAIN : "");
  show_hanging(out, columns, (int) columns + 2, sentence);
}

const char *report_text_verdict(const json_t *tree)
{
  static const char *const shown[][2] = {
      {"pass", "PASS"}, {"fail", "FAIL"}, {"warn", "WARN"}, {"interrupted", "STOP"}};
  for (size_t s = 0; s < sizeof shown / sizeof *shown; s++)
    if (report_json_says(tree, "verdict", shown[s][0])) return shown[s][1];
  return "NONE";
}

/* --- Client, counts --------------------------------------------------------------------------- */

static void show_client(const json_t *tree, FILE *out)
{
  char text[160];
  const char *command = report_json_text(tree, "command"),
             *client = report_json_text(tree, "client");
  size_t trials = json_array_size(json_object_get(tree, "trials")),
         cases = json_object_size(json_object_get(tree, "cases"));
  if (strncmp(command, client, strlen(client)) != 0 || client[0] == '\0')
    report_text_labelled(out, "  client       ", client);
  if (command[0] != '\0') report_text_labelled(out, "  command      ", command);
  snprintf(text, sizeof text, "%zu trial%s of %zu case%s in %.1f s, begun %.40s", trials,
           trials == 1 ? "" : "s", cases, cases == 1 ? "" : "s",
           report_json_number(tree, "duration_s"), report_json_text(tree, "started"));
  report_text_labelled(out, "  tried        ", text);
}

static unsigned long cell_of(const json_t *by, enum case_severity severity)
{
  return (unsigned long) report_json_number(by, case_severity_word(severity));
}

static void show_count(const json_t *tree, const char *mark, const char *word, const char *label,
                       bool always, FILE *out)
{
  const json_t *by = json_object_get(json_object_get(tree, "tally"), word);
  unsigned long high = cell_of(by, CASE_HIGH), medium = cell_of(by, CASE_MEDIUM),
                low = cell_of(by, CASE_LOW), all = high + medium + low;
  if (all == 0 && !always) return;
  screen_line(out, "%-2s%-24s %8lu %8lu %8lu %8lu", all > 0 ? mark : "", label, high, medium, low,
              all);
}

static void show_counts(const json_t *tree, FILE *out)
{
  char score[32] = "trials by severity";
  const json_t *points = json_object_get(tree, "score");
  if (json_is_number(points))
    snprintf(score, sizeof score, "score %.0f of 100", json_number_value(points));
  screen_line(out, "  %-24s %8s %8s %8s %8s", score, "high", "medium", "low", "all");
  show_count(tree, "", "pass", "passed", true, out);
  show_count(tree, "x", "fail", "failed", true, out);
  show_count(tree, "!", "warn", "warned of", false, out);
  show_count(tree, "?", "not_shown", "not shown", false, out);
  show_count(tree, "", "not_offered", "not offered", false, out);
  show_count(tree, "", "skipped", "skipped", false, out);
}

static void show_lack(const json_t *lack, bool first, bool partly, FILE *out)
{
  char label[SCREEN_CELL], text[SCREEN_TEXT];
  const char *begin = partly ? "x checks partly   " : "x does not check  ";
  snprintf(label, sizeof label, "%s%-13.13s", first ? begin : "                  ",
           report_json_text(lack, "flaw"));
  snprintf(text, sizeof text, "%.0f of %.0f trials that need it were failed",
           report_json_number(lack, "failed"), report_json_number(lack, "judged"));
  report_text_labelled(out, label, partly ? text : report_json_text(lack, "sentence"));
}

/* First those that are not there at all. */
static void show_lacks(const json_t *tree, FILE *out)
{
  const json_t *lacks = json_object_get(tree, "lacks");
  for (int partly = 0; partly <= 1; partly++) {
    bool first = true;
    for (size_t l = 0; l < json_array_size(lacks); l++) {
      const json_t *lack = json_array_get(lacks, l);
      if (report_json_is(lack, "partly") != (partly == 1)) continue;
      show_lack(lack, first, partly == 1, out);
      first = false;
    }
  }
}

/* --- What deserves attention ------------------------------------------------------------------ */

static void show_row(const struct report_row *row, const char *mark, bool with_why, FILE *out)
{
  screen_line(out, "%-2s%-8.8s%-9s  %s", mark, report_json_text(row->about, "severity"), row->tls,
              report_json_text(row->about, "name"));
  if (with_why) screen_paragraph(out, 21, report_json_text(row->trial, "why"));
}

static bool is_low(const struct report_row *row)
{
  return report_json_says(row->about, "severity", case_severity_word(CASE_LOW));
}

/* "name (1.2, 1.3)", behind others. */
static void put_name(FILE *out, const struct report_row *row, bool first)
{
  fprintf(out, "%s%s", first ? "" : ", ", report_json_text(row->about, "name"));
  if (strcmp(row->tls, "-") != 0) fprintf(out, " (%s)", row->tls);
}

/* Those of low severity, of many. */
static void show_low(const struct report_rows *rows, const char *mark, FILE *out)
{
  char *text = NULL, label[SCREEN_CELL];
  size_t size, count = 0;
  FILE *page = open_memstream(&text, &size);
  for (size_t r = 0; page != NULL && r < rows->count; r++)
    if (is_low(&rows->row[r])) put_name(page, &rows->row[r], count++ == 0);
  snprintf(label, sizeof label, "%-2slow     ", mark);
  if (page != NULL && fclose(page) == 0 && count > 0) report_text_labelled(out, label, text);
  free(text);
}

static void show_verdict(const json_t *tree, enum verdict verdict, const char *mark, FILE *out)
{
  struct report_rows rows;
  if (report_rows_make(tree, verdict_word(verdict), &rows) != 0) return;
  bool few = rows.count <= WHYS_MOST;
  for (size_t r = 0; r < rows.count; r++)
    if (few || !is_low(&rows.row[r])) show_row(&rows.row[r], mark, few, out);
  if (!few) show_low(&rows, mark, out);
  if (!few) screen_line(out, "  what was seen in each: --verbose, report.html, results.json");
  report_rows_free(&rows);
}

/* Names of the cases that are open for the same reason as row `from`, with commas; of many how many. */
static void show_named(const struct report_rows *rows, size_t from, FILE *out)
{
  char *text = NULL;
  size_t size, count = 0;
  FILE *page = open_memstream(&text, &size);
  const char *why = report_json_text(rows->row[from].trial, "why");
  for (size_t r = from; page != NULL && r < rows->count; r++) {
    const struct report_row *row = &rows->row[r];
    if (!report_json_says(row->trial, "why", why)) continue;
    put_name(page, row, count++ == 0);
  }
  bool told = page != NULL && fclose(page) == 0;
  if (told && count <= WHYS_MOST)
    screen_paragraph(out, 4, text);
  else
    screen_line(out, "    %zu cases; --verbose names them", count);
  free(text);
}

static bool is_first_of_its_why(const struct report_rows *rows, size_t at)
{
  const char *why = report_json_text(rows->row[at].trial, "why");
  for (size_t r = 0; r < at; r++)
    if (report_json_says(rows->row[r].trial, "why", why)) return false;
  return true;
}

/* One reason and all that it keeps open: a client that never came has one for all. */
static void show_open(const json_t *tree, enum verdict verdict, const char *label, FILE *out)
{
  struct report_rows rows;
  if (report_rows_make(tree, verdict_word(verdict), &rows) != 0) return;
  for (size_t r = 0; r < rows.count; r++) {
    if (!is_first_of_its_why(&rows, r)) continue;
    report_text_labelled(out, label, report_json_text(rows.row[r].trial, "why"));
    show_named(&rows, r, out);
  }
  report_rows_free(&rows);
}

/* --- Every trial ------------------------------------------------------------------------------ */

static const char *mark_of(const json_t *trial)
{
  if (report_json_says(trial, "verdict", verdict_word(VERDICT_FAIL))) return "x";
  if (report_json_says(trial, "verdict", verdict_word(VERDICT_WARN))) return "!";
  return report_json_says(trial, "verdict", verdict_word(VERDICT_NOT_SHOWN)) ? "?" : "";
}

static void show_trial(const json_t *tree, const json_t *trial, FILE *out)
{
  char end[160];
  const char *id = report_json_text(trial, "case"), *tls = report_json_text(trial, "tls");
  const json_t *about = json_object_get(json_object_get(tree, "cases"), id);
  screen_line(out, "%-2s%-12.12s%-7.7s%-4.4s %s", mark_of(trial),
              report_json_text(trial, "verdict"), report_json_text(about, "severity"),
              tls[0] != '\0' ? tls : "-", id);
  screen_paragraph(out, 26, report_json_text(trial, "why"));
  screen_paragraph(out, 26, report_end_text(trial, end, sizeof end));
}

static void show_all(const json_t *tree, FILE *out)
{
  const json_t *trials = json_object_get(tree, "trials");
  for (size_t i = 0; i < json_array_size(trials); i++)
    show_trial(tree, json_array_get(trials, i), out);
}

static void put_attention(const json_t *tree, bool verbose, FILE *out)
{
  show_lacks(tree, out);
  show_verdict(tree, VERDICT_FAIL, "x", out);
  show_verdict(tree, VERDICT_WARN, "!", out);
  show_open(tree, VERDICT_NOT_SHOWN, "? not shown: ", out);
  show_open(tree, VERDICT_SKIPPED, "  skipped: ", out);
  if (verbose) show_all(tree, out);
}

/* Behind an empty line, if there is any. */
static void show_attention(const json_t *tree, bool verbose, FILE *out)
{
  char *text = NULL;
  size_t size = 0;
  FILE *page = open_memstream(&text, &size);
  if (page == NULL) put_attention(tree, verbose, out);
  if (page != NULL) put_attention(tree, verbose, page);
  if (page != NULL && fclose(page) == 0 && size > 0) fprintf(out, "\n%s", text);
  free(text);
}

void report_print(const json_t *tree, FILE *out, const struct report_extent *extent)
{
  report_text_headline(out, report_text_verdict(tree), report_json_text(tree, "message"),
                       extent->colour);
  show_client(tree, out);
  show_counts(tree, out);
  show_attention(tree, extent->verbose, out);
  fputc('\n', out);
  report_text_facts(tree, out, extent->verbose);
  fflush(out);
}
