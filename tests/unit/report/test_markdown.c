/* Summaries in Markdown: what users call things is never markup, and no page says pass of what is
 * none. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/markdown.h"
#include "sample.h"

static void expect_contains(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void expect_put(void (*put)(FILE *out, const char *text), const char *text,
                       const char *expected)
{
  char *seen = NULL;
  size_t size;
  FILE *out = open_memstream(&seen, &size);
  assert_non_null(out);
  put(out, text);
  fclose(out);
  assert_string_equal(seen, expected);
  free(seen);
}

static void no_text_ends_a_cell_opens_an_element_or_is_markup(void **state)
{
  (void) state;
  expect_put(markdown_text, "a|b", "a&#124;b");
  expect_put(markdown_text, "a\\|b", "a&#92;&#124;b");
  expect_put(markdown_text, "<img src=x onerror=y>", "&#60;img src=x onerror=y&#62;");
  expect_put(markdown_text, "&lt;b&gt;", "&#38;lt;b&#38;gt;");
  expect_put(markdown_text, "`x` *y* ~z~", "&#96;x&#96; &#42;y&#42; &#126;z&#126;");
  expect_put(markdown_text, "![a](b) @me #7 $x$", "&#33;&#91;a&#93;(b) &#64;me &#35;7 &#36;x&#36;");
  expect_put(markdown_text, "one\r\ntwo\n\n# three\tfour", "one  two  &#35; three four");
  expect_put(markdown_text, "not_trusted _a_ __", "not_trusted &#95;a&#95; &#95;&#95;");
  expect_put(markdown_text, "\x1b[31m\x7f\xc2\x9b.", " &#91;31m  .");
  expect_put(markdown_text, "\xc3\xa4\xff\xf0\x9f", "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  expect_put(markdown_code, "a|b</code>", "<code>a&#124;b&#60;/code&#62;</code>");
}

static void a_fence_is_longer_than_any_in_the_text(void **state)
{
  (void) state;
  expect_put(markdown_block, "a", "```text\na\n```\n");
  expect_put(markdown_block, "a\n```\nb\n", "````text\na\n```\nb\n````\n");
  expect_put(markdown_block, "`````", "``````text\n`````\n``````\n");
}

static char *written(int expected)
{
  char path[FILES_PATH_MAX];
  struct error error = {0};
  assert_int_equal(files_join(path, sample.folder, "summary.md", NULL), 0);
  int status = results_markdown(sample.folder, path, &error);
  if (status != expected) fail_msg("%d: %s", status, error.text);
  char *text = sample_read(&sample, "summary.md");
  assert_non_null(text);
  return text;
}

static void the_verdict_comes_first_with_its_sentence(void **state)
{
  (void) state;
  sample_conclude(&sample);
  char *text = written(0);
  assert_ptr_equal(strstr(text, "## FAIL: root &#34;CA&#34; rotation\n\n**Why:** expected "
                                "devices.lost == 0, observed 2\n\n1000 devices, 41.2 s, fleetsim "
                                "0.1.0"),
                   text);
  expect_contains(text,
                  "| baseline | <code>online &#62;= 100%</code> | 1000 of 1000 (100%) | 5.2 |");
  expect_contains(text, "| drop &#60;A&#62; &#38; B |  |  | 3.0 |\n| drop &#60;A&#62; &#38; B | "
                        "<code>refused == 100%</code> | 10 of 10 (100%) |  |\n| |  | rolled back 1 "
                        "step |  |\n");
  expect_contains(text, "| <code>connect.tcp.reset</code> | 1 | <code>00000b01</code> | ");
  expect_contains(text,
                  ": peer &#34;x&#34; &#60;gone&#62; &#38;  &#91;31mred | a full accept queue");
  expect_contains(text, "the scenario foretells: <code>connect.tls.not_trusted</code> 10\n");
  expect_contains(text,
                  "### Expectations: 2 of 3 hold\n\n| | expected | observed |\n| --- | --- | "
                  "--- |\n| fails | **no** <code>devices.lost == 0</code> | 2 |\n\n<details>");
  expect_contains(text, "| <code>handshake.wall_ms</code> | 1000 | 500.");
  free(text);
}

static void a_pass_has_no_sentence_and_hides_what_holds(void **state)
{
  (void) state;
  sample_pass(&sample);
  sample_conclude(&sample);
  char *text = written(0);
  assert_ptr_equal(strstr(text, "## PASS: root &#34;CA&#34; rotation\n\n1000 devices"), text);
  assert_null(strstr(text, "**Why:**"));
  expect_contains(text, "### Expectations: 3 of 3 hold\n\n<details>");
  free(text);
}

/* As many cells in each row as its table has columns, whatever things are called. */
static void every_row_has_its_tables_cells(void **state)
{
  (void) state;
  strcpy(sample.phases[0].name, "a | b \\| `c | d` \n\n| e");
  strcpy(sample.phases[0].gate.observed, "1 | 2 | 3\n4");
  strcpy(sample.phases[1].note, "| | |");
  strcpy(sample.checks[0].expr, "telemetry.lost < 5 | <b>");
  sample_name(&sample);
  sample_conclude(&sample);
  char *text = written(0);
  int wanted = 0;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    int bars = 0;
    for (const char *c = line; *c != '\0'; c++) bars += *c == '|';
    if (line[0] != '|') assert_int_equal(bars, 0);
    if (line[0] != '|') wanted = 0;
    if (line[0] == '|' && wanted == 0) wanted = bars;
    if (bars != wanted) fail_msg("%d bars, and the table has %d: %s", bars, wanted, line);
  }
  free(text);
}

static void what_nothing_vouches_for_has_no_verdict(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  sample_pass(&sample);
  sample_conclude(&sample);
  assert_int_equal(files_join(path, sample.folder, "events.ndjson", NULL), 0);
  assert_int_equal(files_write(path, "{}\n", 3, 0644, NULL), 0);
  char *text = written(-1);
  assert_ptr_equal(strstr(text, "## NONE: "), text);
  expect_contains(text, "did not end");
  assert_null(strstr(text, "PASS"));
  free(text);
}

static void a_page_that_cannot_be_written_is_a_sentence(void **state)
{
  (void) state;
  struct error error = {0};
  sample_conclude(&sample);
  assert_int_equal(results_markdown(sample.folder, "/nonexistent/x.md", &error), -1);
  assert_non_null(strstr(error.text, "cannot write /nonexistent/x.md: No such file"));
  assert_int_equal(error.code, EXIT_CODE_SETUP);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      test(no_text_ends_a_cell_opens_an_element_or_is_markup),
      test(a_fence_is_longer_than_any_in_the_text),
      test(the_verdict_comes_first_with_its_sentence),
      test(a_pass_has_no_sentence_and_hides_what_holds),
      test(every_row_has_its_tables_cells),
      test(what_nothing_vouches_for_has_no_verdict),
      test(a_page_that_cannot_be_written_is_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
