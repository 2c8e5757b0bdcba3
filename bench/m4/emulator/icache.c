#include "icache.h"

#include <stdbool.h>
#include <stdlib.h>

struct m4_icache_line {
  uint32_t number; /* address / line size */
  uint64_t used;   /* 0: empty */
};

static bool power_of_two(unsigned value)
{
  return value != 0 && (value & (value - 1)) == 0;
}

int m4_icache_init(struct m4_icache *cache, const struct m4_icache_shape *shape,
                   struct error *error)
{
  const bool sizes =
      power_of_two(shape->bytes) && power_of_two(shape->line) && power_of_two(shape->ways);
  if (!sizes || shape->bytes > M4_ICACHE_BYTES_MAX || shape->line < 4 ||
      shape->line > shape->bytes || shape->ways > shape->bytes / shape->line)
    return error_set(
        error, EXIT_CODE_USAGE,
        "an instruction cache of %u bytes in %u ways of %u-byte lines cannot be: give powers of "
        "two, at most %u bytes, lines of 4 bytes or more, and no more ways than lines",
        shape->bytes, shape->ways, shape->line, M4_ICACHE_BYTES_MAX);
  *cache = (struct m4_icache){.shape = *shape, .sets = shape->bytes / shape->line / shape->ways};
  cache->lines = calloc((size_t) cache->sets * shape->ways, sizeof *cache->lines);
  if (cache->lines == NULL)
    return error_set(error, EXIT_CODE_SETUP, "no memory for the instruction cache");
  return 0;
}

void m4_icache_free(struct m4_icache *cache)
{
  free(cache->lines);
  cache->lines = NULL;
}

/* Whether the line was there; it is afterwards. */
static bool touch(struct m4_icache *cache, uint32_t number)
{
  struct m4_icache_line *set = cache->lines + (size_t) (number % cache->sets) * cache->shape.ways;
  struct m4_icache_line *oldest = set;
  cache->clock++;
  for (unsigned way = 0; way < cache->shape.ways; way++) {
    if (set[way].used != 0 && set[way].number == number) {
      set[way].used = cache->clock;
      return true;
    }
    if (set[way].used < oldest->used) oldest = &set[way];
  }
  *oldest = (struct m4_icache_line){.number = number, .used = cache->clock};
  return false;
}

unsigned m4_icache_fetch(struct m4_icache *cache, uint32_t address, uint32_t size)
{
  if (size == 0) return 0;
  const uint32_t first = address / cache->shape.line,
                 last = (address + size - 1) / cache->shape.line;
  unsigned missed = 0;
  for (uint32_t number = first; number <= last; number++)
    if (!touch(cache, number)) missed++;
  cache->misses += missed;
  return missed * cache->shape.miss_cycles;
}
