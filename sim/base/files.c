#define _POSIX_C_SOURCE 200809L
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files_join(char out[FILES_PATH_MAX], const char *folder, const char *name, struct error *error)
{
  int n = snprintf(out, FILES_PATH_MAX, "%s/%s", folder, name);
  if (n < 0 || n >= FILES_PATH_MAX)
    return error_set(error, EXIT_CODE_SETUP, "the path %.80s.../%.80s is too long; use a shorter --out", folder, name);
  return 0;
}

static int make_one(const char *path, mode_t mode, struct error *error)
{
  if (mkdir(path, mode) == 0) return 0;
  if (errno != EEXIST)
    return error_set(error, EXIT_CODE_SETUP, "cannot make the folder %s: %s; choose another one", path,
                     strerror(errno));
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
    return error_set(error, EXIT_CODE_SETUP, "%s is in the way: it is not a folder; move it or choose another one",
                     path);
  return 0;
}

int files_make_folder(const char *path, mode_t mode, struct error *error)
{
  char partial[FILES_PATH_MAX];
  if (strlen(path) >= sizeof partial) return error_set(error, EXIT_CODE_SETUP, "the path %.80s... is too long", path);
  strcpy(partial, path);
  for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (make_one(partial, 0755, error) != 0) return -1;
    *slash = '/';
  }
  return make_one(path, mode, error);
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    data += n;
    size -= (size_t) n;
  }
  return fsync(fd);
}

int files_write(const char *path, const void *data, size_t size, mode_t mode, struct error *error)
{
  char partial[FILES_PATH_MAX + 8];
  if (snprintf(partial, sizeof partial, "%s.part", path) >= (int) sizeof partial)
    return error_set(error, EXIT_CODE_SETUP, "the path %.80s... is too long", path);
  int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot write %s: %s; check the folder's permissions and free space", path,
                     strerror(errno));
  int failed = write_all(fd, data, size) != 0;
  int saved = errno;
  if (close(fd) != 0 && !failed) failed = 1, saved = errno;
  if (!failed && rename(partial, path) != 0) failed = 1, saved = errno;
  if (!failed) return 0;
  unlink(partial);
  return error_set(error, EXIT_CODE_SETUP, "cannot write %s: %s; check the folder's permissions and free space", path,
                   strerror(saved));
}

static int read_all(int fd, uint8_t *data, size_t size)
{
  while (size > 0) {
    ssize_t n = read(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    data += n;
    size -= (size_t) n;
  }
  return 0;
}

int files_read(const char *path, size_t limit, uint8_t **data, size_t *size, struct error *error)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_set(error, EXIT_CODE_USAGE, "cannot read %s: %s", path, strerror(errno));
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uintmax_t) st.st_size > limit) {
    close(fd);
    return error_set(error, EXIT_CODE_USAGE, "%s is not a regular file of at most %zu bytes", path, limit);
  }
  *size = (size_t) st.st_size;
  *data = malloc(*size + 1);
  int failed = *data == NULL || read_all(fd, *data, *size) != 0;
  close(fd);
  if (failed) {
    free(*data);
    *data = NULL;
    return error_set(error, EXIT_CODE_SETUP, "cannot read %s whole", path);
  }
  (*data)[*size] = 0;
  return 0;
}

bool files_find_executable(const char *name, char out[FILES_PATH_MAX])
{
  char path[4096];
  const char *set = getenv("PATH");
  int n = snprintf(path, sizeof path, "%s:/usr/sbin:/usr/local/sbin:/sbin", set == NULL ? "/usr/bin:/bin" : set);
  if (n < 0 || (size_t) n >= sizeof path) return false;
  char *rest = NULL;
  for (char *folder = strtok_r(path, ":", &rest); folder != NULL; folder = strtok_r(NULL, ":", &rest)) {
    if (folder[0] != '/') continue;
    if (files_join(out, folder, name, NULL) == 0 && access(out, X_OK) == 0) return true;
  }
  return false;
}
