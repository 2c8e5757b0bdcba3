/* Opened once, and what is judged is what is read: the mode is that of the open file. */
#define _POSIX_C_SOURCE 200809L
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

void secret_wipe(void *data, size_t size)
{
  volatile unsigned char *at = data;
  for (size_t i = 0; i < size; i++) at[i] = 0;
}

int secret_check_mode(int fd, const char *path, const char *what, struct error *error)
{
  struct stat st;
  if (fstat(fd, &st) == 0 && (st.st_mode & 077) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "others can get at %s in %s (mode %04o); mend it with: chmod 0600 %s", what,
                   path, (unsigned) (st.st_mode & 07777), path);
}

/* The bytes read, or -1. */
static ssize_t read_whole(int fd, char *out, size_t size)
{
  size_t got = 0;
  while (got < size) {
    ssize_t n = read(fd, out + got, size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += (size_t) n;
  }
  return (ssize_t) got;
}

static int take(int fd, const char *path, char *text, size_t *size, struct error *error)
{
  ssize_t got = read_whole(fd, text, *size);
  if (got < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot read %s: %s", path, strerror(errno));
  *size = (size_t) got;
  text[got] = '\0';
  if (memchr(text, '\0', *size) == NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s is no text: it holds a NUL byte", path);
}

int secret_read(const char *path, const char *what, size_t limit, char **text, size_t *size,
                struct error *error)
{
  *text = NULL;
  int fd = files_open(path, limit, size, error);
  if (fd < 0) return -1;
  size_t room = *size + 1;
  char *taken = NULL;
  int result = secret_check_mode(fd, path, what, error);
  if (result == 0) {
    taken = malloc(room);
    result = taken != NULL ? take(fd, path, taken, size, error)
                           : error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path);
  }
  close(fd);
  if (result != 0 && taken != NULL) secret_wipe(taken, room);
  if (result != 0)
    free(taken);
  else
    *text = taken;
  return result;
}
