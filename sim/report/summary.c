/* The summary of a run: the verdict and why, phases, figures, failures, what was expected and is
   not; and which of it where there is room for some only. */
#define _POSIX_C_SOURCE 200809L
#include "report/summary.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/screen.h"

#define NAME_COLUMNS 45 /* of the scenario; the verdict, its devices and seconds take the others */
#define BOLD_GREEN   "\033[1;32m"
#define BOLD_RED     "\033[1;31m"
#define PLAIN        "\033[0m"

static void print_verdict(const json_t *tree, FILE *out, bool colour)
{
  const json_t *fleet = json_object_get(tree, "fleet");
  const char *verdict = results_json_text(tree, "verdict");
  bool pass = strcmp(verdict, "pass") == 0;
  const char *word = pass                                  ? "PASS"
                     : strcmp(verdict, "fail") == 0        ? "FAIL"
                     : strcmp(verdict, "interrupted") == 0 ? "STOP"
                                                           : "ERROR";
  fprintf(out, "%s%s%s  ", colour ? (pass ? BOLD_GREEN : BOLD_RED) : "", word, colour ? PLAIN : "");
  const char *name = results_json_text(json_object_get(tree, "scenario"), "name");
  screen_line(out, "%.*s: %.0f devices, %.1f s", (int) text_fit(name, SIZE_MAX, NAME_COLUMNS), name,
              results_json_number(fleet, "devices"), results_json_number(tree, "duration_s"));
  if (!pass) screen_paragraph(out, 2, results_json_text(tree, "message"));
  if (results_json_unheard(tree))
    screen_paragraph(
        out, 2,
        "operator: none: nobody knows which messages arrived, or when, or which trust bundle a "
        "device has acknowledged; none of that is in this verdict");
}

/* Before everything else: what follows is not what the fleet would have done by itself. */
static void print_brake(const json_t *tree, FILE *out)
{
  const json_t *brake = json_object_get(tree, "brake");
  if (!json_is_true(json_object_get(brake, "acted"))) return;
  char text[SCREEN_TEXT];
  snprintf(text, sizeof text,
           "BRAKED: the safety brake acted %.0f times, first at %.1f s (%s: %s), and thinned the "
           "starts to %.4g %% for %.1f s; %.0f attempts were put off",
           results_json_number(brake, "times"), results_json_number(brake, "first_s"),
           results_json_text(brake, "when"), results_json_text(brake, "observed"),
           100 * results_json_number(brake, "rate"), results_json_number(brake, "on_s"),
           results_json_number(brake, "held"));
  screen_paragraph(out, 2, text);
}

static bool passes(const json_t *check)
{
  return json_is_true(json_object_get(check, "pass"));
}

/* What the phase failed by, or else its gate; NULL: it has neither. */
static const json_t *telling_check(const json_t *phase)
{
  const json_t *gate = json_object_get(phase, "gate"),
               *expectations = json_object_get(phase, "expectations");
  if (json_is_object(gate) && !passes(gate)) return gate;
  for (size_t i = 0; i < json_array_size(expectations); i++)
    if (!passes(json_array_get(expectations, i))) return json_array_get(expectations, i);
  if (json_is_object(gate)) return gate;
  return json_array_get(expectations, 0);
}

/* "online == 100% within 60s" -> the size of "online": a gate that held needs no more. */
static int quantity_size(const char *expr)
{
  size_t size = strcspn(expr, "=!<>");
  while (size > 0 && expr[size - 1] == ' ') size--;
  return (int) size;
}

static bool phase_passes(const json_t *phase)
{
  const json_t *check = telling_check(phase);
  return check == NULL || passes(check);
}

static void print_phase(const json_t *phase, FILE *out)
{
  const json_t *check = telling_check(phase);
  const char *note = results_json_text(phase, "note");
  char name[SCREEN_CELL];
  bool pass = phase_passes(phase);
  const char *expr = check != NULL ? results_json_text(check, "expr") : "-";
  screen_line(out, "%-2s%s %7.1f  %.*s%s%s", pass ? "" : "x",
              screen_cell(results_json_text(phase, "name"), 28, name),
              results_json_number(phase, "duration_s"),
              pass ? quantity_size(expr) : (int) strlen(expr), expr, check != NULL ? ": " : "",
              check != NULL ? results_json_text(check, "observed") : "");
  if (note[0] != '\0') screen_paragraph(out, 6, note);
}

