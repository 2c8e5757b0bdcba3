/* The results of a run that has ended, from its folder; of one that has not, how far it came
 * (so_far.c). They are believed when the last line of events.ndjson is the end record of the same
 * run with the same verdict: a run that was killed has none, and what lies beside it is another's. */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/digest.h"
#include "report/html.h"
#include "report/results_json.h"
#include "report/so_far.h"

#define RESULTS_SIZE_MAX (64u * 1024u * 1024u)

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

/* The list of events: its last line, and all before that. */
struct list {
  json_t *end;    /* NULL: the last line is no end record, or not whole */
  bool more_ends; /* there is another one before */
  uint64_t lines; /* before it */
  char sha256[DIGEST_TEXT];
};

static bool is_end(const json_t *line)
{
  return strcmp(results_json_text(line, "event"), event_name(EVENT_END)) == 0;
}

/* Inside a text of an event the quotes would be escaped. */
static bool has_end(const char *line, size_t size)
{
  static const char end[] = "\"event\": \"end\"";
  return memmem(line, size, end, sizeof end - 1) != NULL;
}

struct line {
  char *text;
  size_t room;
  ssize_t size;
};

/* Lines may hold anything, zeros too: somebody may have put them there. 0, or why not all was read: an
   errno. */
static int read_lines(FILE *file, struct list *list)
{
  struct line line = {0}, last = {0};
  struct digest *digest = digest_begin();
  while (digest != NULL && (line.size = getline(&line.text, &line.room, file)) > 0) {
    if (last.size > 0) {
      digest_add(digest, last.text, (size_t) last.size);
      list->lines++;
      list->more_ends = list->more_ends || has_end(last.text, (size_t) last.size);
    }
    struct line other = last;
    last = line;
    line = other;
  }
  int why = ferror(file) ? errno : ENOMEM;
  int status = digest == NULL || ferror(file) ? -1 : digest_text(digest, list->sha256);
  if (last.size > 0 && last.text[last.size - 1] == '\n')
    list->end = json_loadb(last.text, (size_t) last.size, JSON_REJECT_DUPLICATES, NULL);
  if (!is_end(list->end)) {
    json_decref(list->end);
    list->end = NULL;
  }
  digest_free(digest);
  free(line.text);
  free(last.text);
  return status == 0 ? 0 : why;
}

static int not_as_written(const char *file, const char *folder, const char *what,
                          struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "%s in %.200s is not as the run wrote it: %s; it was edited, cut or converted "
                   "since: run it again",
                   file, folder, what);
}

