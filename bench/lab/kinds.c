#include "lab/kinds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#ifdef BENCH_LIBMOSQUITTO
static const bool has_libmosquitto = true;
#else
static const bool has_libmosquitto = false;
#endif

void kinds_choose(const struct options *options, const char *const *all, struct kinds *out)
{
  out->count = 0;
  for (; *all != NULL; all++) {
    if (!options_has_kind(options, *all)) continue;
    if (!has_libmosquitto && strcmp(*all, "libmosquitto") == 0) {
      fprintf(stderr,
              "bench %s: libmosquitto is left out: install libmosquitto-dev and build again\n",
              options->bench);
      continue;
    }
    assert(out->count < KINDS_MAX);
    out->name[out->count++] = *all;
  }
}

const char *kinds_turn(const struct kinds *kinds, size_t round, size_t turn)
{
  return kinds->name[(round + turn) % kinds->count];
}