static void print_phases(const json_t *tree, FILE *out)
{
  const json_t *phases = json_object_get(tree, "phases");
  if (json_array_size(phases) == 0) return;
  screen_line(out, "  %-28s %7s  %s", "phase", "seconds", "gate: observed");
  for (size_t i = 0; i < json_array_size(phases); i++) print_phase(json_array_get(phases, i), out);
}

/* Those that passed without a word are a number. */
static void print_telling_phases(const json_t *tree, FILE *out)
{
  const json_t *phases = json_object_get(tree, "phases");
  size_t count = json_array_size(phases), passed = 0;
  for (size_t i = 0; i < count; i++) passed += phase_passes(json_array_get(phases, i));
  if (count > 0) screen_line(out, "  phases       %zu of %zu passed", passed, count);
  for (size_t i = 0; i < count; i++) {
    const json_t *phase = json_array_get(phases, i);
    if (!phase_passes(phase) || results_json_text(phase, "note")[0] != '\0')
      print_phase(phase, out);
  }
}

/* Of a failure that was foretold for some of those that had it, devices and detail are of the
 * others. Results of an older fleetsim do not tell them apart. */
static void print_failure(const char *name, const json_t *failure, FILE *out)
{
  double count = results_json_number(failure, "count"),
         foretold = results_json_number(failure, "expected_count");
  bool expected = json_is_true(json_object_get(failure, "expected"));
  const json_t *others = json_object_get(failure, "unexpected_devices");
  bool apart = !expected && json_array_size(others) > 0;
  char names[SCREEN_CELL] = "", how[64] = "unexpected";
  bool beside =
      summary_few_names(apart ? others : json_object_get(failure, "first_devices"), names);
  if (expected) snprintf(how, sizeof how, "expected  ");
  if (!expected && foretold > 0)
    snprintf(how, sizeof how, "%.0f unexpected, %.0f expected:", count - foretold, foretold);
  screen_line(out, "%-2s%-28s %7.0f %s%s", expected ? "" : "x", name, count, how,
              beside ? names : "");
  if (!beside) screen_paragraph(out, 6, names + 1);
  const char *detail = results_json_text(failure, apart ? "unexpected_detail" : "detail");
  char why[SCREEN_TEXT];
  snprintf(why, sizeof why, "%s%s%s", results_json_text(failure, "sentence"),
           detail[0] != '\0' ? ": " : "", detail);
  if (!expected) screen_paragraph(out, 6, why);
}

/* Those that nobody foretold, or those that were. Returns how many of more than `most` are not
   there. */
static size_t print_failures_of(const json_t *tree, bool expected, size_t most, FILE *out)
{
  json_t *failures = json_object_get(tree, "failures"), *failure;
  const char *name;
  size_t count = 0;
  json_object_foreach(failures, name, failure)
  {
    if (json_is_true(json_object_get(failure, "expected")) != expected) continue;
    if (count++ < most) print_failure(name, failure, out);
  }
  return count > most ? count - most : 0;
}

static void print_failures(const json_t *tree, FILE *out)
{
  if (json_object_size(json_object_get(tree, "failures")) == 0) return;
  screen_line(out, "  %-28s %7s", "failures", "count");
  (void) print_failures_of(tree, false, SIZE_MAX, out);
  (void) print_failures_of(tree, true, SIZE_MAX, out);
}

/* Of those that nobody foretold the first ones; of the others how many. */
static void print_telling_failures(const json_t *tree, size_t most, FILE *out)
{
  json_t *failures = json_object_get(tree, "failures"), *failure;
  const char *name;
  double expected = 0;
  size_t names = 0;
  json_object_foreach(failures, name, failure)
  {
    if (!json_is_true(json_object_get(failure, "expected"))) continue;
    expected += results_json_number(failure, "count");
    names++;
  }
  size_t more = print_failures_of(tree, false, most, out);
  if (more > 0)
    screen_line(out, "x failures     %zu more name%s, unexpected", more, more == 1 ? "" : "s");
  if (names > 0)
    screen_line(out, "  failures     %.0f by %zu name%s, all expected", expected, names,
                names == 1 ? "" : "s");
}

