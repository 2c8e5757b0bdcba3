/* The summary of a run for a page of CI, in Markdown: the verdict and why, phases, failures with
 * what to do, expectations, times. Written whole or not at all. Of a run without a verdict it says
 * just that, so that no page shows an earlier one. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "report/advice.h"
#include "report/markdown.h"
#include "report/results_json.h"
#include "report/so_far.h"

#define NAMES_TOLD 8u

static const char *word_of(const json_t *tree)
{
  const char *verdict = results_json_text(tree, "verdict");
  if (strcmp(verdict, "pass") == 0) return "PASS";
  if (strcmp(verdict, "fail") == 0) return "FAIL";
  return strcmp(verdict, "interrupted") == 0 ? "STOP" : "ERROR";
}

static bool is_held(const json_t *check)
{
  return json_is_true(json_object_get(check, "pass"));
}

static void tell_verdict(const json_t *tree, FILE *out)
{
  const json_t *fleet = json_object_get(tree, "fleet"),
               *versions = json_object_get(tree, "versions");
  fprintf(out, "## %s: ", word_of(tree));
  markdown_text(out, results_json_text(json_object_get(tree, "scenario"), "name"));
  if (results_json_text(tree, "message")[0] != '\0') {
    fputs("\n\n**Why:** ", out);
    markdown_text(out, results_json_text(tree, "message"));
  }
  if (results_json_unheard(tree))
    fputs("\n\n**Not known:** which messages arrived, or when (operator: none)", out);
  const json_t *brake = json_object_get(tree, "brake");
  if (json_is_true(json_object_get(brake, "acted")))
    fprintf(out, "\n\n**Braked:** the safety brake put %.0f attempts off",
            results_json_number(brake, "held"));
  fprintf(out, "\n\n%.0f devices, %.1f s, fleetsim ", results_json_number(fleet, "devices"),
          results_json_number(tree, "duration_s"));
  markdown_text(out, results_json_text(versions, "fleetsim"));
  fputs(", ", out);
  markdown_text(out, results_json_text(versions, "broker"));
  fputs("\n", out);
}

/* The checks of a phase or of the run: a row each. */
static void tell_check(const char *where, const json_t *check, FILE *out)
{
  fputs("| ", out);
  markdown_text(out, where);
  fputs(is_held(check) ? " | " : " | **no** ", out);
  markdown_code(out, results_json_text(check, "expr"));
  fputs(" | ", out);
  markdown_text(out, results_json_text(check, "observed"));
}

static void tell_phase(const json_t *phase, FILE *out)
{
  const char *name = results_json_text(phase, "name"), *note = results_json_text(phase, "note");
  const json_t *gate = json_object_get(phase, "gate"),
               *own = json_object_get(phase, "expectations");
  char seconds[32];
  snprintf(seconds, sizeof seconds, "%.1f", results_json_number(phase, "duration_s"));
  if (json_is_object(gate))
    tell_check(name, gate, out);
  else {
    fputs("| ", out);
    markdown_text(out, name);
    fputs(" |  | ", out);
  }
  fprintf(out, " | %s |\n", seconds);
  for (size_t e = 0; e < json_array_size(own); e++) {
    tell_check(name, json_array_get(own, e), out);
    fputs(" |  |\n", out);
  }
  if (note[0] == '\0') return;
  fputs("| |  | ", out);
  markdown_text(out, note);
  fputs(" |  |\n", out);
}

static void tell_phases(const json_t *tree, FILE *out)
{
  const json_t *phases = json_object_get(tree, "phases");
  if (json_array_size(phases) == 0) return;
  fputs("\n| phase | gate, expectation | observed | seconds |\n| --- | --- | --- | ---: |\n", out);
  for (size_t p = 0; p < json_array_size(phases); p++) tell_phase(json_array_get(phases, p), out);
}

/* --- Failures --------------------------------------------------------------------------------- */

static void tell_devices(const json_t *devices, FILE *out)
{
  size_t count = json_array_size(devices);
  for (size_t d = 0; d < count && d < NAMES_TOLD; d++) {
    const char *name = json_string_value(json_array_get(devices, d));
    if (d > 0) fputc(' ', out);
    markdown_code(out, name != NULL ? name : "");
  }
}

static void tell_unexpected(const char *name, const json_t *failure, FILE *out)
{
  const char *detail = results_json_text(failure, "unexpected_detail");
  fputs("| ", out);
  markdown_code(out, name);
  fprintf(out, " | %.0f | ",
          results_json_number(failure, "count") - results_json_number(failure, "expected_count"));
  tell_devices(json_object_get(failure, "unexpected_devices"), out);
  fputs(" | ", out);
  markdown_text(out, results_json_text(failure, "sentence"));
  if (detail[0] != '\0') fputs(": ", out);
  markdown_text(out, detail);
  fputs(" | ", out);
  markdown_text(out, advice_by_name(name));
  fputs(" |\n", out);
}

