/* A file in the making, which is there whole or not at all. */
#ifndef FLEETSIM_CLI_IMAGE_OUT_H
#define FLEETSIM_CLI_IMAGE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/files.h"

/* `size` bytes of a mapping under a temporary name beside the path. */
struct image_out {
  char path[FILES_PATH_MAX], partial[FILES_PATH_MAX];
  bool replace; /* an existing file may be replaced */
  int fd;
  uint8_t *data;
  size_t size;
};

/* Refuses an existing `path` unless `replace`. Its whole size is reserved on disk, so that a full
 * disk is a sentence.
 */
int image_out_open(const char *path, bool replace, size_t size, struct image_out *out,
                   struct error *error);

/* Puts the file in its place, whole or not at all: `keep` says whether it is wanted. Ends `out`
   either way. */
int image_out_close(struct image_out *out, bool keep, struct error *error);

#endif
