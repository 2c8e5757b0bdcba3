/* The files of a report: what was written is read back the same, what is not a report is refused with
 * a sentence, texts of others are no markup, and no secret is in any of them. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/files.h"
#include "report_samples.h"

static struct report_sample *const one = &report_sample;
static const char evil[] = "</td><script>alert(1)</script> ]]> \" ' & \x1b[31m \xff \xef\xbf\xbf";

static json_t *tree_of_sample(void)
{
  json_t *tree = report_json(&one->report);
  assert_non_null(tree);
  return tree;
}

static void write_all(void)
{
  struct error error = {0};
  json_t *tree = tree_of_sample();
  if (report_write(tree, one->folder, &error) != 0) fail_msg("%s", error.text);
  json_decref(tree);
}

static char *written(const char *name)
{
  write_all();
  char *text = report_sample_read(one, name);
  if (text == NULL) fail_msg("%s is not there", name);
  return text;
}

static void expect_part(const char *text, const char *part)
{
  if (strstr(text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, text);
}

static void expect_no_part(const char *text, const char *part)
{
  const char *at = strstr(text, part);
  if (at != NULL) fail_msg("\"%s\" at: %.200s", part, at);
}

static void put_evil(void)
{
  struct trial_result *trial = report_sample_trial(one, "another-name", 12);
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  snprintf(trial->why, sizeof trial->why, "%s", evil);
  snprintf(trial->seen.client_id, sizeof trial->seen.client_id, "%s", evil);
  snprintf(trial->seen.client_cn, sizeof trial->seen.client_cn, "%s", evil);
  snprintf(trial->seen.said_last, sizeof trial->seen.said_last, "%s", evil);
  snprintf(one->report.client, sizeof one->report.client, "%s", evil);
  one->report.command = evil;
  trial = report_sample_trial(one, "expired-leaf", 12);
  trial->verdict = VERDICT_NOT_SHOWN;
  snprintf(trial->why, sizeof trial->why, "%s", evil);
}

/* --- results.json ----------------------------------------------------------------------------- */

static void what_was_written_is_read_back_the_same(void **state)
{
  (void) state;
  struct error error = {0};
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  one->trial[2].seen.ended_ms = 1234.56789;
  one->trial[2].seen.flags = 0xffffffff;
  json_t *tree = tree_of_sample();
  if (report_write(tree, one->folder, &error) != 0) fail_msg("%s", error.text);
  json_t *read = report_load(one->folder, &error);
  if (read == NULL) fail_msg("%s", error.text);
  assert_true(json_equal(tree, read));
  assert_true(report_is_in(one->folder));
  json_decref(read);
  json_decref(tree);
}

static void it_has_every_trial_and_what_it_adds_up_to(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 13, CONDUCT_ACCEPTED);
  json_t *tree = tree_of_sample();
  assert_string_equal(report_json_text(tree, "schema"), "fleetsim-gauntlet/1");
  assert_string_equal(report_json_text(tree, "verdict"), "fail");
  assert_int_equal(report_json_number(tree, "exit_code"), 1);
  assert_true(report_json_is(tree, "proven"));
  assert_int_equal(report_json_number(tree, "score"), report_score(&one->report));
  assert_string_equal(report_json_text(tree, "started"), "2026-11-30T17:00:00Z");
  assert_int_equal(json_array_size(json_object_get(tree, "trials")), one->report.count);
  assert_int_equal(json_object_size(json_object_get(tree, "cases")), one->cases->count);
  const json_t *fail = json_object_get(json_object_get(tree, "tally"), "fail");
  assert_int_equal(report_json_number(fail, "high"), 1);
  const json_t *lies = json_object_get(tree, "lies");
  assert_int_equal(report_json_number(lies, "told"), 10);
  assert_int_equal(report_json_number(lies, "believed"), 1);
  const json_t *high = json_object_get(json_object_get(lies, "by_severity"), "high");
  assert_int_equal(report_json_number(high, "told"), 4);
  assert_int_equal(report_json_number(high, "believed"), 1);
  json_decref(tree);
}

static const json_t *trial_in(const json_t *tree, const char *id, const char *tls)
{
  const json_t *trials = json_object_get(tree, "trials");
  for (size_t i = 0; i < json_array_size(trials); i++) {
    const json_t *trial = json_array_get(trials, i);
    if (report_json_says(trial, "case", id) && report_json_says(trial, "tls", tls)) return trial;
  }
  fail_msg("no trial of %s in %s", id, tls);
  return NULL;
}

