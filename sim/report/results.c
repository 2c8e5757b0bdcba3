#include "report/results.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "report/results_json.h"

#define RESULTS_SIZE_MAX (64u * 1024u * 1024u)
#define DIGITS           12 /* of a real number: enough for microseconds of a day, and 0.1 stays 0.1 */

static int write_json(const json_t *tree, const char *path, struct error *error)
{
  char *document = json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
  if (document == NULL) return error_set(error, EXIT_CODE_SETUP, "not enough memory to write %s", path);
  int status = files_write(path, document, strlen(document), 0644, error);
  free(document);
  return status;
}

static int write_tree(const json_t *tree, const char *folder, struct error *error)
{
  char junit[FILES_PATH_MAX], json[FILES_PATH_MAX];
  if (files_join(junit, folder, "junit.xml", error) != 0 || files_join(json, folder, "results.json", error) != 0)
    return -1;
  if (junit_write(tree, junit, error) != 0) return -1;
  return write_json(tree, json, error);
}

int results_write(const struct results *results, const char *folder, struct error *error)
{
  json_t *tree = results_json(results);
  if (tree == NULL) return error_set(error, EXIT_CODE_SETUP, "not enough memory to write the results");
  int status = write_tree(tree, folder, error);
  if (status == 0 && strcmp(results_json_text(tree, "verdict"), results->verdict) != 0)
    status = error_set(error, EXIT_CODE_INTERNAL, "%s", results_json_text(tree, "message"));
  json_decref(tree);
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

static int check_tree(const json_t *tree, const char *path, const json_error_t *where, struct error *error)
{
  if (tree == NULL)
    return error_set(error, EXIT_CODE_USAGE, "%s:%d:%d: %s; a run writes this file whole or not at all: run it again",
                     path, where->line, where->column, where->text);
  if (strcmp(results_json_text(tree, "schema"), RESULTS_SCHEMA) != 0)
    return error_set(error, EXIT_CODE_USAGE, "%s is of schema \"%.40s\", and this program reads \"%s\"", path,
                     results_json_text(tree, "schema"), RESULTS_SCHEMA);
  const json_t *code = json_object_get(tree, "exit_code");
  bool pass = strcmp(results_json_text(tree, "verdict"), "pass") == 0;
  if (!json_is_integer(code) || json_integer_value(code) < 0 || json_integer_value(code) > 255 ||
      pass != (json_integer_value(code) == EXIT_CODE_PASS))
    return error_set(error, EXIT_CODE_USAGE, "%s has a verdict and an exit code that do not fit; run it again", path);
  return 0;
}

int results_reprint(const char *folder, FILE *out, bool colour, struct error *error)
{
  char path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  if (files_join(path, folder, "results.json", error) != 0) return -1;
  if (files_read(path, RESULTS_SIZE_MAX, &data, &size, error) != 0)
    return error_wrap(error, "%.200s holds no complete run", folder);
  json_error_t where;
  json_t *tree = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, &where);
  free(data);
  int status = check_tree(tree, path, &where, error);
  if (status == 0) {
    summary_print(tree, out, colour);
    status = (int) json_integer_value(json_object_get(tree, "exit_code"));
  }
  json_decref(tree);
  return status;
}
