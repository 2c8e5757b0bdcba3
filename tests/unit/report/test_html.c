/* report.html: what a user calls his devices ends no element of the page; what is not there is left out; and a page
 * exists only beside results that are vouched for. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/advice.h"
#include "report/html.h"
#include "sample.h"

static void skip_without_page(void)
{
  if (html_available()) return;
  print_message("this build has no page\n");
  skip();
}

static char *page_of(const json_t *tree)
{
  struct error error = {0};
  if (html_write(tree, sample.folder, &error) != 0) fail_msg("%s", error.text);
  char *page = sample_read(&sample, HTML_FILE);
  assert_non_null(page);
  return page;
}

/* What lies in the page's one document, up to the first '<' as a browser would read it; malloc'd. */
static char *document_in(const char *page)
{
  static const char opening[] = "<script type=\"application/json\" id=\"document\">";
  const char *at = strstr(page, opening);
  assert_non_null(at);
  at += strlen(opening);
  assert_int_equal(strncmp(at + strcspn(at, "<"), "</script>", strlen("</script>")), 0);
  return strndup(at, strcspn(at, "<"));
}

static json_t *parsed(const char *page)
{
  char *text = document_in(page);
  json_error_t where;
  json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &where);
  if (document == NULL) fail_msg("%s at %.60s", where.text, text + where.position);
  free(text);
  return document;
}

static void names_end_no_element(void **state)
{
  static const char evil[] = "</script><script>alert(1)</script><!-- ]]> \\u003c &lt; "
                             "\xe2\x80\xa8\xe2\x80\xa9 \"' \x01 \xc3\xa9";
  (void) state;
  skip_without_page();
  json_t *tree = json_pack("{s:s, s:[s]}", "name", evil, "devices", evil);
  char *page = page_of(tree), *text = document_in(page);
  for (const char *c = text; *c != '\0'; c++)
    if ((unsigned char) *c > 0x7e || (unsigned char) *c < 0x20)
      fail_msg("byte %02x in the document", (unsigned char) *c);
  json_t *document = parsed(page);
  assert_true(json_equal(json_object_get(document, "results"), tree));
  json_decref(document);
  json_decref(tree);
  free(text);
  free(page);
}

static void every_failure_says_what_to_do(void **state)
{
  (void) state;
  skip_without_page();
  json_t *tree = json_object();
  char *page = page_of(tree);
  json_t *document = parsed(page), *words = json_object_get(document, "words");
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    const json_t *word =
        json_object_get(json_object_get(words, "failures"), device_failure_name(f));
    assert_string_equal(json_string_value(json_object_get(word, "do")), advice_of(f));
    assert_string_equal(json_string_value(json_object_get(word, "means")),
                        device_failure_sentence(f));
  }
  for (enum metric m = 0; m < METRIC_COUNT; m++)
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(words, "metrics"), metric_name(m))),
        metric_line(m));
  assert_true(json_object_size(json_object_get(words, "statuses")) > 0);
  json_decref(document);
  json_decref(tree);
  free(page);
}

/* The text between two marks of the page; malloc'd. */
static char *between(const char *page, const char *from, const char *to)
{
  const char *at = strstr(page, from);
  assert_non_null(at);
  at += strlen(from);
  const char *end = strstr(at, to);
  assert_non_null(end);
  return strndup(at, (size_t) (end - at));
}

static void the_policy_lets_nothing_be_fetched(void **state)
{
  (void) state;
  skip_without_page();
  json_t *tree = json_object();
  char *page = page_of(tree);
  char *policy = between(page, "Content-Security-Policy\" content=\"", "\"");
  assert_non_null(strstr(policy, "default-src 'none'; style-src 'sha256-"));
  assert_non_null(strstr(policy, "; script-src 'sha256-"));
  assert_null(strstr(policy, "unsafe"));
  assert_null(strstr(policy, "http"));
  assert_null(strchr(policy, '@'));
  assert_null(strstr(page, "@DOCUMENT@"));
  assert_null(strstr(page, "@SCRIPT"));
  free(policy);
  free(page);
  json_decref(tree);
}

static void a_run_writes_its_page_after_its_end_record(void **state)
{
  struct error error = {0};
  (void) state;
  skip_without_page();
  sample_conclude(&sample);
  assert_null(sample_read(&sample, HTML_FILE));
  if (results_page(&sample.results, sample.folder, &error) != 0) fail_msg("%s", error.text);
  char *page = sample_read(&sample, HTML_FILE), *results = sample_read(&sample, "results.json");
  json_t *document = parsed(page), *tree = json_loads(results, 0, NULL);
  assert_true(json_equal(json_object_get(document, "results"), tree));
  json_decref(document);
  json_decref(tree);
  free(results);
  if (results_page_again(sample.folder, &error) != 0) fail_msg("%s", error.text);
  char *again = sample_read(&sample, HTML_FILE);
  assert_string_equal(page, again);
  free(page);
  free(again);
}

static void results_that_nothing_vouches_for_have_no_page(void **state)
{
  struct error error = {0};
  (void) state;
  if (results_write(&sample.results, sample.folder, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(results_page_again(sample.folder, &error), -1);
  assert_non_null(strstr(error.text, "no events.ndjson"));
  assert_null(sample_read(&sample, HTML_FILE));
}

static void a_build_without_npm_says_so(void **state)
{
  struct error error = {0};
  (void) state;
  if (html_available()) skip();
  sample_conclude(&sample);
  assert_int_equal(results_page(&sample.results, sample.folder, &error), 0);
  assert_int_equal(results_page_again(sample.folder, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "built without the page"));
  assert_null(sample_read(&sample, HTML_FILE));
}

static void a_page_that_cannot_be_written_is_an_error(void **state)
{
  struct error error = {0};
  char path[FILES_PATH_MAX];
  (void) state;
  skip_without_page();
  assert_int_equal(files_join(path, sample.folder, HTML_FILE, NULL), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  json_t *tree = json_object();
  assert_int_equal(html_write(tree, sample.folder, &error), -1);
  assert_non_null(strstr(error.text, HTML_FILE));
  json_decref(tree);
  assert_int_equal(files_remove(path, &error), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_set_up, sample_take_down)
  const struct CMUnitTest tests[] = {
      TEST(names_end_no_element),
      TEST(every_failure_says_what_to_do),
      TEST(the_policy_lets_nothing_be_fetched),
      TEST(a_run_writes_its_page_after_its_end_record),
      TEST(results_that_nothing_vouches_for_have_no_page),
      TEST(a_build_without_npm_says_so),
      TEST(a_page_that_cannot_be_written_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
