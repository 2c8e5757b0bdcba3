/* An image goes to a temporary file beside its path, whose room is reserved before anything is
 * written, and is renamed when it is whole. An error leaves what was there before. */
#define _GNU_SOURCE
#include "cli/image_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_write(const struct image_out *out, int reason, struct error *error)
{
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot write %s (%zu bytes): %s; check the folder's permissions and free space",
                   out->path, out->size, strerror(reason));
}

static int refuse_existing(const char *path, struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "%s exists already and is not overwritten; choose another path, or say --force",
                   path);
}

/* With the mode that the user's umask gives to files. */
static int reserve(struct image_out *out)
{
  mode_t mask = umask(0);
  umask(mask);
  if (fchmod(out->fd, 0666 & ~mask) != 0) return errno;
  int reason = posix_fallocate(out->fd, 0, (off_t) out->size);
  if (reason != 0) return reason;
  void *map = mmap(NULL, out->size, PROT_READ | PROT_WRITE, MAP_SHARED, out->fd, 0);
  if (map == MAP_FAILED) return errno;
  out->data = map;
  return 0;
}

int image_out_open(const char *path, bool replace, size_t size, struct image_out *out,
                   struct error *error)
{
  *out = (struct image_out){.replace = replace, .size = size, .fd = -1};
  if (snprintf(out->path, sizeof out->path, "%s", path) >= (int) sizeof out->path ||
      snprintf(out->partial, sizeof out->partial, "%s.XXXXXX", path) >= (int) sizeof out->partial)
    return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", path);
  if (!replace && access(path, F_OK) == 0) return refuse_existing(path, error);
  out->fd = mkostemp(out->partial, O_CLOEXEC);
  if (out->fd < 0) return cannot_write(out, errno, error);
  int reason = reserve(out);
  if (reason == 0) return 0;
  cannot_write(out, reason, error);
  image_out_close(out, false, NULL);
  return -1;
}

/* A file that came into being meanwhile is not overwritten either. */
static int put_in_place(const struct image_out *out, struct error *error)
{
  if (fsync(out->fd) != 0) return cannot_write(out, errno, error);
  if (out->replace ? rename(out->partial, out->path) == 0
                   : renameat2(AT_FDCWD, out->partial, AT_FDCWD, out->path, RENAME_NOREPLACE) == 0)
    return 0;
  return errno == EEXIST ? refuse_existing(out->path, error) : cannot_write(out, errno, error);
}

int image_out_close(struct image_out *out, bool keep, struct error *error)
{
  if (out->fd < 0) return 0;
  if (out->data != NULL) munmap(out->data, out->size);
  int result = keep ? put_in_place(out, error) : 0;
  if (!keep || result != 0) unlink(out->partial);
  close(out->fd);
  out->fd = -1;
  return result;
}
