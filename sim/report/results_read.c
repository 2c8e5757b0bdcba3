/* The results of a run that has ended, from its folder. They are believed when the last line of
 * events.ndjson is the end record of the same run with the same verdict: a run that was killed has
 * none, and what lies beside it is another's. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/results_json.h"

#define RESULTS_SIZE_MAX (64u * 1024u * 1024u)
#define END_SIZE         4096u

static int check_tree(const json_t *tree, const char *path, const json_error_t *where,
                      struct error *error)
{
  char why[256];
  if (tree == NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s:%d:%d: %s; a run writes this file whole or not at all: run it again", path,
                     where->line, where->column, where->text);
  if (strcmp(results_json_text(tree, "schema"), RESULTS_SCHEMA) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is of schema \"%.40s\", and this program reads \"%s\"", path,
                     results_json_text(tree, "schema"), RESULTS_SCHEMA);
  if (results_json_contradicted(tree, why, sizeof why))
    return error_set(error, EXIT_CODE_USAGE, "%s contradicts itself: %s; run it again", path, why);
  if (results_json_text(tree, "run_id")[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "%s does not say of which run it is (run_id); run it again", path);
  return 0;
}

/* The last whole line of the file, malloc'd; NULL: there is none. */
static char *last_line(const char *path, struct error *error)
{
  size_t size = 0;
  int fd = files_open(path, SIZE_MAX, &size, error);
  char *text = fd < 0 ? NULL : malloc(END_SIZE + 1);
  ssize_t n = text == NULL
                  ? -1
                  : pread(fd, text, END_SIZE, size > END_SIZE ? (off_t) (size - END_SIZE) : 0);
  if (fd >= 0) close(fd);
  if (n > 0 && text[n - 1] == '\n') {
    text[n - 1] = '\0';
    char *before = strrchr(text, '\n');
    if (before != NULL) memmove(text, before + 1, strlen(before + 1) + 1);
    return text;
  }
  free(text);
  return NULL;
}

/* All that the end record says is in the results too, under the same names. */
static bool is_same(const json_t *end, const json_t *tree)
{
  size_t count;
  const struct event_field *fields = event_fields(EVENT_END, &count);
  for (size_t f = 0; f < count; f++)
    if (!json_equal(json_object_get(end, fields[f].name), json_object_get(tree, fields[f].name)))
      return false;
  return true;
}

static int check_end(const json_t *tree, const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "events.ndjson", error) != 0) return -1;
  if (access(path, F_OK) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%.200s holds a results.json but no events.ndjson, whose last line says that "
                     "the run has ended: keep both files together, or run it again",
                     folder);
  char *line = last_line(path, error);
  json_t *end = line == NULL ? NULL : json_loads(line, JSON_REJECT_DUPLICATES, NULL);
  free(line);
  bool is_end = strcmp(results_json_text(end, "event"), event_name(EVENT_END)) == 0;
  bool same = is_end && is_same(end, tree);
  json_decref(end);
  if (same) return 0;
  if (!is_end)
    return error_set(
        error, EXIT_CODE_USAGE,
        "the last run in %.200s did not end (it was killed, or is under way): its events.ndjson "
        "has no end record, and results.json says nothing about it; run it again",
        folder);
  return error_set(error, EXIT_CODE_USAGE,
                   "results.json and events.ndjson in %.200s are of different runs: run it again",
                   folder);
}

static int check(const json_t *tree, const char *folder, const char *path,
                 const json_error_t *where, struct error *error)
{
  return check_tree(tree, path, where, error) != 0 ? -1 : check_end(tree, folder, error);
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
  int status = check(tree, folder, path, &where, error);
  if (status == 0) {
    summary_print(tree, out, colour);
    status = (int) json_integer_value(json_object_get(tree, "exit_code"));
  }
  json_decref(tree);
  return status;
}
