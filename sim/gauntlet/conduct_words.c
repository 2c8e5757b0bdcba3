/* What a client was seen to do, in a word. */
#include "gauntlet/observation.h"

#include <assert.h>

static const char *const conducts[CONDUCT_COUNT] = {
#define X(symbol, word) word,
    CONDUCTS(X)
#undef X
};

const char *conduct_word(enum conduct conduct)
{
  assert(conduct < CONDUCT_COUNT);
  return conducts[conduct];
}
