/* Any text as results.json of a gauntlet: refused with a sentence, or shown in every form without a
 * line that is too wide for a screen or steers a terminal, and without a change between it and
 * itself. */
#define _GNU_SOURCE
#include <jansson.h>

#include "base/text.h"
#include "gauntlet/reports.h"
#include "scratch.h"

static void check_lines(char *text)
{
  for (char *line = text; *line != '\0';) {
    size_t size = strcspn(line, "\n");
    bool last = line[size] == '\0';
    line[size] = '\0';
    require(text_columns(line) <= 80, "a line fits on a screen");
    for (const char *c = line; *c != '\0'; c++)
      require((unsigned char) *c >= 0x20 && *c != 0x7f, "a line leaves the terminal alone");
    line += size + (last ? 0 : 1);
  }
}

static void show(const json_t *tree, bool verbose)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  require(out != NULL, "there is memory");
  report_print(tree, out, &(struct report_extent){.verbose = verbose});
  require(fclose(out) == 0, "all is printed");
  check_lines(text);
  free(text);
}

static void write_pages(const json_t *tree)
{
  struct error error;
  require(report_html_write(tree, scratch, &error) == 0 &&
              report_junit_write(tree, scratch, &error) == 0 &&
              report_markdown_write(tree, scratch_path("summary.md"), &error) == 0,
          "pages are written");
}

static void compare(const json_t *a, const json_t *b)
{
  char *text = NULL;
  size_t size;
  json_t *comparison = report_compare(a, "a", b, "b");
  FILE *out = open_memstream(&text, &size);
  require(comparison != NULL && out != NULL, "there is memory");
  require(a != b || report_json_says(comparison, "verdict", "same"),
          "nothing changed between a report and itself");
  report_compare_print(comparison, out, false);
  require(fclose(out) == 0, "all is printed");
  check_lines(text);
  free(text);
  json_decref(comparison);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static json_t *before; /* the last report that was one */
  struct error error = {.code = EXIT_CODE_PASS};
  if (scratch[0] == '\0') scratch_begin();
  (void) scratch_write("results.json", data, size);
  json_t *tree = report_load(scratch, &error);
  if (tree == NULL) {
    require(error.code != EXIT_CODE_PASS && error.text[0] != '\0', "a refusal has a sentence");
    return 0;
  }
  require(report_is_in(scratch), "what is a report is one of a gauntlet");
  show(tree, size % 2 == 0);
  if (size % 4 == 0) write_pages(tree);
  compare(tree, tree);
  if (before != NULL) compare(before, tree);
  json_decref(before);
  before = tree;
  return 0;
}
