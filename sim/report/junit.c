#define _POSIX_C_SOURCE 200809L
/* junit.xml: one test case per gate and expectation, in one suite named like the scenario; those that the
 * run did not come to are skipped, so that every run of a scenario has the same ones. A run
 * that did not pass although no check failed (set-up, time limit, Ctrl-C) gets a case of its own,
 * so that CI never shows it green. No two cases have the same name: readers take the second one for
 * the first. It is valid by the schemas of Jenkins' xUnit plugin (junit-4.xsd to junit-10.xsd). */
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/text.h"
#include "report/advice.h"
#include "report/markup.h"
#include "report/results_json.h"

struct tally {
  size_t cases, failures, errors, skipped;
  json_t *seen; /* how many cases have this name so far */
};

/* A check, and where it stands. */
struct place {
  const char *where, *note; /* what the phase wants said, or "" */
  double seconds;
};

/* Once as an attribute and once as text: some readers show the one, some (GitLab) the other. */
static void put_element(FILE *out, const char *element, const char *type, const char *const parts[])
{
  fprintf(out, ">\n      <%s type=\"%s\" message=\"", element, type);
  for (size_t p = 0; parts[p] != NULL; p++) markup_put(out, parts[p]);
  fputs("\">", out);
  for (size_t p = 0; parts[p] != NULL; p++) markup_put(out, parts[p]);
  fprintf(out, "</%s>\n    </testcase>\n", element);
}

/* Jenkins takes a class's last dot for the end of its package, and puts what has none into "(root)". */
static void put_class(FILE *out, const json_t *tree)
{
  char name[256];
  text_copy(name, sizeof name, results_json_text(json_object_get(tree, "scenario"), "name"));
  for (char *c = name; *c != '\0'; c++)
    if (*c == '.') *c = '_';
  fputs("fleetsim.", out);
  markup_put(out, name);
}

/* Which one of this name it is, from 1. */
static json_int_t nth_of(struct tally *tally, const char *where, const char *expr)
{
  char name[512];
  snprintf(name, sizeof name, "%s: %s", where, expr);
  text_trim(name);
  json_int_t nth = json_integer_value(json_object_get(tally->seen, name)) + 1;
  (void) json_object_set_new(tally->seen, name, json_integer(nth));
  return nth;
}

static void put_case_head(FILE *out, const json_t *tree, const struct place *place,
                          const char *expr, struct tally *tally)
{
  json_int_t nth = nth_of(tally, place->where, expr);
  tally->cases++;
  fputs("    <testcase classname=\"", out);
  put_class(out, tree);
  fputs("\" name=\"", out);
  markup_put(out, place->where);
  if (expr[0] != '\0') fputs(": ", out);
  markup_put(out, expr);
  if (nth > 1) fprintf(out, " (%lld)", (long long) nth);
  fprintf(out, "\" time=\"%.3f\"", place->seconds);
}

static void put_check(FILE *out, const json_t *tree, const struct place *place, const json_t *check,
                      struct tally *tally)
{
  const char *expr = results_json_text(check, "expr");
  put_case_head(out, tree, place, expr, tally);
  if (json_is_true(json_object_get(check, "pass"))) {
    fputs("/>\n", out);
    return;
  }
  tally->failures++;
  put_element(out, "failure", "expectation",
              (const char *const[]){"expected ", expr, ", observed ",
                                    results_json_text(check, "observed"),
                                    place->note[0] != '\0' ? "; " : "", place->note, NULL});
}

static void put_checks(FILE *out, const json_t *tree, const struct place *place,
                       const json_t *checks, struct tally *tally)
{
  for (size_t i = 0; i < json_array_size(checks); i++)
    put_check(out, tree, place, json_array_get(checks, i), tally);
}

