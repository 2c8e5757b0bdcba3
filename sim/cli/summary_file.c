/* Written twice: a run that is killed in between leaves a page that says so. It is put in place by
 * renaming, which takes the place of a device, a pipe or a link as well. */
#define _XOPEN_SOURCE 700
#include "cli/summary_file.h"

#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "report/results.h"

int summary_file_take(const struct args_option *option, char *value, void *to, struct error *error)
{
  static const char *const taken[] = {"results.json", "junit.xml", "events.ndjson",
                                      "events.ndjson.zst", "report.html"};
  const char *slash = strrchr(value, '/'), *name = slash != NULL ? slash + 1 : value;
  for (size_t t = 0; t < sizeof taken / sizeof *taken; t++)
    if (strcmp(name, taken[t]) == 0)
      return error_set(error, EXIT_CODE_USAGE,
                       "--%s %.200s would be written over a run's own %s: choose another name",
                       option->name, value, name);
  struct stat st;
  if (lstat(value, &st) == 0 && !S_ISREG(st.st_mode))
    return error_set(error, EXIT_CODE_USAGE,
                     "--%s %.200s is no regular file: name one, or a new one", option->name, value);
  return args_text(option, value, to, error);
}

static bool is_same_file(const char *path, const char *other)
{
  struct stat a, b;
  return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

int summary_file_begin(const char *path, const char *scenario, struct error *error)
{
  char folder[FILES_PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (is_same_file(path, scenario))
    return error_set(error, EXIT_CODE_USAGE,
                     "--summary-markdown %.200s would be written over the scenario: choose another "
                     "name",
                     path);
  snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int) (slash - path) : 0, path);
  if (folder[0] != '\0' && files_make_folder(folder, 0755, error) != 0) return -1;
  return results_no_markdown(path, scenario,
                             "the run was under way when this was written; if it is no more, it "
                             "was killed",
                             error);
}

void summary_file_end(const char *path, const char *scenario, const char *out, bool written,
                      const char *why)
{
  struct error error = {0};
  int status = written ? results_markdown(out, path, &error)
                       : results_no_markdown(path, scenario, why, &error);
  if (status != 0)
    fprintf(stderr, "fleetsim: %s%s\n", error.text,
            written ? "; the results are whole without it" : "");
}
