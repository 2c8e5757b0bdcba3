/* Compares the chain that is served with the one that was written. */
#include "base/chain_prints.h"

#include <string.h>

unsigned chain_prints_served(const struct chain_prints *served, const struct chain_prints *wanted)
{
  unsigned found = 0;
  for (unsigned i = 0; i < served->count && found < wanted->count; i++) {
    bool same = memcmp(served->sha256[i], wanted->sha256[found], sizeof served->sha256[i]) == 0;
    if (i == 0 && !same) return 0;
    if (same) found++;
  }
  return found;
}

bool chain_prints_serve(const struct chain_prints *served, const struct chain_prints *wanted)
{
  return wanted->count > 0 && chain_prints_served(served, wanted) == wanted->count;
}