static int read_list(const char *folder, struct list *list, struct error *error)
{
  char path[FILES_PATH_MAX] = "";
  FILE *file = events_read(folder, path, error);
  if (file == NULL && path[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "%.200s holds a results.json but no events.ndjson, whose last line says that "
                     "the run has ended: keep both files together, or run it again",
                     folder);
  if (file == NULL) return -1;
  int why = read_lines(file, list);
  fclose(file);
  if (why == EBADMSG)
    return not_as_written(EVENTS_FILE_COMPRESSED, folder,
                          "it is no Zstandard file, or more than one", error);
  return why == 0
             ? 0
             : error_set(error, EXIT_CODE_INTERNAL, "%s cannot be read: %s", path, strerror(why));
}

/* --- The end record --------------------------------------------------------------------------- */

/* All that it says of the run is in the results too, under the same names. */
static bool is_same(const json_t *end, const json_t *tree)
{
  static const char *const keys[] = {"run_id", "verdict", "exit_code"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    if (!json_equal(json_object_get(end, keys[k]), json_object_get(tree, keys[k]))) return false;
  return true;
}

static bool counts(const json_t *end, const char *key, uint64_t seen)
{
  const json_t *number = json_object_get(end, key);
  return json_is_integer(number) && (uint64_t) json_integer_value(number) == seen;
}

static bool has_digest(const json_t *end, const char *key, const char *seen)
{
  return strcmp(results_json_text(end, key), seen) == 0;
}

/* Whoever keeps results.json and the events only has lost nothing that is printed. */
static int check_junit(const json_t *end, const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX], sha256[DIGEST_TEXT];
  uint8_t *data;
  size_t size;
  if (files_join(path, folder, "junit.xml", error) != 0) return -1;
  if (access(path, F_OK) != 0) return 0;
  if (files_read(path, RESULTS_SIZE_MAX, &data, &size, error) != 0) return -1;
  int status = digest_of(data, size, sha256);
  free(data);
  if (status == 0 && has_digest(end, "junit_sha256", sha256)) return 0;
  return not_as_written("junit.xml", folder, "its SHA-256 is not that in the end record", error);
}

static int check_seal(const struct list *list, const json_t *tree, const char *sha256,
                      const char *folder, struct error *error)
{
  const json_t *end = list->end;
  if (json_object_get(end, "results_sha256") == NULL)
    return error_set(
        error, EXIT_CODE_USAGE,
        "the end record in %.200s has no hashes: it is of an older version, or was cut "
        "short, and does not vouch for results.json; run it again",
        folder);
  if (!counts(end, "events", list->lines))
    return not_as_written("events.ndjson", folder,
                          "it has more or fewer lines than its end record says", error);
  if (!has_digest(end, "events_sha256", list->sha256))
    return not_as_written("events.ndjson", folder, "its SHA-256 is not that in its end record",
                          error);
  if (!has_digest(end, "results_sha256", sha256))
    return not_as_written("results.json", folder,
                          "its SHA-256 is not that in the end record of events.ndjson", error);
  if (!counts(end, "phases", json_array_size(json_object_get(tree, "phases"))) ||
      !counts(end, "expectations", json_array_size(json_object_get(tree, "expectations"))))
    return not_as_written("results.json", folder,
                          "it has more or fewer phases or expectations than the end record of "
                          "events.ndjson says",
                          error);
  return check_junit(end, folder, error);
}

/* What lies in the folder besides the tree of results.json, whose bytes have that SHA-256. */
static int check_list(const struct list *list, const json_t *tree, const char *sha256,
                      const char *folder, struct error *error)
{
  if (list->end == NULL)
    return error_set(
        error, EXIT_CODE_USAGE,
        "the last run in %.200s did not end (it was killed, or is under way): its events.ndjson "
        "has no end record, and results.json says nothing about it; run it again",
        folder);
  if (list->more_ends)
    return not_as_written("events.ndjson", folder, "it has more than one end record", error);
  if (!is_same(list->end, tree))
    return error_set(error, EXIT_CODE_USAGE,
                     "results.json and events.ndjson in %.200s are of different runs: run it again",
                     folder);
  return check_seal(list, tree, sha256, folder, error);
}

static int check(const json_t *tree, const char *folder, const char *path, const char *sha256,
                 const json_error_t *where, struct error *error)
{
  struct list list = {0};
  if (check_tree(tree, path, where, error) != 0) return -1;
  int status = read_list(folder, &list, error);
  if (status == 0) status = check_list(&list, tree, sha256, folder, error);
  json_decref(list.end);
  return status;
}

json_t *results_json_load(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  if (files_join(path, folder, "results.json", error) != 0) return NULL;
  if (files_read(path, RESULTS_SIZE_MAX, &data, &size, error) != 0) {
    error_wrap(error, "%.200s holds no complete run", folder);
    return NULL;
  }
  json_error_t where;
  char sha256[DIGEST_TEXT];
  json_t *tree = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, &where);
  int status = digest_of(data, size, sha256);
  free(data);
  if (status != 0) error_set(error, EXIT_CODE_INTERNAL, "not enough memory to read %s", path);
  if (status == 0) status = check(tree, folder, path, sha256, &where, error);
  if (status == 0) return tree;
  json_decref(tree);
  return NULL;
}

int results_reprint(const char *folder, FILE *out, bool colour, struct error *error)
{
  json_t *tree = results_json_load(folder, error);
  if (tree == NULL) {
    so_far_print(folder, out, colour);
    return -1;
  }
  summary_print(tree, out, &(struct results_extent){.colour = colour});
  int code = (int) json_integer_value(json_object_get(tree, "exit_code"));
  json_decref(tree);
  return code;
}

int results_page_again(const char *folder, struct error *error)
{
  json_t *tree = results_json_load(folder, error);
  if (tree == NULL) return -1;
  int status = html_write(tree, folder, error);
  json_decref(tree);
  return status;
}
