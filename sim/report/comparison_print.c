/* A comparison for people: the verdict first, then every figure with what can be said of it, then
 * on what that rests; on a terminal and in Markdown. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/comparison.h"
#include "report/markdown.h"
#include "report/results_json.h"
#include "report/screen.h"
#include "report/shift.h"

#define BOLD_GREEN  "\033[1;32m"
#define BOLD_RED    "\033[1;31m"
#define BOLD_YELLOW "\033[1;33m"
#define PLAIN       "\033[0m"

static const char *state_of(const json_t *row)
{
  return results_json_text(row, "state");
}

static bool is_state(const json_t *row, enum shift_state state)
{
  return strcmp(state_of(row), shift_word(state)) == 0;
}

static const char *headline_word(const json_t *tree)
{
  const char *verdict = results_json_text(tree, "verdict");
  if (strcmp(verdict, shift_word(SHIFT_WORSE)) == 0) return "WORSE";
  if (strcmp(verdict, shift_word(SHIFT_BETTER)) == 0) return "BETTER";
  return strcmp(verdict, shift_word(SHIFT_UNCLEAR)) == 0 ? "UNCLEAR" : "SAME";
}

/* "1 figure is worse, 2 are unclear" or "nothing moved by 10 % or more". */
static const char *headline(const json_t *tree, char out[200])
{
  static const enum shift_state told[] = {SHIFT_WORSE, SHIFT_BETTER, SHIFT_UNCLEAR, SHIFT_NOISE};
  static const char *const words[] = {"worse", "better", "unclear", "no more than noise"};
  const json_t *rows = json_object_get(tree, "figures");
  size_t used = 0, moved = 0;
  out[0] = '\0';
  for (size_t t = 0; t < sizeof told / sizeof *told; t++) {
    size_t count = 0;
    for (size_t r = 0; r < json_array_size(rows); r++)
      count += is_state(json_array_get(rows, r), told[t]);
    if (count == 0) continue;
    moved += t < 3 ? count : 0;
    used += (size_t) snprintf(out + used, 200 - used, "%s%zu %s", used > 0 ? ", " : "", count,
                              words[t]);
  }
  if (moved == 0)
    snprintf(out, 200, "nothing moved by %.4g %% or more%s",
             100 * results_json_number(tree, "threshold"), used > 0 ? " beyond noise" : "");
  return out;
}

/* A figure in the unit that its name ends with. */
static const char *figure_text(const json_t *row, const char *key, char out[32])
{
  const json_t *value = json_object_get(row, key);
  double number = json_number_value(value);
  const char *name = results_json_text(row, "name");
  if (!json_is_number(value))
    snprintf(out, 32, "-");
  else if (strstr(name, "_ms") != NULL)
    snprintf(out, 32, number >= 10000 ? "%.2f s" : "%.2f ms",
             number >= 10000 ? number / 1000 : number);
  else if (strstr(name, "_us") != NULL)
    snprintf(out, 32, "%.0f us", number);
  else if (strstr(name, "_bytes") != NULL)
    snprintf(out, 32, "%.1f KiB", number / 1024);
  else if (strstr(name, "_s") != NULL)
    snprintf(out, 32, "%.2f s", number);
  else
    snprintf(out, 32, "%.10g", number);
  return out;
}

static const char *change_text(const json_t *row, char out[32])
{
  const json_t *change = json_object_get(row, "change");
  if (json_is_number(change))
    snprintf(out, 32, "%+.1f %%", 100 * json_number_value(change));
  else
    snprintf(out, 32, "-");
  return out;
}

/* The state, and on what it rests: "worse, p 0.0079". */
static const char *state_text(const json_t *row, char out[80])
{
  const char *by = results_json_text(row, "by");
  const json_t *p = json_object_get(row, "p");
  int used = snprintf(out, 80, "%.20s", state_of(row));
  if (strcmp(by, "model") == 0)
    snprintf(out + used, 80 - (size_t) used, ", modelled");
  else if (strcmp(by, "seconds") == 0)
    snprintf(out + used, 80 - (size_t) used, ", seconds");
  else if (json_is_number(p))
    snprintf(out + used, 80 - (size_t) used, ", p %.2g", json_number_value(p));
  return out;
}

static size_t runs_of(const json_t *tree, const char *side)
{
  return json_array_size(json_object_get(json_object_get(tree, side), "runs"));
}

/* What such runs can tell at all. */
static const char *grounds(const json_t *tree, char out[600])
{
  double threshold = 100 * results_json_number(tree, "threshold");
  size_t a = runs_of(tree, "a"), b = runs_of(tree, "b");
  if (a >= SHIFT_RUNS && b >= SHIFT_RUNS)
    snprintf(out, 600,
             "Moved: the medians of %zu and %zu runs are %.4g %% or more apart, and chance puts so "
             "many ranks (Mann-Whitney, two-sided) that far apart with p <= %g.",
             a, b, threshold, SHIFT_P);
  else
    snprintf(
        out, 600,
        "%zu and %zu runs: the ranks of runs tell nothing yet, which takes %u of each, made in "
        "turns. Until then a figure has moved by %.4g %% or more if it is modelled, or if no "
        "second of one side lies among those of the other (%u seconds or more); what else is "
        "past that is unclear: it may be this machine.",
        a, b, SHIFT_RUNS, threshold, SHIFT_PARTS);
  return out;
}

