/* What a report knows of the client's TLS beside verdicts: its hello, when it gives up, whether and
 * when it tries again, and what it says to whom. */
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/report_rows.h"
#include "gauntlet/report_text.h"
#include "report/screen.h"

#define NTH_MOST 5u

/* --- The hello -------------------------------------------------------------------------------- */

static void show_findings(const json_t *hello, FILE *out)
{
  const json_t *findings = json_object_get(hello, "stands_out");
  for (size_t f = 0; f < json_array_size(findings); f++) {
    char label[SCREEN_CELL];
    const json_t *finding = json_array_get(findings, f);
    bool low = report_json_says(finding, "severity", "low");
    snprintf(label, sizeof label, "%-2s%-13.13s", low ? "" : "!", f == 0 ? "stands out" : "");
    report_text_labelled(out, label, report_json_text(finding, "sentence"));
  }
}

static void show_hello(const json_t *hello, FILE *out)
{
  const json_t *lines = json_object_get(hello, "shown");
  char trials[128];
  screen_line(out, "  its ClientHello (%s)", report_hello_trials(hello, trials));
  for (size_t l = 0; l < json_array_size(lines); l++) {
    char label[SCREEN_CELL];
    const json_t *line = json_array_get(lines, l);
    snprintf(label, sizeof label, "  %-13.13s", report_json_text(line, "label"));
    report_text_labelled(out, label, report_json_text(line, "text"));
  }
  show_findings(hello, out);
}

static void show_hellos(const json_t *tree, FILE *out, bool verbose)
{
  const json_t *hellos = json_object_get(tree, "hellos");
  size_t left = 0;
  for (size_t h = 0; h < json_array_size(hellos); h++) {
    const json_t *hello = json_array_get(hellos, h);
    if (verbose || report_is_usual(tree, hello))
      show_hello(hello, out);
    else
      left++;
  }
  if (left > 0) screen_line(out, "  %zu more that differ: --verbose, results.json", left);
}

/* --- Times ------------------------------------------------------------------------------------ */

static void show_kind(const json_t *kind, FILE *out)
{
  char least[32], median[32], most[32];
  double never = report_json_number(kind, "never");
  screen_line(out, "%-2s%-28.28s %6.0f %10s %10s %10s %6.0f", never > 0 ? "x" : "",
              report_json_text(kind, "of"), report_json_number(kind, "count"),
              report_ms_text(json_object_get(kind, "median_ms"), median),
              report_ms_text(json_object_get(kind, "min_ms"), least),
              report_ms_text(json_object_get(kind, "max_ms"), most), never);
}

static void show_gave_up(const json_t *figures, FILE *out)
{
  const json_t *kinds = json_object_get(figures, "gave_up");
  bool headed = false;
  for (size_t k = 0; k < json_array_size(kinds); k++) {
    const json_t *kind = json_array_get(kinds, k);
    if (report_json_number(kind, "count") == 0 && report_json_number(kind, "never") == 0) continue;
    if (!headed)
      screen_line(out, "  %-28s %6s %10s %10s %10s %6s", "gave up on", "times", "median", "from",
                  "to", "never");
    headed = true;
    show_kind(kind, out);
  }
}

static size_t put_nth(const json_t *nth, size_t n, char *text, size_t size)
{
  char median[32], least[32], most[32];
  int used = snprintf(text, size, "; try %zu after %s (%s to %s, %.0f seen)", n + 2,
                      report_ms_text(json_object_get(nth, "median_ms"), median),
                      report_ms_text(json_object_get(nth, "p10_ms"), least),
                      report_ms_text(json_object_get(nth, "p90_ms"), most),
                      report_json_number(nth, "count"));
  return used > 0 && (size_t) used < size ? (size_t) used : 0;
}

static void show_retries(const json_t *tree, FILE *out)
{
  char text[SCREEN_TEXT];
  const json_t *retries = json_object_get(json_object_get(tree, "figures"), "retries"),
               *nth = json_object_get(retries, "nth");
  size_t used = (size_t) snprintf(text, sizeof text, "in %.0f trials, %.0f times",
                                  report_json_number(retries, "trials"),
                                  report_json_number(retries, "count"));
  for (size_t n = 0; n < json_array_size(nth) && n < NTH_MOST; n++)
    used += put_nth(json_array_get(nth, n), n, text + used, sizeof text - used);
  bool never = report_json_number(retries, "count") == 0;
  report_text_labelled(out, "  tried again  ",
                       never ? "never, while it was watched (--linger)" : text);
  if (report_lacks_jitter(tree))
    report_text_labelled(out, "! no jitter    ",
                         "it comes back after the same time every time, as all of a fleet will "
                         "that lost its broker at once");
}

/* --- What it told ----------------------------------------------------------------------------- */

static void show_told(const json_t *figures, const char *key, const char *label,
                      const char *sentence, FILE *out)
{
  char text[SCREEN_TEXT];
  double trials = report_json_number(figures, key);
  if (trials == 0) return;
  snprintf(text, sizeof text, "%s (%.0f trial%s)", sentence, trials, trials == 1 ? "" : "s");
  report_text_labelled(out, label, text);
}

void report_text_facts(const json_t *tree, FILE *out, bool verbose)
{
  const json_t *figures = json_object_get(tree, "figures");
  show_told(figures, "crashes", "x crashed      ",
            "a sanitizer's report, or the end by a signal such as SIGSEGV", out);
  show_told(figures, "passwords_told", "x password     ",
            "it was sent to a server that should have been refused", out);
  show_told(figures, "plain_requests", "x plain HTTP   ", "a redirect led it to ask without TLS",
            out);
  show_told(figures, "certificate_in_clear", "! in clear     ",
            "before TLS 1.3 its certificate, and with it which device it is, can be read by "
            "anybody on the way",
            out);
  show_hellos(tree, out, verbose);
  show_gave_up(figures, out);
  show_retries(tree, out);
}
