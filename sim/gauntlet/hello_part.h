/* Bytes of a message that are taken from their front. Whoever takes more than there are gets zeros
 * and an empty part, and `broken` stays set: one look at it after all is enough. */
#ifndef FLEETSIM_GAUNTLET_HELLO_PART_H
#define FLEETSIM_GAUNTLET_HELLO_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gauntlet/hello.h"

struct hello_part {
  const uint8_t *at;
  size_t left;
  bool broken;
};

static inline const uint8_t *hello_part_skip(struct hello_part *part, size_t size)
{
  const uint8_t *from = part->at;
  if (size > part->left) {
    part->broken = true;
    part->left = 0;
    return NULL;
  }
  part->at += size;
  part->left -= size;
  return from;
}

/* A number of 1 to 4 bytes, big-endian. */
static inline uint32_t hello_part_number(struct hello_part *part, size_t bytes)
{
  const uint8_t *from = hello_part_skip(part, bytes);
  uint32_t value = 0;
  for (size_t i = 0; from != NULL && i < bytes; i++) value = value << 8 | from[i];
  return value;
}

/* What stands behind a length of so many bytes; it is whole, or `part` is broken. */
static inline struct hello_part hello_part_inner(struct hello_part *part, size_t length_bytes)
{
  size_t size = hello_part_number(part, length_bytes);
  const uint8_t *from = hello_part_skip(part, size);
  return (struct hello_part){from, from != NULL ? size : 0, false};
}

/* The rest as numbers of two bytes, and as single bytes: at least one. False: it is no such list. */
bool hello_part_numbers(struct hello_part part, struct hello_numbers *out);
bool hello_part_bytes(struct hello_part part, struct hello_bytes *out);

/* hello_extensions.c: reads the block of extensions that is the rest of a hello. False, with
   out->why: it is none. */
bool hello_extensions_read(struct hello_part body, struct hello *out);

#endif