static void a_trial_has_what_was_seen(void **state)
{
  (void) state;
  json_t *tree = tree_of_sample();
  const json_t *trial = trial_in(tree, "self-signed-leaf", "1.3"),
               *seen = json_object_get(trial, "seen");
  assert_string_equal(report_json_text(trial, "verdict"), "pass");
  assert_string_equal(report_json_text(trial, "conduct"), "refused");
  assert_int_equal(report_json_number(json_object_get(seen, "alert"), "number"), 48);
  assert_string_equal(report_json_text(json_object_get(seen, "alert"), "name"), "unknown CA");
  assert_int_equal(report_json_number(seen, "hello"), 0);
  assert_string_equal(report_json_text(seen, "end"), "client");
  assert_string_equal(report_json_text(seen, "said_last"), "error: certificate verify failed");
  double gave_up = report_json_number(seen, "gave_up_ms");
  if (gave_up < 4.49 || gave_up > 4.51) fail_msg("gave up after %g ms", gave_up);
  json_decref(tree);
  report_sample_trial(one, "self-signed-leaf", 13)->seen.end = OBSERVATION_SERVER;
  tree = tree_of_sample(); /* the server has ended it: the client may have waited for good */
  seen = json_object_get(trial_in(tree, "self-signed-leaf", "1.3"), "seen");
  assert_true(json_is_null(json_object_get(seen, "gave_up_ms")));
  json_decref(tree);
}

static void hellos_are_kept_once_each(void **state)
{
  (void) state;
  one->trial[3].seen.hello.suites.count = 3;
  strcpy(one->trial[5].seen.hello.server_name, "other.test"); /* the case's doing */
  one->trial[4].seen.has_hello = false;
  json_t *tree = tree_of_sample();
  const json_t *hellos = json_object_get(tree, "hellos"), *trials = json_object_get(tree, "trials");
  assert_int_equal(json_array_size(hellos), 2);
  assert_int_equal(report_json_number(json_array_get(hellos, 0), "trials"), 13);
  assert_int_equal(report_json_number(json_array_get(hellos, 1), "trials"), 1);
  assert_int_equal(report_json_number(json_object_get(json_array_get(trials, 3), "seen"), "hello"),
                   1);
  assert_true(
      json_is_null(json_object_get(json_object_get(json_array_get(trials, 4), "seen"), "hello")));
  json_decref(tree);
}

static const json_t *clause_in(const json_t *tree, const char *body, const char *clause)
{
  const json_t *clauses = json_object_get(tree, "standards");
  for (size_t c = 0; c < json_array_size(clauses); c++) {
    const json_t *one_of = json_array_get(clauses, c);
    if (report_json_says(one_of, "body", body) && report_json_says(one_of, "clause", clause))
      return one_of;
  }
  fail_msg("no clause %s of %s", clause, body);
  return NULL;
}

static void clauses_know_how_their_cases_went(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  json_t *tree = tree_of_sample();
  const json_t *clause = clause_in(tree, "etsi", "5.5-1");
  assert_int_equal(report_json_number(clause, "pass"), 3);
  assert_int_equal(report_json_number(clause, "fail"), 1);
  assert_int_equal(json_array_size(json_object_get(clause, "cases")), 2);
  assert_int_equal(json_array_size(json_object_get(clause, "failed")), 1);
  assert_int_equal(report_json_number(clause_in(tree, "cwe", "295"), "fail"), 0);
  assert_int_equal(report_json_number(clause_in(tree, "etsi", "5.13-1"), "pass"), 2);
  const json_t *first = json_array_get(json_object_get(tree, "standards"), 0);
  assert_string_equal(report_json_text(first, "clause"), "5.5-1"); /* sorted, and before 5.13-1 */
  const json_t *about = json_object_get(json_object_get(tree, "cases"), "another-name"),
               *clauses = json_object_get(about, "clauses");
  assert_int_equal(json_array_size(clauses), 2);
  assert_string_equal(json_string_value(json_array_get(clauses, 1)), "cwe 297");
  json_decref(tree);
  char *page = written("report.html");
  expect_part(page, "<h2>By clause</h2>");
  expect_part(page, "<tr><th scope=\"row\">297</th><td>the host</td>");
  free(page);
}

