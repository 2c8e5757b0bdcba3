/* Grows glibc's heap once, up to what a fleet will need, and asks for huge pages under it:
 * thousands of devices then take fewer page faults. It only helps: what is refused leaves the heap
 * as it was. */
#define _DEFAULT_SOURCE
#include "base/heap.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  ((uintptr_t) 2 << 20)
#define LEAST ((uint64_t) 6 << 20) /* some 400 devices */
/* below the size from which on glibc maps an allocation by itself */
#define STEP      ((uintptr_t) 120 << 10)
#define BYTES_MAX ((uint64_t) 1 << 30) /* mallopt takes an int */

void heap_grow(uint64_t bytes)
{
  if (bytes < LEAST || mallopt(M_TOP_PAD, (int) (bytes < BYTES_MAX ? bytes : BYTES_MAX)) != 1)
    return;
  malloc_trim(0);
  uintptr_t before = (uintptr_t) sbrk(0);
  void *first = malloc(STEP); /* more than a trimmed heap has left: it grows */
  uintptr_t from = (before + PAGE - 1) / PAGE * PAGE, to = (uintptr_t) sbrk(0);
  if (first != NULL && from < to)
    (void) madvise((void *) from, to - from, MADV_HUGEPAGE); /* refused: they stay small */
  free(first);
}

#else

void heap_grow(uint64_t bytes)
{
  (void) bytes;
}

#endif