static void print_expectations(const json_t *tree, FILE *out)
{
  const json_t *expectations = json_object_get(tree, "expectations");
  size_t count = json_array_size(expectations), held = 0;
  for (size_t i = 0; i < count; i++) held += passes(json_array_get(expectations, i));
  if (count > 0) screen_line(out, "  expectations %zu of %zu hold", held, count);
  for (size_t i = 0; i < count; i++) {
    const json_t *check = json_array_get(expectations, i);
    if (!passes(check))
      screen_line(out, "x %s: observed %s", results_json_text(check, "expr"),
                  results_json_text(check, "observed"));
  }
}

/* --- All of it, or what a window takes -------------------------------------------------------- */

static void print_whole(const json_t *tree, FILE *out, bool colour)
{
  print_verdict(tree, out, colour);
  print_brake(tree, out);
  print_phases(tree, out);
  summary_storms(tree, out);
  summary_figures(tree, out);
  summary_revocation(tree, out);
  summary_kind(tree, out);
  summary_ota(tree, out);
  summary_times(tree, out);
  summary_delayed_connack(tree, out);
  summary_timing(tree, out);
  print_failures(tree, out);
  print_expectations(tree, out);
}

/* What somebody in a hurry reads first is first, and never left out. */
static void print_first(const json_t *tree, FILE *out, bool colour, size_t failures)
{
  print_verdict(tree, out, colour);
  print_brake(tree, out);
  print_telling_phases(tree, out);
  print_expectations(tree, out);
  print_telling_failures(tree, failures, out);
}

static size_t count_lines(const char *text)
{
  size_t lines = 0;
  for (; *text != '\0'; text++) lines += *text == '\n';
  return lines;
}

/* The text of a part, malloc'd; NULL: no memory. */
static char *text_of(void (*print)(const json_t *tree, FILE *out), const json_t *tree)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  print(tree, out);
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

/* One after the other, as far as they fit: a part that does not is left out whole. */
static void print_rest(const json_t *tree, size_t rows, FILE *out)
{
  static void (*const parts[])(const json_t *tree, FILE *out) = {
      summary_figures, summary_ota,    summary_storms,          summary_revocation,
      summary_times,   summary_timing, summary_delayed_connack, summary_kind};
  bool left_out = false;
  for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
    char *text = text_of(parts[p], tree); /* one of those above */
    size_t lines = text != NULL ? count_lines(text) : 0;
    if (lines < rows) { /* the last row is for what is said of the others */
      if (text != NULL) fputs(text, out);
      rows -= lines;
    } else
      left_out = true;
    free(text);
  }
  screen_line(out, "  %s: 'fleetsim report' prints all of it",
              left_out ? "figures and phases that passed are left out here"
                       : "phases that passed are left out here");
}

/* Verdict and failures in as many lines, if that can be; malloc'd. NULL: no memory. */
static char *first_to_fit(const json_t *tree, const struct results_extent *extent)
{
  static const size_t failures[] = {SIZE_MAX, 3, 1};
  char *text = NULL;
  for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
    size_t size;
    free(text);
    text = NULL;
    FILE *page = open_memstream(&text, &size);
    if (page == NULL) return NULL;
    print_first(tree, page, extent->colour, failures[f]);
    fclose(page);
    if (text == NULL || count_lines(text) < extent->rows) break;
  }
  return text;
}

static void print_to_fit(const json_t *tree, FILE *out, const struct results_extent *extent)
{
  char *all = NULL;
  size_t size;
  FILE *page = open_memstream(&all, &size);
  if (page != NULL) print_whole(tree, page, extent->colour), fclose(page);
  bool fits = all == NULL || count_lines(all) <= extent->rows;
  char *first = fits ? NULL : first_to_fit(tree, extent);
  if (all == NULL)
    print_whole(tree, out, extent->colour);
  else
    fputs(first != NULL ? first : all, out);
  size_t lines = first != NULL ? count_lines(first) : 0;
  if (first != NULL) print_rest(tree, lines < extent->rows ? extent->rows - lines : 1, out);
  free(all);
  free(first);
}

void summary_print(const json_t *tree, FILE *out, const struct results_extent *extent)
{
  if (extent->verdict_only) {
    print_verdict(tree, out, extent->colour);
    print_brake(tree, out);
  } else if (extent->rows > 0)
    print_to_fit(tree, out, extent);
  else
    print_whole(tree, out, extent->colour);
  fflush(out);
}
