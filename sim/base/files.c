/* Files are written beside their place and renamed when they are on the disk, so that a reader
 * sees the old or the new; folders of keys are refused if others can write to them. Every refusal
 * names the path and what to do: a name that the user gave is a USAGE error, what the machine
 * lacks is SETUP. */
#define _XOPEN_SOURCE 700
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files_join(char out[FILES_PATH_MAX], const char *folder, const char *name, struct error *error)
{
  int n = snprintf(out, FILES_PATH_MAX, "%s/%s", folder, name);
  if (n < 0 || n >= FILES_PATH_MAX)
    return error_set(error, EXIT_CODE_SETUP,
                     "the path %.80s.../%.80s is too long; use a shorter --out", folder, name);
  return 0;
}

/* A folder that is to be ours alone and was there before. */
static int check_private(const char *path, mode_t mode, struct error *error)
{
  struct stat st;
  if (lstat(path, &st) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot look at the folder %s: %s", path,
                     strerror(errno));
  if (!S_ISDIR(st.st_mode))
    return error_set(error, EXIT_CODE_SETUP,
                     "%s is in the way: keys are to lie in a folder of that name, and it is no "
                     "folder; move it or choose another one",
                     path);
  if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "others can write to the folder %s (owner %u, mode %04o), and keys are to lie "
                     "there: choose another one, or make it yours (chown, chmod 700)",
                     path, (unsigned) st.st_uid, (unsigned) st.st_mode & 07777);
  if ((st.st_mode & 055) == 0 || chmod(path, mode) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot close the folder %s to others: %s", path,
                   strerror(errno));
}

static int make_one(const char *path, mode_t mode, struct error *error)
{
  if (mkdir(path, mode) == 0) return 0;
  if (errno != EEXIST)
    return error_set(error, EXIT_CODE_SETUP, "cannot make the folder %s: %s; choose another one",
                     path, strerror(errno));
  if ((mode & 077) == 0) return check_private(path, mode, error);
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
    return error_set(error, EXIT_CODE_SETUP,
                     "%s is in the way: it is not a folder; move it or choose another one", path);
  return 0;
}

int files_make_folder(const char *path, mode_t mode, struct error *error)
{
  char partial[FILES_PATH_MAX];
  if (strlen(path) >= sizeof partial)
    return error_set(error, EXIT_CODE_SETUP, "the path %.80s... is too long", path);
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
  (void) unlink(partial); /* of somebody who was killed, or who waits for what we write */
  int fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot write %s: %s; check the folder's permissions and free space", path,
                     strerror(errno));
  int failed = write_all(fd, data, size) != 0;
  int saved = errno;
  if (close(fd) != 0 && !failed) failed = 1, saved = errno;
  if (!failed && rename(partial, path) != 0) failed = 1, saved = errno;
  if (!failed) return 0;
  unlink(partial);
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot write %s: %s; check the folder's permissions and free space", path,
                   strerror(saved));
}

static const char *kind_of(mode_t mode)
{
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISLNK(mode)) return "a link";
  return S_ISSOCK(mode) ? "a socket" : "a device";
}

static int refuse_file(const char *path, const struct stat *st, struct error *error)
{
  if (!S_ISREG(st->st_mode))
    return error_set(error, EXIT_CODE_SETUP,
                     "%s is in the way: it is %s; move it or choose another folder", path,
                     kind_of(st->st_mode));
  return error_set(
      error, EXIT_CODE_SETUP,
      "%s is in the way: it belongs to user %u and has %u names; move it or choose another folder",
      path, (unsigned) st->st_uid, (unsigned) st->st_nlink);
}

int files_create(const char *path, mode_t mode, struct error *error)
{
  struct stat st;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd >= 0) return fd;
  if (errno == EEXIST) { /* any other reason is the one to tell */
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) return refuse_file(path, &st, error);
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  }
  if (fd < 0 || fstat(fd, &st) != 0) {
    int saved = errno;
    if (fd >= 0) close(fd);
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot write %s: %s; choose another folder with --out", path,
                     strerror(saved));
  }
  if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 && ftruncate(fd, 0) == 0)
    return fd;
  close(fd);
  return refuse_file(path, &st, error);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st, (void) kind, (void) where;
  return remove(path);
}

int files_remove(const char *path, struct error *error)
{
  if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot remove %s: %s; remove it or choose another folder", path,
                   strerror(errno));
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

/* Nothing is wrong with the name that was given. */
static bool is_of_the_machine(int error)
{
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EINTR;
}

int files_open(const char *path, size_t limit, size_t *size, struct error *error)
{
  /* a pipe without a writer must not hold us up */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0)
    return error_set(error, is_of_the_machine(errno) ? EXIT_CODE_SETUP : EXIT_CODE_USAGE,
                     "cannot read %s: %s", path, strerror(errno));
  if (fstat(fd, &st) != 0)
    error_set(error, EXIT_CODE_SETUP, "cannot read %s: %s", path, strerror(errno));
  else if (!S_ISREG(st.st_mode))
    error_set(error, EXIT_CODE_USAGE,
              "%s is %s, not a regular file: save what it is to hold as a file, and name that",
              path, kind_of(st.st_mode));
  else if ((uintmax_t) st.st_size > limit)
    error_set(error, EXIT_CODE_USAGE,
              "%s has %jd bytes, and at most %zu bytes are read here: is it the right file?", path,
              (intmax_t) st.st_size, limit);
  else {
    *size = (size_t) st.st_size;
    return fd;
  }
  close(fd);
  return -1;
}

int files_read(const char *path, size_t limit, uint8_t **data, size_t *size, struct error *error)
{
  *data = NULL;
  int fd = files_open(path, limit, size, error);
  if (fd < 0) return -1;
  *data = malloc(*size + 1);
  if (*data == NULL) {
    close(fd);
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for the %zu bytes of %s", *size, path);
  }
  errno = 0;
  int failed = read_all(fd, *data, *size) != 0, saved = errno;
  close(fd);
  if (failed) {
    free(*data);
    *data = NULL;
    return error_set(error, EXIT_CODE_SETUP, "cannot read %s whole: %s", path,
                     saved != 0 ? strerror(saved) : "it became shorter meanwhile");
  }
  (*data)[*size] = 0;
  return 0;
}

bool files_find_executable(const char *name, char out[FILES_PATH_MAX])
{
  char path[4096];
  const char *set = getenv("PATH");
  int n = snprintf(path, sizeof path, "%s:/usr/sbin:/usr/local/sbin:/sbin",
                   set == NULL ? "/usr/bin:/bin" : set);
  if (n < 0 || (size_t) n >= sizeof path) return false;
  char *rest = NULL;
  for (char *folder = strtok_r(path, ":", &rest); folder != NULL;
       folder = strtok_r(NULL, ":", &rest)) {
    if (folder[0] != '/') continue;
    if (files_join(out, folder, name, NULL) == 0 && access(out, X_OK) == 0) return true;
  }
  return false;
}
