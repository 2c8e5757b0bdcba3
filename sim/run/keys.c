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
#include <unistd.h>

#include "base/files.h"

#define MARK "keys-of-a-run"

static const char suffix[] = ".keys";

static bool is_empty(const char *path)
{
  DIR *folder = opendir(path);
  if (folder == NULL) return errno == ENOENT;
  const struct dirent *entry;
  bool empty = true;
  while ((entry = readdir(folder)) != NULL)
    empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
  closedir(folder);
  return empty;
}

static bool is_marked(const char *path)
{
  char mark[FILES_PATH_MAX];
  return files_join(mark, path, MARK, NULL) == 0 && access(mark, F_OK) == 0;
}

int run_keys_find(struct stage *stage)
{
  const char *asked = stage->options->keys, *beside = asked != NULL ? asked : stage->options->out;
  if (asked != NULL && files_make_folder(asked, 0700, &stage->error) != 0) return -1;
  char *absolute = realpath(beside, NULL);
  if (absolute == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "the folder %s cannot be used: %s", beside,
                     strerror(errno));
  int size =
      snprintf(stage->keys, sizeof stage->keys, "%s%s", absolute, asked != NULL ? "" : suffix);
  bool fits = size > 0 && (size_t) size < sizeof stage->keys && strcmp(absolute, "/") != 0;
  free(absolute);
  if (!fits)
    return error_set(&stage->error, EXIT_CODE_USAGE,
                     "%s is no place for this run's keys: choose another folder with --keys",
                     beside);
  if (is_marked(stage->keys) || is_empty(stage->keys)) return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s, where this run's keys are to lie, holds what no run has put there: choose "
                   "another --out, or another --keys",
                   stage->keys);
}

/* A fleet there may be the one that this run is given. */
static int clear_keys(struct stage *stage)
{
  char path[FILES_PATH_MAX];
  DIR *folder = opendir(stage->keys);
  if (folder == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "%s cannot be read: %s", stage->keys,
                     strerror(errno));
  int status = 0;
  const struct dirent *entry;
  while (status == 0 && (entry = readdir(folder)) != NULL) {
    const char *name = entry->d_name;
    bool kept = strcmp(name, "fleet") == 0 && stage->options->fleet != NULL;
    if (kept || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, MARK) == 0)
      continue;
    if (files_join(path, stage->keys, name, &stage->error) != 0 ||
        files_remove(path, &stage->error) != 0)
      status = -1;
  }
  closedir(folder);
  return status;
}

/* Two runs with one --keys: the second would remove what the first one uses. It ends with this process,
   however that ends; who cannot lock, as on NFS, goes without. */
static int lock_keys(struct stage *stage)
{
  stage->keys_fd = open(stage->keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (stage->keys_fd < 0)
    return error_set(&stage->error, EXIT_CODE_SETUP, "the folder %s cannot be used: %s",
                     stage->keys, strerror(errno));
  if (flock(stage->keys_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 0;
  return error_set(
      &stage->error, EXIT_CODE_SETUP,
      "another run has its keys in %s: wait for its end, or choose another folder with "
      "--keys",
      stage->keys);
}

int run_keys_begin(struct stage *stage)
{
  char path[FILES_PATH_MAX];
  if (files_make_folder(stage->keys, 0700, &stage->error) != 0)
    return error_wrap(&stage->error, "this run's keys (--keys says where they are to lie)");
  if (lock_keys(stage) != 0 || clear_keys(stage) != 0 ||
      files_join(path, stage->keys, MARK, &stage->error) != 0)
    return -1;
  return files_write(path, stage->results.run_id, strlen(stage->results.run_id), 0600,
                     &stage->error);
}
