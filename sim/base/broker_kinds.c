/* What the list of kinds says of each. */
#define _POSIX_C_SOURCE 200809L
#include "base/broker_kinds.h"

#include <assert.h>
#include <stddef.h>

bool broker_kind_is(enum broker_kind kind, enum broker_trait trait)
{
  static const unsigned traits[] = {
#define X(symbol, name, word, traits) traits,
      BROKER_KINDS(X)
#undef X
  };
  assert(kind < BROKER_KINDS_COUNT);
  return (traits[kind] & (unsigned) trait) != 0;
}

const char *broker_kind_word(enum broker_kind kind)
{
  static const char *const words[] = {
#define X(symbol, name, word, traits) word,
      BROKER_KINDS(X)
#undef X
  };
  assert(kind < BROKER_KINDS_COUNT);
  return words[kind];
}
