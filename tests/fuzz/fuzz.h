/* What the fuzz targets share: how a promise that is not kept ends the program, and inputs that are
 * read as a list of things to do, so that what stands behind a checksum, a signature or a file's
 * outer form is reached as well. */
#ifndef FLEETSIM_FUZZ_H
#define FLEETSIM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool holds, const char *invariant)
{
  if (holds) return;
  fprintf(stderr, "broken: %s\n", invariant);
  abort();
}

/* Bytes that are taken from their front. */
struct fuzz_input {
  const uint8_t *at;
  size_t left;
};

/* At most `size` of them; *taken is how many there were. */
static inline const uint8_t *fuzz_take(struct fuzz_input *in, size_t size, size_t *taken)
{
  const uint8_t *from = in->at;
  *taken = size < in->left ? size : in->left;
  if (*taken > 0) in->at += *taken;
  in->left -= *taken;
  return from;
}

/* A number of `bytes` bytes, big-endian; those that are missing are none of it. */
static inline uint32_t fuzz_number(struct fuzz_input *in, size_t bytes)
{
  size_t taken;
  const uint8_t *from = fuzz_take(in, bytes, &taken);
  uint32_t value = 0;
  for (size_t i = 0; i < taken; i++) value = value << 8 | from[i];
  return value;
}

/* Damages an object that is good, until the input is used up: 2 bytes offset, 1 byte {bits 0-1: 0,
 * 3 overwrite, 1 insert, 2 remove; bits 2-7 how many bytes, less one}, and the bytes where there
 * are any to write. Returns its size.
 */
static inline size_t fuzz_damage(struct fuzz_input *in, uint8_t *object, size_t size,
                                 size_t capacity)
{
  while (in->left >= 3) {
    size_t at = fuzz_number(in, 2), length;
    uint32_t what = fuzz_number(in, 1);
    at = size > 0 ? at % (size + 1) : 0;
    if ((what & 3) == 2) {
      length = (what >> 2) + 1;
      if (length > size - at) length = size - at;
      memmove(object + at, object + at + length, size - at - length);
      size -= length;
      continue;
    }
    const uint8_t *bytes = fuzz_take(in, (what >> 2) + 1, &length);
    if (length == 0) break;
    if ((what & 3) == 1) {
      if (length > capacity - size) continue;
      memmove(object + at + length, object + at, size - at);
      size += length;
    } else if (length > size - at) {
      length = size - at;
    }
    memcpy(object + at, bytes, length);
  }
  return size;
}

#endif
