/* Sequence numbers as a count of those without a gap and a bitmap of what is beyond: words that
 * become full at its begin are taken into the count, so that it stays as short as the gaps are.
 * Where it cannot grow the number is told to be beyond, and is not counted as arrived. */
#include "base/ledger.h"

#include <stdlib.h>
#include <string.h>

#define ALL UINT64_MAX

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

/* Full words at the begin become part of the number. */
static void settle(struct ledger *ledger)
{
  size_t full = 0;
  while (full < ledger->word_count && ledger->words[full] == ALL) full++;
  if (full == 0) return;
  memmove(ledger->words, ledger->words + full, (ledger->word_count - full) * sizeof *ledger->words);
  memset(ledger->words + ledger->word_count - full, 0, full * sizeof *ledger->words);
  ledger->whole += full * 64;
}

/* The numbers index * 64 + 1 to index * 64 + 64, a bit each. */
static uint64_t word_at(const struct ledger *ledger, uint64_t index)
{
  uint64_t first = ledger->whole / 64;
  if (index < first) return ALL;
  return index - first < ledger->word_count ? ledger->words[index - first] : 0;
}

enum ledger_entry ledger_enter(struct ledger *ledger, uint64_t sequence)
{
  if (sequence == 0) return LEDGER_INVALID;
  if (sequence > LEDGER_MAX) return LEDGER_BEYOND;
  if (sequence <= ledger->whole) return LEDGER_AGAIN;
  size_t word = (size_t) ((sequence - ledger->whole - 1) / 64);
  uint64_t bit = UINT64_C(1) << (sequence - 1) % 64;
  if (word >= ledger->word_count && !grow(ledger, word + 1)) return LEDGER_BEYOND;
  if (ledger->words[word] & bit) return LEDGER_AGAIN;
  ledger->words[word] |= bit;
  if (word == 0) settle(ledger);
  return LEDGER_NEW;
}

bool ledger_has(const struct ledger *ledger, uint64_t sequence)
{
  return sequence > 0 && (word_at(ledger, (sequence - 1) / 64) >> (sequence - 1) % 64 & 1u) != 0;
}

uint64_t ledger_count(const struct ledger *ledger)
{
  return ledger_lacks(&(struct ledger){.words = NULL}, ledger);
}

uint64_t ledger_missing(const struct ledger *ledger, uint64_t last)
{
  if (last <= ledger->whole) return 0;
  uint64_t beyond = last - ledger->whole, missing = beyond;
  for (size_t i = 0; i < ledger->word_count && i * 64 < beyond; i++) {
    uint64_t left = beyond - i * 64, mask = left >= 64 ? ALL : (UINT64_C(1) << left) - 1;
    missing -= (uint64_t) __builtin_popcountll(ledger->words[i] & mask);
  }
  return missing;
}

uint64_t ledger_lacks(const struct ledger *ledger, const struct ledger *of)
{
  uint64_t n = ledger_missing(ledger, of->whole);
  for (size_t i = 0; i < of->word_count; i++)
    n += (uint64_t) __builtin_popcountll(of->words[i] & ~word_at(ledger, of->whole / 64 + i));
  return n;
}
