/* What a verdict is called in files, and what it means in words. */
#include "gauntlet/observation.h"

#include <assert.h>

static const struct {
  const char *word, *sentence;
} verdicts[VERDICT_COUNT] = {
#define X(symbol, word, sentence) {word, sentence},
    VERDICTS(X)
#undef X
};

const char *verdict_word(enum verdict verdict)
{
  assert(verdict < VERDICT_COUNT);
  return verdicts[verdict].word;
}

const char *verdict_sentence(enum verdict verdict)
{
  assert(verdict < VERDICT_COUNT);
  return verdicts[verdict].sentence;
}