static void without_standards_there_are_no_clauses(void **state)
{
  (void) state;
  one->report.standards = NULL;
  json_t *tree = tree_of_sample();
  assert_int_equal(json_array_size(json_object_get(tree, "standards")), 0);
  json_decref(tree);
  char *page = written("report.html");
  expect_no_part(page, "<h2>By clause</h2>");
  free(page);
}

static void no_secret_is_in_any_file(void **state)
{
  (void) state;
  static const char *const commands[] = {
      "mosquitto_pub -h {host} -u me -P s3cret -t x",
      "mosquitto_pub --pw s3cret -t x",
      "curl -u me:s3cret mqtts://{host}:{port}/t",
      "curl --user me:s3cret {url}",
      "curl mqtts://me:s3cret@{host}:{port}/t",
      "curl https://{host}:{port}/image?sig=s3cret",
      "MQTT_TOKEN=s3cret client {host}",
      "client --password=s3cret {host}",
      "client --auth-token 's3cret and more' {host}",
      "sh -c 'client --password s3cret {host}'",
      "sh -c \"client mqtt://a:s3cret@{host}\"",
  };
  static const char *const files[] = {"results.json", "junit.xml", "report.html"};
  for (size_t c = 0; c < sizeof commands / sizeof *commands; c++) {
    one->report.command = commands[c];
    snprintf(one->report.client, sizeof one->report.client, "%s", commands[c]);
    write_all();
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
      char *text = report_sample_read(one, files[f]);
      if (strstr(text, "s3cret") != NULL) fail_msg("%s shows it in %s", files[f], commands[c]);
      free(text);
    }
  }
}

static void expect_command(const char *command, const char *told)
{
  json_t *text = report_command_json(command);
  assert_string_equal(json_string_value(text), told);
  json_decref(text);
}

static void what_is_no_secret_stays(void **state)
{
  (void) state;
  static const char *const plain[] = {
      "mosquitto_pub -h {host} -p {port} --cafile {ca} --cert {cert} --key {key} -t x -m y",
      "curl --cacert {ca} -o {out} https://{host}:{port}/image",
      "curl mqtts://{host}:{port}/t",
      "node client.js \"two words\" {url}",
      "client  --id  a@b",
      "client -P {password}",
      "",
  };
  for (size_t c = 0; c < sizeof plain / sizeof *plain; c++) expect_command(plain[c], plain[c]);
  expect_command("sh -c 'a -P b' c", "sh -c 'a -P ***' c");
  expect_command("curl mqtts://a:b@{host}:1/t -k", "curl mqtts://***@{host}:1/t -k");
}

/* --- What is refused -------------------------------------------------------------------------- */

static void put_results(const char *text)
{
  char path[FILES_PATH_MAX];
  struct error error;
  assert_int_equal(files_join(path, one->folder, "results.json", &error), 0);
  assert_int_equal(files_write(path, text, strlen(text), 0644, &error), 0);
}

static void expect_refused(const char *sentence)
{
  struct error error = {0};
  json_t *tree = report_load(one->folder, &error);
  assert_null(tree);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, sentence) == NULL) fail_msg("no \"%s\" in: %s", sentence, error.text);
}

static void what_is_no_report_is_refused(void **state)
{
  (void) state;
  put_results("{");
  expect_refused("results.json:1:");
  assert_false(report_is_in(one->folder));
  put_results("{\"schema\": \"fleetsim-results/1\"}");
  expect_refused("is of schema \"fleetsim-results/1\", and this program reads");
  assert_false(report_is_in(one->folder));
  put_results("{\"schema\": \"fleetsim-gauntlet/1\"}");
  expect_refused("it lacks its trials");
  assert_true(report_is_in(one->folder));
  put_results("{\"schema\": \"fleetsim-gauntlet/2\"}");
  assert_true(report_is_in(one->folder));
  expect_refused("and this program reads \"fleetsim-gauntlet/1\"");
}

static void no_file_is_refused(void **state)
{
  (void) state;
  struct error error = {0};
  assert_null(report_load(one->folder, &error));
  if (strstr(error.text, "holds no report of a gauntlet") == NULL) fail_msg("%s", error.text);
}

static void rewrite(const char *from, const char *to)
{
  char *text = written("results.json"), *at = strstr(text, from);
  assert_non_null(at);
  assert_int_equal(strlen(from), strlen(to));
  memcpy(at, to, strlen(to));
  put_results(text);
  free(text);
}