/* "rep/01: 1 run", "last-week: 10 runs". */
static const char *side_text(const json_t *tree, const char *side, char out[300])
{
  const json_t *set = json_object_get(tree, side),
               *first = json_array_get(json_object_get(set, "runs"), 0);
  size_t count = runs_of(tree, side);
  snprintf(out, 300, "%.200s: %zu run%s, begun %s%.40s", results_json_text(set, "folder"), count,
           count == 1 ? "" : "s", count == 1 ? "" : "at ", results_json_text(first, "started"));
  text_trim(out);
  return out;
}

/* --- On a terminal ---------------------------------------------------------------------------- */

static void print_lines(const json_t *sentences, const char *before, FILE *out)
{
  for (size_t s = 0; s < json_array_size(sentences); s++) {
    char text[SCREEN_TEXT];
    snprintf(text, sizeof text, "%s%s", before, json_string_value(json_array_get(sentences, s)));
    screen_paragraph(out, 2, text);
  }
}

static void print_row(const json_t *row, FILE *out)
{
  char a[32], b[32], change[32], state[80], name[SCREEN_CELL];
  bool told = is_state(row, SHIFT_WORSE);
  screen_line(out, "%-2s%s %10s %10s %9s  %s",
              told                           ? "x"
              : is_state(row, SHIFT_UNCLEAR) ? "?"
                                             : "",
              screen_cell(results_json_text(row, "name"), 28, name), figure_text(row, "a", a),
              figure_text(row, "b", b), change_text(row, change), state_text(row, state));
}

void comparison_print(const json_t *tree, FILE *out, bool colour)
{
  char text[600];
  const json_t *rows = json_object_get(tree, "figures");
  const char *word = headline_word(tree), *shade = strcmp(word, "WORSE") == 0     ? BOLD_RED
                                                   : strcmp(word, "UNCLEAR") == 0 ? BOLD_YELLOW
                                                                                  : BOLD_GREEN;
  fprintf(out, "%s%s%s  ", colour ? shade : "", word, colour ? PLAIN : "");
  screen_line(out, "%.50s: %s", results_json_text(tree, "scenario"), headline(tree, text));
  screen_line(out, "  A  %s", side_text(tree, "a", text));
  screen_line(out, "  B  %s", side_text(tree, "b", text));
  print_lines(json_object_get(tree, "unlike"), "NOT ALIKE: ", out);
  print_lines(json_object_get(tree, "paused"), "PAUSED: ", out);
  print_lines(json_object_get(tree, "versions"), "", out);
  screen_line(out, "  %-28s %10s %10s %9s  %s", "medians", "A", "B", "change", "");
  for (size_t r = 0; r < json_array_size(rows); r++) print_row(json_array_get(rows, r), out);
  screen_paragraph(out, 2, grounds(tree, text));
  fflush(out);
}

/* --- In Markdown ------------------------------------------------------------------------------ */

static void mark_row(const json_t *row, FILE *out)
{
  char a[32], b[32], change[32], state[80];
  bool bold = is_state(row, SHIFT_WORSE) || is_state(row, SHIFT_BETTER);
  fputs("| ", out);
  markdown_code(out, results_json_text(row, "name"));
  fprintf(out, " | %s | %s | %s | %s", figure_text(row, "a", a), figure_text(row, "b", b),
          change_text(row, change), bold ? "**" : "");
  markdown_text(out, state_text(row, state));
  fprintf(out, "%s |\n", bold ? "**" : "");
}

static void mark_lines(const json_t *sentences, const char *before, FILE *out)
{
  for (size_t s = 0; s < json_array_size(sentences); s++) {
    fprintf(out, "- %s", before);
    markdown_text(out, json_string_value(json_array_get(sentences, s)));
    fputs("\n", out);
  }
}

static void mark_all(const json_t *tree, FILE *out)
{
  char text[600];
  const json_t *rows = json_object_get(tree, "figures");
  fprintf(out, "## %s: ", headline_word(tree));
  markdown_text(out, results_json_text(tree, "scenario"));
  fprintf(out, ": %s\n\n- A: ", headline(tree, text));
  markdown_text(out, side_text(tree, "a", text));
  fputs("\n- B: ", out);
  markdown_text(out, side_text(tree, "b", text));
  fputs("\n", out);
  mark_lines(json_object_get(tree, "unlike"), "**not alike:** ", out);
  mark_lines(json_object_get(tree, "paused"), "**paused:** ", out);
  mark_lines(json_object_get(tree, "versions"), "", out);
  fputs("\n| median | A | B | change | |\n| --- | ---: | ---: | ---: | --- |\n", out);
  for (size_t r = 0; r < json_array_size(rows); r++) mark_row(json_array_get(rows, r), out);
  fputs("\n", out);
  markdown_text(out, grounds(tree, text));
  fputs("\n", out);
}

int comparison_markdown(const json_t *tree, const char *path, struct error *error)
{
  struct markdown_page page;
  markdown_begin(&page);
  if (page.out != NULL) mark_all(tree, page.out);
  return markdown_end(&page, path, error);
}
