/* Sets of a few entries, chosen by a byte that is as good as random; within a set the order is
 * that of the last use, so the last entry is the one to go. */
#include "crypto/remembered.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct remembered_entry) ==
                  CURVE_PUBLIC_SIZE + REMEMBERED_HASH_SIZE + CURVE_SIGNATURE_SIZE,
              "padding would take part in the comparison");
static_assert(REMEMBERED_SETS == 256, "one byte of the signature chooses the set");

/* The last byte of s is as good as random in any signature that verifies. */
static struct remembered_entry *set_of(struct remembered *table,
                                       const struct remembered_entry *entry)
{
  return table->set[entry->signature[CURVE_SIGNATURE_SIZE - 1]];
}

/* Puts the entry first; those that were before `place` move one back. */
static void move_to_front(struct remembered_entry *set, size_t place,
                          const struct remembered_entry *entry)
{
  struct remembered_entry first = *entry;
  memmove(&set[1], &set[0], place * sizeof *set);
  set[0] = first;
}

bool remembered_find(struct remembered *table, const struct remembered_entry *entry)
{
  struct remembered_entry *set = set_of(table, entry);
  for (size_t i = 0; i < REMEMBERED_WAYS; i++) {
    if (memcmp(&set[i], entry, sizeof *entry) != 0) continue;
    move_to_front(set, i, entry);
    table->hits++;
    return true;
  }
  table->misses++;
  return false;
}

void remembered_keep(struct remembered *table, const struct remembered_entry *entry)
{
  move_to_front(set_of(table, entry), REMEMBERED_WAYS - 1, entry);
}