static void counts_that_are_not_of_the_trials_are_refused(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 13, CONDUCT_ACCEPTED);
  rewrite("\"verdict\": \"fail\",\n      \"conduct\"", "\"verdict\": \"pass\",\n      \"conduct\"");
  expect_refused("it counts 11 trials as pass and has 12");
}

static void a_verdict_that_is_none_is_refused(void **state)
{
  (void) state;
  rewrite("\"verdict\": \"warn\",\n      \"conduct\"", "\"verdict\": \"wand\",\n      \"conduct\"");
  expect_refused("has no verdict");
}

static void a_case_that_is_not_described_is_refused(void **state)
{
  (void) state;
  rewrite("\"case\": \"expired-leaf\"", "\"case\": \"expired-love\"");
  expect_refused("is of a case \"expired-love\" that it does not describe");
}

static void an_exit_code_that_is_none_is_refused(void **state)
{
  (void) state;
  rewrite("\"exit_code\": 0", "\"exit_code\": 7");
  expect_refused("it has no exit code");
}

/* --- junit.xml -------------------------------------------------------------------------------- */

static void every_trial_is_a_test_case(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  char *xml = written("junit.xml");
  expect_part(xml, "<testsuites name=\"fleetsim\" tests=\"16\" failures=\"1\" errors=\"0\" "
                   "time=\"12.300\">");
  expect_part(xml, "<testsuite name=\"gauntlet: mosquitto_pub version 2.0.18\" tests=\"16\" ");
  expect_part(xml, " skipped=\"1\" timestamp=\"2026-11-30T17:00:00Z\">");
  expect_part(xml,
              "classname=\"gauntlet.tls\" name=\"another-name, TLS 1.2\" time=\"0.000\">\n"
              "      <failure type=\"high\" message=\"CONNECT went to a server that it should "
              "have refused\">CONNECT went to a server that it should have refused; the case: "
              "the certificate is another server&#39;s (RFC 9525, 6); severity high</failure>");
  expect_part(xml,
              "classname=\"gauntlet.mqtt\" name=\"connack-refuses, TLS 1.3\" time=\"0.000\"/>");
  expect_part(xml, "<skipped>not_offered: it offers TLS 1.2 and 1.3</skipped>");
  free(xml);
}

static void a_gauntlet_that_shows_nothing_is_not_green(void **state)
{
  (void) state;
  report_sample_never(one);
  char *xml = written("junit.xml");
  expect_part(xml, "tests=\"16\" failures=\"0\" errors=\"1\"");
  expect_part(xml, "name=\"it shows something\" time=\"0.000\">\n      <error type=\"error\" "
                   "message=\"nothing is shown: the client never connected\">");
  free(xml);
}

static void trials_that_came_to_no_version_have_names_of_their_own(void **state)
{
  (void) state;
  report_sample_trial(one, "another-name", 12)->tls = 0;
  report_sample_trial(one, "another-name", 13)->tls = 0;
  char *xml = written("junit.xml");
  expect_part(xml, "name=\"another-name\" ");
  expect_part(xml, "name=\"another-name (2)\" ");
  free(xml);
}

static void texts_of_others_are_no_xml(void **state)
{
  (void) state;
  put_evil();
  char *xml = written("junit.xml");
  expect_no_part(xml, "<script");
  expect_no_part(xml, "]]>");
  expect_part(xml, "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt; ]]&gt; &quot; &#39; &amp;  "
                   "[31m \xef\xbf\xbd \xef\xbf\xbd");
  for (const char *c = xml; *c != '\0'; c++)
    if ((unsigned char) *c < 0x20 && *c != '\n') fail_msg("byte 0x%02x", (unsigned) *c);
  free(xml);
}

/* --- report.html ------------------------------------------------------------------------------ */

static void the_page_needs_nothing_and_runs_nothing(void **state)
{
  (void) state;
  report_sample_fail(one, "another-name", 12, CONDUCT_ACCEPTED);
  char *page = written("report.html");
  expect_part(page, "content=\"default-src 'none'; style-src 'sha256-");
  expect_no_part(page, "unsafe");
  expect_no_part(page, "<script");
  expect_no_part(page, "http://");
  expect_no_part(page, "https://");
  expect_no_part(page, "src=");
  expect_part(page, "<dt>lies believed</dt><dd><span class=\"big\">1 of 10</span><span "
                    "class=\"quiet\">high 1, medium 0, low 0</span>");
  expect_part(page, "<dd>with holes: 1 of 2 trials that need it were failed</dd>");
  expect_part(page, "RFC 9525, 6");
  expect_part(page, "<h2>Failed</h2>");
  expect_part(page, "<h2>All trials</h2>");
  expect_part(page, "TLS_AES_128_GCM_SHA256");
  expect_no_part(page, "<h2>Not shown</h2>");
  free(page);
}

