/* The files of a folder. results.json is the last: who finds it finds the others beside it. */
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "gauntlet/reports.h"

#define DIGITS 12 /* of a real number: microseconds of a day */

static int write_results(const json_t *tree, const char *path, struct error *error)
{
  char *document = json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
  if (document == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  int status = files_write(path, document, strlen(document), 0644, error);
  free(document);
  return status;
}

int report_write(const json_t *tree, const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "results.json", error) != 0) return -1;
  if (files_remove(path, error) != 0) return -1; /* of an earlier one: it is not of these pages */
  if (report_html_write(tree, folder, error) != 0) return -1;
  if (report_junit_write(tree, folder, error) != 0) return -1;
  return write_results(tree, path, error);
}
