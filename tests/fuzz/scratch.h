/* A folder for targets that read files, gone when the program ends; it holds one file at a time of
   a name. */
#ifndef FLEETSIM_FUZZ_SCRATCH_H
#define FLEETSIM_FUZZ_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static char scratch[128];

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
  (void) st, (void) type, (void) ftw;
  return remove(path);
}

static inline void scratch_remove(void)
{
  nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_begin(void)
{
  const char *tmp = getenv("TMPDIR");
  if (tmp == NULL && access("/dev/shm", W_OK) == 0)
    tmp = "/dev/shm"; /* memory: no disk is waited for */
  snprintf(scratch, sizeof scratch, "%s/fleetsim-fuzz-XXXXXX",
           tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
  require(mkdtemp(scratch) != NULL, "there is a folder for files");
  atexit(scratch_remove);
}

/* Its path, valid until the second call after. */
static inline const char *scratch_path(const char *name)
{
  static char path[2][256];
  static unsigned next;
  char *out = path[next++ % 2];
  snprintf(out, sizeof path[0], "%s/%s", scratch, name);
  return out;
}

static inline const char *scratch_write(const char *name, const void *data, size_t size)
{
  const char *path = scratch_path(name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t) size) && close(fd) == 0,
          "a file is written");
  return path;
}

#endif
