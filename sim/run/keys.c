/* A folder that a run has made holds a file by which the next run knows it: one of somebody's own that
 * happens to lie there is refused, not removed. */
#define _XOPEN_SOURCE 700
#include "run/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

#define MARK "keys-of-a-run"

static const char suffix[] = ".keys";

static int no_folder(struct stage *stage)
{
  return error_set(&stage->error, EXIT_CODE_SETUP,
                   "the folder %s, where this run's keys are to lie, cannot be used: %s; choose "
                   "another one with --keys",
                   stage->keys, strerror(errno));
}

static bool is_called(const char *name, const char *other)
{
  return strcmp(name, other) == 0;
}

/* What a run makes there. */
static bool is_a_runs(const char *name)
{
  static const char broker[] = "broker";
  const char *end = name + sizeof broker - 1;
  return is_called(name, "fleet") || is_called(name, "updates") ||
         (strncmp(name, broker, sizeof broker - 1) == 0 && (*end == '\0' || *end == '-'));
}

/* Goes through what lies there besides the mark: counts it, or removes what a run has made, but for
   `kept`. -1: it cannot be read, or removed. */
static int go_through_keys(struct stage *stage, bool remove_it, const char *kept, unsigned *count)
{
  char path[FILES_PATH_MAX];
  const struct dirent *entry;
  int status = 0;
  DIR *folder = opendir(stage->keys);
  *count = 0;
  if (folder == NULL) return errno == ENOENT ? 0 : no_folder(stage);
  while (status == 0 && (entry = readdir(folder)) != NULL) {
    const char *name = entry->d_name;
    if (is_called(name, ".") || is_called(name, "..") || is_called(name, MARK)) continue;
    ++*count;
    if (remove_it && is_a_runs(name) && !is_called(name, kept) &&
        (files_join(path, stage->keys, name, &stage->error) != 0 ||
         files_remove(path, &stage->error) != 0))
      status = -1;
  }
  closedir(folder);
  return status;
}

static bool is_marked(const char *path)
{
  char mark[FILES_PATH_MAX];
  return files_join(mark, path, MARK, NULL) == 0 && access(mark, F_OK) == 0;
}

/* Nothing is made so far, so the folder may not be there; "" if its name is too long. */
static void find_asked(const char *asked, char out[FILES_PATH_MAX])
{
  char here[FILES_PATH_MAX], *whole = realpath(asked, NULL);
  int size = snprintf(out, FILES_PATH_MAX, "%s", whole != NULL ? whole : asked);
  if (whole == NULL && asked[0] != '/')
    size = getcwd(here, sizeof here) != NULL ? snprintf(out, FILES_PATH_MAX, "%s/%s", here, asked)
                                             : FILES_PATH_MAX;
  free(whole);
  if (size < 0 || size >= FILES_PATH_MAX) out[0] = '\0';
}

static int name_keys(struct stage *stage, const char *out)
{
  const char *asked = stage->options->keys;
  char place[FILES_PATH_MAX] = "";
  if (asked != NULL) find_asked(asked, place);
  int size = asked != NULL ? snprintf(stage->keys, sizeof stage->keys, "%s", place)
                           : snprintf(stage->keys, sizeof stage->keys, "%s%s", out, suffix);
  bool fits = size > 0 && (size_t) size < sizeof stage->keys && !is_called(out, "/");
  size_t length = strlen(out);
  bool within = strncmp(stage->keys, out, length) == 0 &&
                (stage->keys[length] == '/' || stage->keys[length] == '\0');
  if (fits && !within) return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "this run's keys cannot lie in %.200s, %s: choose another folder with --keys",
                   asked != NULL ? asked : "that folder",
                   within ? "which is the folder for results, or in it" : "whose name is too long");
}

/* Two runs with one --keys: the second would remove what the first one uses. It ends with this process,
   however that ends; who cannot lock, as on NFS, goes without. */
static int lock_keys(struct stage *stage)
{
  if (stage->keys_fd >= 0) return 0;
  stage->keys_fd = open(stage->keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (stage->keys_fd < 0) return no_folder(stage);
  if (flock(stage->keys_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 0;
  return error_set(
      &stage->error, EXIT_CODE_SETUP,
      "another run has its keys in %s: wait for its end, or choose another folder with "
      "--keys",
      stage->keys);
}

/* Those beside the folder for results go with it. */
static int check_earlier(struct stage *stage, unsigned found)
{
  if (found > 0 && !is_marked(stage->keys))
    return error_set(
        &stage->error, EXIT_CODE_USAGE,
        "%s, where this run's keys are to lie, holds what no run has put there: choose "
        "another --out, or another --keys",
        stage->keys);
  if (found == 0 || stage->options->keys == NULL || stage->options->overwrite) return 0;
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s holds the keys of an earlier run, which would be lost: choose another folder "
      "with --keys, or pass --overwrite",
      stage->keys);
}

int run_keys_find(struct stage *stage)
{
  char *out = realpath(stage->options->out, NULL);
  unsigned found;
  if (out == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "the folder %s cannot be used: %s",
                     stage->options->out, strerror(errno));
  int status = name_keys(stage, out);
  free(out);
  if (status != 0) return -1;
  if (access(stage->keys, F_OK) != 0 && errno == ENOENT) return 0;
  return lock_keys(stage) != 0 || go_through_keys(stage, false, "", &found) != 0
             ? -1
             : check_earlier(stage, found);
}

/* A fleet there may be the one that this run is given. */
static bool has_given_fleet(const struct stage *stage)
{
  struct stat there, given;
  char path[FILES_PATH_MAX];
  return stage->options->fleet != NULL && files_join(path, stage->keys, "fleet", NULL) == 0 &&
         stat(path, &there) == 0 && stat(stage->options->fleet, &given) == 0 &&
         there.st_dev == given.st_dev && there.st_ino == given.st_ino;
}

int run_keys_begin(struct stage *stage)
{
  char path[FILES_PATH_MAX];
  unsigned found;
  if (files_make_folder(stage->keys, 0700, &stage->error) != 0)
    return error_wrap(&stage->error, "this run's keys (--keys says where they are to lie)");
  if (lock_keys(stage) != 0 ||
      go_through_keys(stage, true, has_given_fleet(stage) ? "fleet" : "", &found) != 0 ||
      files_join(path, stage->keys, MARK, &stage->error) != 0)
    return -1;
  return files_write(path, stage->results.run_id, strlen(stage->results.run_id), 0600,
                     &stage->error);
}
