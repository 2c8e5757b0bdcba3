/* The board that the images run on: fleetsim-m4's block of words (marks.h), and the end of the
   program. */
#ifndef FLEETSIM_M4_BOARD_H
#define FLEETSIM_M4_BOARD_H

#include <stddef.h>

#include "fleetsim/device.h"

/* Entropy of the block, and the NVM page at M4_NVM. No observer. */
extern const struct device_host board_host;

/* Most bytes of the heap that were ever in use at once, with the allocator's own and what lay
 * unused between them: what a product must reserve. */
size_t board_heap_peak(void);

/* To the emulator's standard error. */
void board_print(const char *text);

_Noreturn void board_exit(int code);

/* Prints the sentence and exits 1. */
_Noreturn void board_fail(const char *sentence);

/* Goes on only if `good`. */
static inline void board_require(bool good, const char *sentence)
{
  if (!good) board_fail(sentence);
}

#endif