static void put_skipped(FILE *out, const json_t *tree, const char *where, const char *expr,
                        const char *why, struct tally *tally)
{
  put_case_head(out, tree, &(struct place){where, "", 0}, expr, tally);
  fputs(">\n      <skipped>", out); /* a text: the older schemas allow no attribute here */
  markup_put(out, why);
  fputs("</skipped>\n    </testcase>\n", out);
  tally->skipped++;
}

static void put_missed(FILE *out, const json_t *tree, const char *where, const json_t *planned,
                       const json_t *checks, const char *why, struct tally *tally)
{
  json_t *missed = results_plan_missed(planned, checks);
  for (size_t m = 0; m < json_array_size(missed); m++)
    put_skipped(out, tree, where, json_string_value(json_array_get(missed, m)), why, tally);
  json_decref(missed);
}

/* A reader of green cases alone is told what they are not about. */
static void put_unknown(FILE *out, const json_t *tree)
{
  if (!results_json_unheard(tree)) return;
  fputs("    <properties>\n      <property name=\"operator\" value=\"none: what arrived is not "
        "known\"/>\n    </properties>\n",
        out);
}

/* What was planned of a phase that began, and has not been looked at: a step failed, or the gate did. */
static void put_rest_of(FILE *out, const json_t *tree, const json_t *phase, const json_t *plan,
                        struct tally *tally)
{
  static const char why[] = "its phase ended before that";
  const char *gate = results_json_text(plan, "gate"),
             *seen = results_json_text(json_object_get(phase, "gate"), "expr");
  const char *where = results_json_text(phase, "name");
  if (gate[0] != '\0' && strcmp(gate, seen) != 0) put_skipped(out, tree, where, gate, why, tally);
  put_missed(out, tree, where, json_object_get(plan, "expectations"),
             json_object_get(phase, "expectations"), why, tally);
}

static void put_phase(FILE *out, const json_t *tree, const json_t *phase, struct tally *tally)
{
  const json_t *gate = json_object_get(phase, "gate");
  struct place place = {results_json_text(phase, "name"), results_json_text(phase, "note"),
                        results_json_number(phase, "duration_s")};
  if (json_is_object(gate)) put_check(out, tree, &place, gate, tally);
  place.seconds = 0; /* the phase's own are the gate's */
  put_checks(out, tree, &place, json_object_get(phase, "expectations"), tally);
}

static void put_never(FILE *out, const json_t *tree, const json_t *plan, struct tally *tally)
{
  static const char why[] = "the run did not come to this phase";
  const char *where = results_json_text(plan, "name"), *gate = results_json_text(plan, "gate");
  if (gate[0] != '\0') put_skipped(out, tree, where, gate, why, tally);
  put_missed(out, tree, where, json_object_get(plan, "expectations"), NULL, why, tally);
}

static void put_phases(FILE *out, const json_t *tree, struct tally *tally)
{
  const json_t *phases = json_object_get(tree, "phases"),
               *plans = json_object_get(json_object_get(tree, "planned"), "phases");
  size_t begun = json_array_size(phases), planned = json_array_size(plans);
  for (size_t i = 0; i < begun; i++) {
    put_phase(out, tree, json_array_get(phases, i), tally);
    put_rest_of(out, tree, json_array_get(phases, i), json_array_get(plans, i), tally);
  }
  for (size_t i = begun; i < planned; i++) put_never(out, tree, json_array_get(plans, i), tally);
}

static void put_whole(FILE *out, const json_t *tree, struct tally *tally)
{
  static const char where[] = "whole run";
  const json_t *checks = json_object_get(tree, "expectations"),
               *planned = json_object_get(json_object_get(tree, "planned"), "expectations");
  put_checks(out, tree, &(struct place){where, "", 0}, checks, tally);
  put_missed(out, tree, where, planned, checks, "the run ended before that", tally);
}

