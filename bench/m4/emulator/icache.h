/* An instruction cache, set-associative, least recently used line replaced: what the flash of a
 * part with wait states costs when code does not fit. Only misses cost; the default of a run is no
 * cache and no wait states.
 */
#ifndef FLEETSIM_M4_ICACHE_H
#define FLEETSIM_M4_ICACHE_H

#include <stdint.h>

#include "base/error.h"

#define M4_ICACHE_BYTES_MAX (256u * 1024u)

struct m4_icache_shape {
  unsigned bytes, line, ways; /* powers of two; ways * line divides bytes */
  unsigned miss_cycles;
};

struct m4_icache {
  struct m4_icache_shape shape;
  uint32_t sets;
  uint64_t misses, clock;
  struct m4_icache_line *lines; /* sets * ways */
};

/* 0, or -1 with a sentence. m4_icache_free takes it back. */
int m4_icache_init(struct m4_icache *cache, const struct m4_icache_shape *shape,
                   struct error *error);
void m4_icache_free(struct m4_icache *cache);

/* Fetches `size` bytes from `address`: the cycles that the misses cost. */
unsigned m4_icache_fetch(struct m4_icache *cache, uint32_t address, uint32_t size);

#endif
