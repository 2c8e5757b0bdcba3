/* A file of a key is created with its mode, never opened and closed to others later, and written
 * beside its place where it replaces one. A folder in which others can read keys is refused before
 * anything of it is used. */
#define _POSIX_C_SOURCE 200809L
#include "pki/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

int pki_secret_create(const char *path, struct error *error)
{
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) return fd;
  if (errno == EEXIST)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s exists already and is not overwritten; move it or choose another path",
                     path);
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot write %s: %s; check the folder's permissions and free space", path,
                   strerror(errno));
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= (size_t) n;
  }
  return fsync(fd) == 0;
}

int pki_secret_write_new(const char *path, const void *data, size_t size, struct error *error)
{
  int fd = pki_secret_create(path, error);
  if (fd < 0) return -1;
  bool whole = write_all(fd, data, size);
  if (close(fd) == 0 && whole) return 0;
  int saved = errno;
  unlink(path);
  return error_set(error, EXIT_CODE_SETUP, "cannot write %s: %s; check free space", path,
                   strerror(saved));
}

int pki_secret_replace(const char *path, const void *data, size_t size, struct error *error)
{
  char fresh[FILES_PATH_MAX];
  if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int) sizeof fresh)
    return error_set(error, EXIT_CODE_SETUP, "the path %.80s... is too long", path);
  unlink(fresh);
  if (pki_secret_write_new(fresh, data, size, error) != 0) return -1;
  if (rename(fresh, path) == 0) return 0;
  int saved = errno;
  unlink(fresh);
  return error_set(error, EXIT_CODE_SETUP, "cannot replace %s: %s; check the folder's permissions",
                   path, strerror(saved));
}

static int check_secrecy(const char *path, bool folder, struct error *error)
{
  struct stat st;
  if (stat(path, &st) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "cannot find %s: %s; is this a folder made by 'fleetsim pki make'?", path,
                     strerror(errno));
  if (S_ISDIR(st.st_mode) != folder || (!folder && !S_ISREG(st.st_mode)))
    return error_set(error, EXIT_CODE_USAGE, "%s is not a %s", path,
                     folder ? "folder" : "regular file");
  if ((st.st_mode & 077) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "others can get at private keys in %s (mode %04o); mend it with: chmod %s %s",
                   path, (unsigned) (st.st_mode & 07777), folder ? "0700" : "0600", path);
}

static bool holds_keys(const char *name)
{
  size_t size = strlen(name);
  return (size > 4 && strcmp(name + size - 4, ".key") == 0) || strcmp(name, "nvm.bin") == 0 ||
         strcmp(name, "registry.db") == 0;
}

static int check_inside(const char *folder, struct error *error)
{
  if (check_secrecy(folder, true, error) != 0) return -1;
  DIR *dir = opendir(folder);
  if (dir == NULL)
    return error_set(error, EXIT_CODE_SETUP, "cannot read the folder %s: %s", folder,
                     strerror(errno));
  int result = 0;
  for (struct dirent *entry = readdir(dir); entry != NULL && result == 0; entry = readdir(dir)) {
    char path[FILES_PATH_MAX];
    if (!holds_keys(entry->d_name)) continue;
    result = files_join(path, folder, entry->d_name, error);
    if (result == 0) result = check_secrecy(path, false, error);
  }
  closedir(dir);
  return result;
}

int pki_secret_check_folder(const char *folder, struct error *error)
{
  char ca[FILES_PATH_MAX];
  if (files_join(ca, folder, "ca", error) != 0 || check_inside(folder, error) != 0) return -1;
  return check_inside(ca, error);
}
