/* The heap under newlib's malloc: all RAM above .bss, and not a byte more. newlib never gives a
 * part back, so that how far it grew is its peak. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"

extern char heap_start[], heap_end[]; /* m4.ld */

static char *top = heap_start;

void *_sbrk(ptrdiff_t more);

void *_sbrk(ptrdiff_t more)
{
  if (more < 0 || more > heap_end - top) {
    errno = ENOMEM;
    return (void *) -1; /* NOLINT(performance-no-int-to-ptr): what newlib expects */
  }
  char *given = top;
  top += more;
  return given;
}

size_t board_heap_peak(void)
{
  return (size_t) (top - heap_start);
}
