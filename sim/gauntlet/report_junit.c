/* junit.xml: one test case per trial, whether it came to anything or not, so that every run of the
 * same cases has the same ones. A gauntlet that shows nothing gets a case of its own that says why,
 * so that CI never shows it green. Valid by the schemas of Jenkins' xUnit plugin. */
#include <string.h>

#include "gauntlet/report_markup.h"
#include "gauntlet/report_rows.h"
#include "gauntlet/reports.h"

struct junit_counts {
  unsigned cases, failures, errors, skipped;
};

/* Once as an attribute and once as text: some readers show the one, some the other. */
static void put_reason(FILE *out, const char *element, const char *type, const char *why,
                       const char *more)
{
  fprintf(out, ">\n      <%s type=\"%s\" message=\"", element, type);
  markup_put(out, why);
  fputs("\">", out);
  markup_put(out, why);
  markup_put(out, more);
  fprintf(out, "</%s>\n    </testcase>\n", element);
}

static void put_skip(FILE *out, const char *verdict, const char *why)
{
  fputs(">\n      <skipped>", out); /* a text: the older schemas allow no attribute here */
  markup_put(out, verdict);
  fputs(": ", out);
  markup_put(out, why);
  fputs("</skipped>\n    </testcase>\n", out);
}

static void put_junit_head(FILE *out, const json_t *trial, const json_t *about, unsigned nth)
{
  const char *tls = report_json_text(trial, "tls");
  fputs("    <testcase classname=\"gauntlet.", out);
  markup_put(out, report_json_text(about, "layer"));
  fputs("\" name=\"", out);
  markup_put(out, report_json_text(trial, "case"));
  if (tls[0] != '\0') fputs(", TLS ", out);
  markup_put(out, tls);
  if (nth > 1) fprintf(out, " (%u)", nth); /* readers keep one case of a name */
  double ms = report_json_number(json_object_get(trial, "seen"), "took_ms");
  fprintf(out, "\" time=\"%.3f\"", ms > 0 ? ms / 1000 : 0.0);
}

/* What the case is about, and which page of what says so. */
static const char *about_text(const json_t *about, char out[1024])
{
  const char *reference = report_json_text(about, "reference");
  snprintf(out, 1024, "; the case: %.600s%s%.200s%s; severity %.8s", report_json_text(about, "why"),
           reference[0] != '\0' ? " (" : "", reference, reference[0] != '\0' ? ")" : "",
           report_json_text(about, "severity"));
  return out;
}

static void put_trial(FILE *out, const json_t *tree, size_t at, struct junit_counts *counts)
{
  char more[1024];
  const json_t *trials = json_object_get(tree, "trials"), *trial = json_array_get(trials, at);
  const json_t *about =
      json_object_get(json_object_get(tree, "cases"), report_json_text(trial, "case"));
  const char *verdict = report_json_text(trial, "verdict"), *why = report_json_text(trial, "why");
  counts->cases++;
  put_junit_head(out, trial, about, report_nth(trials, at));
  if (strcmp(verdict, verdict_word(VERDICT_PASS)) == 0 ||
      strcmp(verdict, verdict_word(VERDICT_WARN)) == 0) {
    fputs("/>\n", out);
  } else if (strcmp(verdict, verdict_word(VERDICT_FAIL)) == 0) {
    counts->failures++;
    put_reason(out, "failure", report_json_text(about, "severity"), why, about_text(about, more));
  } else {
    counts->skipped++;
    put_skip(out, verdict, why);
  }
}

/* What no trial shows: that the whole gauntlet shows nothing, or was broken off. */
static void put_whole(FILE *out, const json_t *tree, struct junit_counts *counts)
{
  const char *verdict = report_json_text(tree, "verdict");
  bool broken = strcmp(verdict, "error") == 0 || strcmp(verdict, "interrupted") == 0;
  counts->cases++;
  fputs("    <testcase classname=\"gauntlet\" name=\"it shows something\" time=\"0.000\"", out);
  counts->errors += broken;
  if (broken)
    put_reason(out, "error", verdict, report_json_text(tree, "message"), "");
  else
    fputs("/>\n", out);
}

static void put_counts(FILE *out, const json_t *tree, const struct junit_counts *counts)
{
  fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" time=\"%.3f\"", counts->cases,
          counts->failures, counts->errors, report_json_number(tree, "duration_s"));
}

static void put_suite(FILE *out, const json_t *tree, const struct junit_counts *counts)
{
  fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"fleetsim\"", out);
  put_counts(out, tree, counts);
  fputs(">\n  <testsuite name=\"gauntlet: ", out);
  markup_put(out, report_json_text(tree, "client"));
  fputs("\"", out);
  put_counts(out, tree, counts);
  fprintf(out, " skipped=\"%u\"", counts->skipped);
  if (report_json_text(tree, "started")[0] != '\0') fputs(" timestamp=\"", out);
  markup_put(out, report_json_text(tree, "started"));
  fputs(report_json_text(tree, "started")[0] != '\0' ? "\">\n" : ">\n", out);
}

static void put_all_trials(FILE *out, const json_t *tree, struct junit_counts *counts)
{
  const json_t *trials = json_object_get(tree, "trials");
  put_whole(out, tree, counts);
  for (size_t i = 0; i < json_array_size(trials); i++) put_trial(out, tree, i, counts);
}

int report_junit_write(const json_t *tree, const char *folder, struct error *error)
{
  struct junit_counts counts = {0};
  struct report_markup body, page;
  report_markup_begin(&body);
  report_markup_begin(&page);
  if (body.out != NULL) put_all_trials(body.out, tree, &counts);
  const char *cases = report_markup_text(&body); /* their number stands above them */
  if (page.out != NULL && cases != NULL) {
    put_suite(page.out, tree, &counts);
    fputs(cases, page.out);
    fputs("    <system-out>", page.out);
    markup_put(page.out, report_json_text(tree, "message"));
    fputs("</system-out>\n  </testsuite>\n</testsuites>\n", page.out);
  }
  int status = cases != NULL ? report_markup_end(&page, folder, "junit.xml", error)
                             : error_set(error, EXIT_CODE_INTERNAL,
                                         "not enough memory to write %.200s/junit.xml", folder);
  report_markup_release(&body);
  if (cases == NULL) report_markup_release(&page);
  return status;
}