/* First those that nobody foretold, with what to do; the others are the scenario's own. */
static void tell_failures_in(const json_t *tree, FILE *out)
{
  const char *name;
  const json_t *failure;
  bool headed = false, foretold = false;
  json_object_foreach(json_object_get(tree, "failures"), name, failure)
  {
    if (json_is_true(json_object_get(failure, "expected"))) continue;
    if (!headed)
      fputs("\n### Failures that nobody foretold\n\n| failure | times | first devices | what it "
            "means | what to do |\n| --- | ---: | --- | --- | --- |\n",
            out);
    headed = true;
    tell_unexpected(name, failure, out);
  }
  json_object_foreach(json_object_get(tree, "failures"), name, failure)
  {
    if (!json_is_true(json_object_get(failure, "expected"))) continue;
    fputs(foretold ? ", " : "\nFailures that the scenario foretells: ", out);
    foretold = true;
    markdown_code(out, name);
    fprintf(out, " %.0f", results_json_number(failure, "count"));
  }
  if (foretold) fputs("\n", out);
}

/* --- Expectations, times ---------------------------------------------------------------------- */

static void tell_expectations(const json_t *tree, FILE *out)
{
  const json_t *checks = json_object_get(tree, "expectations");
  size_t count = json_array_size(checks), held = 0;
  for (size_t c = 0; c < count; c++) held += is_held(json_array_get(checks, c));
  if (count == 0) return;
  fprintf(out, "\n### Expectations: %zu of %zu hold\n", held, count);
  for (int all = 0; all <= 1; all++) { /* those that do not hold are not hidden */
    if (!all && held == count) continue;
    if (all) fputs("\n<details><summary>all of them</summary>\n", out);
    fputs("\n| | expected | observed |\n| --- | --- | --- |\n", out);
    for (size_t c = 0; c < count; c++) {
      const json_t *check = json_array_get(checks, c);
      if (!all && is_held(check)) continue;
      tell_check(is_held(check) ? "holds" : "fails", check, out);
      fputs(" |\n", out);
    }
    if (all) fputs("\n</details>\n", out);
  }
}

static void tell_times(const json_t *tree, FILE *out)
{
  static const char *const told[] = {"handshake.wall_ms", "handshake.device_ms", "connect.total_ms",
                                     "reconnect.total_ms", "telemetry.latency_ms"};
  bool headed = false;
  for (size_t t = 0; t < sizeof told / sizeof *told; t++) {
    const json_t *stats = json_object_get(json_object_get(tree, "metrics"), told[t]);
    if (results_json_number(stats, "count") <= 0) continue;
    if (!headed)
      fputs("\n### Times\n\n| milliseconds | count | p50 | p99 | max |\n| --- | ---: | ---: | "
            "---: | ---: |\n",
            out);
    headed = true;
    fputs("| ", out);
    markdown_code(out, told[t]);
    fprintf(out, "%s | %.0f | %.2f | %.2f | %.2f |\n",
            strcmp(told[t], "handshake.device_ms") == 0 ? ", modelled" : "",
            results_json_number(stats, "count"), results_json_number(stats, "p50"),
            results_json_number(stats, "p99"), results_json_number(stats, "max"));
  }
}

static void tell_repeat(const json_t *tree, FILE *out)
{
  const char *repeat = results_json_text(tree, "repeat");
  if (repeat[0] == '\0') return;
  fputs("\nTo repeat it:\n\n", out);
  markdown_block(out, repeat);
}

/* --- Files ------------------------------------------------------------------------------------ */

static void tell_why(const char *name, const char *why, FILE *out)
{
  fputs("## NONE: ", out);
  markdown_text(out, name);
  fputs(": no verdict\n\n**Why:** ", out);
  markdown_text(out, why);
  fputs("\n", out);
}

int results_no_markdown(const char *path, const char *name, const char *why, struct error *error)
{
  struct markdown_page page;
  markdown_begin(&page);
  if (page.out != NULL) tell_why(name, why, page.out);
  return markdown_end(&page, path, error);
}

/* Of a folder without results that can be vouched for: why, and how far the run came. */
static void tell_none(const char *folder, const char *why, FILE *out)
{
  char *text = NULL;
  size_t size = 0;
  FILE *so_far = open_memstream(&text, &size);
  if (so_far != NULL) so_far_print(folder, so_far, false);
  if (so_far != NULL && fclose(so_far) != 0) size = 0;
  tell_why(folder, why, out);
  fputs("\n", out);
  if (size > 0) markdown_block(out, text);
  free(text);
}

static void tell_all(const json_t *tree, FILE *out)
{
  tell_verdict(tree, out);
  tell_phases(tree, out);
  tell_failures_in(tree, out);
  tell_expectations(tree, out);
  tell_times(tree, out);
  tell_repeat(tree, out);
}

int results_markdown(const char *folder, const char *path, struct error *error)
{
  struct error why = {0};
  struct markdown_page page;
  json_t *tree = results_json_load(folder, &why);
  markdown_begin(&page);
  if (page.out != NULL && tree != NULL) tell_all(tree, page.out);
  if (page.out != NULL && tree == NULL) tell_none(folder, why.text, page.out);
  int status = markdown_end(&page, path, error);
  if (tree == NULL && status == 0) *error = why;
  if (tree == NULL) status = -1;
  json_decref(tree);
  return status;
}
