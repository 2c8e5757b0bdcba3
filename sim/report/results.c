/* The end of a run on disk: both files whole, then both in place, then the end record that vouches
 * for them. Where one of these fails, none of them stays: half of it could be taken for a
 * verdict. */
#define _POSIX_C_SOURCE 200809L
#include "report/results.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/results_json.h"

#define DIGITS 12 /* of a real number: enough for microseconds of a day, and 0.1 stays 0.1 */

static int write_json(const json_t *tree, const char *path, struct error *error)
{
  char *document = json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
  if (document == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  int status = files_write(path, document, strlen(document), 0644, error);
  free(document);
  return status;
}

static int write_tree(const json_t *tree, const char *folder, struct error *error)
{
  char junit[FILES_PATH_MAX], json[FILES_PATH_MAX];
  if (files_join(junit, folder, "junit.xml", error) != 0 ||
      files_join(json, folder, "results.json", error) != 0)
    return -1;
  if (junit_write(tree, junit, error) != 0) return -1;
  if (write_json(tree, json, error) == 0) return 0;
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

int results_write(struct results *results, const char *folder, struct error *error)
{
  json_t *tree = settle(results);
  if (tree == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write the results");
  int status = write_tree(tree, folder, error);
  json_decref(tree);
  return status;
}

static void take_back(const char *folder)
{
  static const char *const names[] = {"results.json", "junit.xml"};
  char path[FILES_PATH_MAX];
  for (size_t n = 0; n < 2; n++)
    if (files_join(path, folder, names[n], NULL) == 0) (void) unlink(path);
}

int results_conclude(struct results *results, struct events *events, double t_s, const char *folder,
                     struct error *error)
{
  int status = events_check(events, error);
  if (status == 0) status = results_write(results, folder, error);
  bool written = status == 0;
  if (written)
    events_emit(events, &(struct event){
                            .kind = EVENT_END,
                            .t_s = t_s,
                            .end = {results->run_id, results->verdict, (int) results->exit_code}});
  if (events_close(events, written ? error : NULL) != 0) status = -1;
  if (written && status != 0) take_back(folder);
  return status;
}

void results_print(const struct results *results, FILE *out, bool colour)
{
  json_t *tree = results_json(results);
  if (tree != NULL)
    summary_print(tree, out, colour);
  else
    fprintf(out, "%s: not enough memory for the summary\n", results->verdict);
  json_decref(tree);
}