static void texts_of_others_are_no_html(void **state)
{
  (void) state;
  put_evil();
  char *page = written("report.html");
  expect_no_part(page, "<script");
  expect_part(page, "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
  expect_part(page, "<title>gauntlet: &lt;/td&gt;");
  free(page);
}

/* Each element that is opened is closed, in turn. */
static void the_page_is_well_formed(void **state)
{
  (void) state;
  put_evil();
  report_sample_fail(one, "silence-after-the-hello", 12, CONDUCT_HUNG);
  char *page = written("report.html"), open[32][16];
  size_t depth = 0;
  for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at + 1, '<')) {
    char name[16];
    bool closes = at[1] == '/';
    if (at[1] == '!') continue;
    snprintf(name, sizeof name, "%.*s", (int) strcspn(at + 1 + closes, " >"), at + 1 + closes);
    if (strcmp(name, "meta") == 0) continue;
    if (!closes) {
      assert_true(depth < 32);
      strcpy(open[depth++], name);
    } else if (depth == 0 || strcmp(open[--depth], name) != 0)
      fail_msg("</%s> closes <%s> at: %.80s", name, open[depth], at);
  }
  assert_int_equal(depth, 0);
  free(page);
}

/* --- Markdown, folders ------------------------------------------------------------------------ */

static void a_page_of_ci_has_the_sentence_and_what_failed(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  put_evil();
  json_t *tree = tree_of_sample();
  assert_int_equal(files_join(path, one->folder, "summary.md", &error), 0);
  assert_int_equal(report_markdown_write(tree, path, &error), 0);
  char *page = report_sample_read(one, "summary.md");
  expect_part(page, "## FAIL: ");
  expect_part(page, "\n1 of 9 lies was believed, 1 of high severity: another name; trials not "
                    "shown: 1 medium; score 83 of 100\n");
  expect_part(page, "| fail | 1 | 0 | 0 |\n");
  expect_part(page, "### Failed\n");
  expect_part(page, "| high | another-name | 1.2 | ");
  expect_no_part(page, "<script");
  free(page);
  json_decref(tree);
}

static void a_report_that_cannot_be_written_leaves_no_results(void **state)
{
  (void) state;
  char path[FILES_PATH_MAX];
  struct error error = {0};
  write_all();
  assert_int_equal(files_join(path, one->folder, "junit.xml", &error), 0);
  assert_int_equal(files_remove(path, &error), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  json_t *tree = tree_of_sample();
  assert_int_equal(report_write(tree, one->folder, &error), -1);
  if (strstr(error.text, "junit.xml") == NULL) fail_msg("%s", error.text);
  assert_null(report_sample_read(one, "results.json"));
  json_decref(tree);
}

int main(void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown(name, report_sample_set_up, report_sample_take_down)
  const struct CMUnitTest tests[] = {
      TEST(what_was_written_is_read_back_the_same),
      TEST(it_has_every_trial_and_what_it_adds_up_to),
      TEST(a_trial_has_what_was_seen),
      TEST(hellos_are_kept_once_each),
      TEST(clauses_know_how_their_cases_went),
      TEST(without_standards_there_are_no_clauses),
      TEST(no_secret_is_in_any_file),
      TEST(what_is_no_secret_stays),
      TEST(what_is_no_report_is_refused),
      TEST(no_file_is_refused),
      TEST(counts_that_are_not_of_the_trials_are_refused),
      TEST(a_verdict_that_is_none_is_refused),
      TEST(a_case_that_is_not_described_is_refused),
      TEST(an_exit_code_that_is_none_is_refused),
      TEST(every_trial_is_a_test_case),
      TEST(a_gauntlet_that_shows_nothing_is_not_green),
      TEST(trials_that_came_to_no_version_have_names_of_their_own),
      TEST(texts_of_others_are_no_xml),
      TEST(the_page_needs_nothing_and_runs_nothing),
      TEST(texts_of_others_are_no_html),
      TEST(the_page_is_well_formed),
      TEST(a_page_of_ci_has_the_sentence_and_what_failed),
      TEST(a_report_that_cannot_be_written_leaves_no_results),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
