/* Which of one device's messages: a set of sequence numbers from 1. What came without a gap from 1
 * on is a number alone, and only what came beyond it has a bit each: a long run costs no more than
 * a short one. What was acknowledged to the device and what arrived at the back office are two of
 * them, kept by two sides, so that the books can be compared. */
#ifndef FLEETSIM_LEDGER_H
#define FLEETSIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_MAX 4194304u /* highest sequence number that is told apart */

/* All zero: empty. It holds 1 to `whole`, a multiple of 64, and whole + n where bit n - 1 of the
 * words is set; `words` is the owner's to free. */
struct ledger {
  uint64_t whole;
  uint64_t *words;
  size_t word_count;
};

/* BEYOND: above LEDGER_MAX, or there is no memory for it; INVALID: 0 is no sequence number. */
enum ledger_entry { LEDGER_NEW, LEDGER_AGAIN, LEDGER_BEYOND, LEDGER_INVALID };

enum ledger_entry ledger_enter(struct ledger *ledger, uint64_t sequence);
bool ledger_has(const struct ledger *ledger, uint64_t sequence);

/* How many numbers it holds; how many of 1..last it does not. */
uint64_t ledger_count(const struct ledger *ledger);
uint64_t ledger_missing(const struct ledger *ledger, uint64_t last);

/* How many numbers `of` holds that `ledger` does not. */
uint64_t ledger_lacks(const struct ledger *ledger, const struct ledger *of);

#endif
