#include "base/ledger.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct ledger *ledger, size_t words)
{
  size_t count = ledger->word_count == 0 ? 4 : ledger->word_count;
  while (count < words) count *= 2;
  uint64_t *grown = realloc(ledger->words, count * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + ledger->word_count, 0, (count - ledger->word_count) * sizeof *grown);
  ledger->words = grown;
  ledger->word_count = count;
  return true;
}

enum ledger_entry ledger_enter(struct ledger *ledger, uint64_t sequence)
{
  if (sequence == 0) return LEDGER_INVALID;
  if (sequence > LEDGER_MAX) return LEDGER_BEYOND;
  size_t word = (size_t) ((sequence - 1) / 64);
  uint64_t bit = UINT64_C(1) << ((sequence - 1) % 64);
  if (word >= ledger->word_count && !grow(ledger, word + 1)) return LEDGER_BEYOND;
  if (ledger->words[word] & bit) return LEDGER_AGAIN;
  ledger->words[word] |= bit;
  return LEDGER_NEW;
}

uint64_t ledger_missing(const struct ledger *ledger, uint64_t last)
{
  uint64_t missing = last;
  for (size_t i = 0; i < ledger->word_count && i * 64 < last; i++) {
    uint64_t left = last - i * 64;
    uint64_t mask = left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
    missing -= (uint64_t) __builtin_popcountll(ledger->words[i] & mask);
  }
  return missing;
}

bool ledger_has(const struct ledger *ledger, uint64_t sequence)
{
  size_t word = (size_t) ((sequence - 1) / 64);
  return sequence > 0 && word < ledger->word_count && (ledger->words[word] >> ((sequence - 1) % 64) & 1u) != 0;
}

uint64_t ledger_count(const struct ledger *ledger)
{
  return ledger_lacks(&(struct ledger){.words = NULL}, ledger);
}

uint64_t ledger_lacks(const struct ledger *ledger, const struct ledger *of)
{
  uint64_t n = 0;
  for (size_t i = 0; i < of->word_count; i++)
    n += (uint64_t) __builtin_popcountll(of->words[i] & ~(i < ledger->word_count ? ledger->words[i] : 0));
  return n;
}
