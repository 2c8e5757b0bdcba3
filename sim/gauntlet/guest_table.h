/* The devices of a session as a few lines of text, for a terminal that is painted again and again. */
#ifndef FLEETSIM_GAUNTLET_GUEST_TABLE_H
#define FLEETSIM_GAUNTLET_GUEST_TABLE_H

#include "gauntlet/guest.h"

/* For each device which trial it is at, what came of the last one, and counts: two lines each, none
 * wider than `columns` - 1, of as many devices as fit into `rows`; the last line counts the others.
 * Returns how many lines. */
size_t guest_table(const struct guest *guests, size_t count, unsigned columns, unsigned rows,
                   char *out, size_t size);

#endif
