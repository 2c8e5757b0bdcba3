/* Loads a 32-bit Arm ELF as a programmer would flash it: the bytes of every PT_LOAD segment at
 * their physical address. No symbol is needed. The vector table is at the lowest loaded address.
 */
#ifndef FLEETSIM_M4_ELF_H
#define FLEETSIM_M4_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define M4_FLASH_MIN (512u * 1024u)
#define M4_FLASH_MAX (16u * 1024u * 1024u)
#define M4_FLASH_END 0x20000000u /* of the code region of the address map */
#define M4_RAM       0x20000000u
#define M4_RAM_SIZE  (256u * 1024u)

struct m4_image {
  uint8_t *flash; /* flash_size bytes, erased (0xff) where nothing is loaded */
  uint32_t flash_base, flash_size;
  uint32_t stack_top, reset; /* the vector table's first two words; `reset` with its Thumb bit */
  uint32_t rom_bytes;        /* text, read-only data and the image of .data */
  uint32_t ram_bytes;        /* .data and .bss, and whatever else is laid out in RAM by a segment */
};

/* 0, or -1 with a sentence; m4_image_free takes it back. `name` is for the sentence. */
int m4_image_load(struct m4_image *image, const uint8_t *file, size_t size, const char *name,
                  struct error *error);
void m4_image_free(struct m4_image *image);

#endif