static void put_run(FILE *out, const json_t *tree, struct tally *tally)
{
  const char *verdict = results_json_text(tree, "verdict");
  if (strcmp(verdict, "pass") == 0 || tally->failures > 0) return;
  bool failed = strcmp(verdict, "fail") == 0;
  const struct place place = {"the run", "", results_json_number(tree, "duration_s")};
  put_case_head(out, tree, &place, "", tally);
  put_element(out, failed ? "failure" : "error", verdict,
              (const char *const[]){results_json_text(tree, "message"), NULL});
  tally->failures += failed;
  tally->errors += !failed;
}

static void put_failure(FILE *out, const char *name, const json_t *failure)
{
  const json_t *others = json_object_get(failure, "unexpected_devices");
  fprintf(out, "%s: %.0f unexpected:", name,
          results_json_number(failure, "count") - results_json_number(failure, "expected_count"));
  for (size_t i = 0; i < json_array_size(others); i++) {
    fputs(" ", out);
    markup_put(out, json_string_value(json_array_get(others, i)));
  }
  fputs("\n  ", out);
  markup_put(out, results_json_text(failure, "sentence"));
  const char *detail = results_json_text(failure, "unexpected_detail");
  if (detail[0] != '\0') fputs(": ", out);
  markup_put(out, detail);
  fputs("\n  to do: ", out);
  markup_put(out, advice_by_name(name));
  fputs("\n", out);
}

/* What nobody foretold, and what to do about it. */
static void put_output(FILE *out, const json_t *tree)
{
  const char *name;
  const json_t *failure;
  bool opened = false;
  json_object_foreach(json_object_get(tree, "failures"), name, failure)
  {
    if (json_is_true(json_object_get(failure, "expected"))) continue;
    if (!opened) fputs("    <system-out>", out);
    opened = true;
    put_failure(out, name, failure);
  }
  if (opened) fputs("</system-out>\n", out);
}

static void put_totals(FILE *out, const json_t *tree, const struct tally *tally)
{
  fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"", tally->cases,
          tally->failures, tally->errors, results_json_number(tree, "duration_s"));
}

static void put_suite_head(FILE *out, const json_t *tree, const struct tally *tally)
{
  fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"fleetsim\"", out);
  put_totals(out, tree, tally);
  fputs(">\n  <testsuite name=\"", out);
  markup_put(out, results_json_text(json_object_get(tree, "scenario"), "name"));
  fputs("\"", out);
  put_totals(out, tree, tally);
  fprintf(out, " skipped=\"%zu\" timestamp=\"", tally->skipped);
  markup_put(out, results_json_text(tree, "started"));
  fputs("\">\n", out);
}

/* Closes the stream; the text it gathered, or NULL when memory was short. */
static char *finish(FILE *stream, char **text)
{
  bool failed = ferror(stream) != 0;
  if (fclose(stream) == 0 && !failed) return *text;
  free(*text);
  return NULL;
}

int junit_write(const json_t *tree, const char *path, char sha256[DIGEST_TEXT], struct error *error)
{
  char *cases = NULL, *document = NULL;
  size_t cases_size = 0, size = 0;
  struct tally tally = {.seen = json_object()};
  FILE *body = open_memstream(&cases, &cases_size);
  if (body != NULL) {
    put_phases(body, tree, &tally);
    put_whole(body, tree, &tally);
    put_run(body, tree, &tally);
    cases = finish(body, &cases);
  }
  FILE *out = cases != NULL ? open_memstream(&document, &size) : NULL;
  if (out != NULL) {
    put_suite_head(out, tree, &tally);
    put_unknown(out, tree);
    fputs(cases, out);
    put_output(out, tree);
    fputs("  </testsuite>\n</testsuites>\n", out);
    document = finish(out, &document);
  }
  free(cases);
  json_decref(tally.seen);
  if (document == NULL || digest_of(document, size, sha256) != 0) {
    free(document);
    return error_set(error, EXIT_CODE_SETUP, "not enough memory to write %s", path);
  }
  int status = files_write(path, document, size, 0644, error);
  free(document);
  return status;
}
