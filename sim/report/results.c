/* The end of a run on disk: both files whole, then both in place, then the end record that vouches
 * for them. Where one of these fails, none of them stays: half of it could be taken for a
 * verdict; and the list of events ends with what failed, as far as it can. */
#define _POSIX_C_SOURCE 200809L
#include "report/results.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/digest.h"
#include "report/html.h"
#include "report/results_json.h"

#define DIGITS 12 /* of a real number: enough for microseconds of a day, and 0.1 stays 0.1 */

/* How long an array of numbers is that begins here, its brackets included; 0: it is none. */
static size_t numbers_at(const char *from)
{
  size_t size = 1 + strspn(from + 1, "0123456789+-.eEnul, \n");
  return *from == '[' && from[size] == ']' ? size + 1 : 0;
}

/* Puts arrays of numbers on a line each: a series is a line a column. */
static void fold_numbers(char *document)
{
  char *to = document;
  bool quoted = false;
  for (const char *from = document; *from != '\0';) {
    size_t numbers = quoted ? 0 : numbers_at(from);
    for (; numbers > 0; numbers--, from++)
      if (*from != ' ' && *from != '\n') *to++ = *from;
    if (*from == '\0') break;
    bool escapes = quoted && *from == '\\';
    if (escapes) *to++ = *from++;
    quoted = quoted != (!escapes && *from == '"');
    *to++ = *from++;
  }
  *to = '\0';
}

static int write_json(const json_t *tree, const char *path, char sha256[DIGEST_TEXT],
                      struct error *error)
{
  char *document = json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
  if (document != NULL) fold_numbers(document);
  if (document == NULL || digest_of(document, strlen(document), sha256) != 0) {
    free(document);
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  }
  int status = files_write(path, document, strlen(document), 0644, error);
  free(document);
  return status;
}

/* What the files of the results hold, for the end record. */
struct seal {
  char results[DIGEST_TEXT], junit[DIGEST_TEXT];
};

static int write_tree(const json_t *tree, const char *folder, struct seal *seal,
                      struct error *error)
{
  char junit[FILES_PATH_MAX], json[FILES_PATH_MAX];
  if (files_join(junit, folder, "junit.xml", error) != 0 ||
      files_join(json, folder, "results.json", error) != 0)
    return -1;
  if (junit_write(tree, junit, seal->junit, error) != 0) return -1;
  if (write_json(tree, json, seal->results, error) == 0) return 0;
  (void) unlink(junit); /* it may say green of a run that nobody can look up */
  return -1;
}

/* A verdict that something speaks against is a fault of ours, and no pass. */
static json_t *settle(struct results *results)
{
  char why[256];
  json_t *tree = results_json(results);
  if (tree == NULL || !results_json_contradicted(tree, why, sizeof why)) return tree;
  json_decref(tree);
  results->verdict = "error";
  results->exit_code = EXIT_CODE_INTERNAL;
  snprintf(results->message, sizeof results->message, "internal error: %s", why);
  return results_json(results);
}

static int write_sealed(struct results *results, const char *folder, struct seal *seal,
                        struct error *error)
{
  json_t *tree = settle(results);
  if (tree == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write the results");
  int status = write_tree(tree, folder, seal, error);
  json_decref(tree);
  return status;
}

int results_write(struct results *results, const char *folder, struct error *error)
{
  struct seal seal;
  return write_sealed(results, folder, &seal, error);
}

static void take_back(const char *folder)
{
  static const char *const names[] = {"results.json", "junit.xml"};
  char path[FILES_PATH_MAX];
  for (size_t n = 0; n < 2; n++)
    if (files_join(path, folder, names[n], NULL) == 0) (void) unlink(path);
}

static void end_record(const struct results *results, struct events *events, double t_s,
                       const struct events_seal *lines, const struct seal *seal)
{
  struct event event = {.kind = EVENT_END, .t_s = t_s};
  event.end.run_id = results->run_id;
  event.end.verdict = results->verdict;
  event.end.exit_code = (int) results->exit_code;
  event.end.events = lines->lines;
  event.end.events_sha256 = lines->sha256;
  event.end.phases = results->phase_count;
  event.end.expectations = results->expectation_count;
  event.end.results_sha256 = seal->results;
  event.end.junit_sha256 = seal->junit;
  events_emit(events, &event);
}

/* On a disk that is full there is room for that: what was written of the file is gone again. */
static void say_unwritten(struct events *events, double t_s, const struct error *error)
{
  events_emit(events,
              &(struct event){.kind = EVENT_UNWRITTEN, .t_s = t_s, .unwritten = {error->text}});
}

/* What ended the run before that is written nowhere else. */
static int tell_no_verdict(const struct results *results, struct error *error)
{
  struct error own = *error;
  bool other = strcmp(results->verdict, "error") == 0 && strstr(own.text, results->message) == NULL;
  if (other)
    error_set(error, own.code, "%.480s; and before that: %.480s", own.text, results->message);
  return error_wrap(error, "the run has no verdict");
}

int results_conclude(struct results *results, struct events *events, double t_s, const char *folder,
                     struct error *error)
{
  struct seal seal;
  struct events_seal lines;
  int status = events_check(events, error);
  bool listed = status == 0; /* so that it can hold a line more */
  if (status == 0) status = write_sealed(results, folder, &seal, error);
  bool written = status == 0;
  if (written && events_seal(events, &lines) != 0)
    status =
        error_set(error, EXIT_CODE_INTERNAL, "not enough memory to end %s/events.ndjson", folder);
  if (status == 0) end_record(results, events, t_s, &lines, &seal);
  if (listed && !written) say_unwritten(events, t_s, error);
  if (events_close(events, status == 0 ? error : NULL) != 0) status = -1;
  if (written && status != 0) take_back(folder);
  return status == 0 ? 0 : tell_no_verdict(results, error);
}

int results_page(const struct results *results, const char *folder, struct error *error)
{
  if (!html_available()) return 0;
  json_t *tree = results_json(results);
  int status = tree != NULL ? html_write(tree, folder, error)
                            : error_set(error, EXIT_CODE_INTERNAL,
                                        "not enough memory to write %s/" HTML_FILE, folder);
  json_decref(tree);
  return status;
}

void results_print(const struct results *results, FILE *out, const struct results_extent *extent)
{
  json_t *tree = results_json(results);
  if (tree != NULL)
    summary_print(tree, out, extent);
  else
    fprintf(out, "%s: not enough memory for the summary\n", results->verdict);
  json_decref(tree);
}
