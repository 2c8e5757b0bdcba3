/* Which kinds of client take part, and whose turn it is. */
#ifndef FLEETSIM_BENCH_KINDS_H
#define FLEETSIM_BENCH_KINDS_H

#include "lab/options.h"

#define KINDS_MAX 8

struct kinds {
  size_t count;
  const char *name[KINDS_MAX];
};

/* Those of `all` (at most KINDS_MAX, then NULL) that the options name and this build has; what is
 * left out for lack of a library is said on standard error. */
void kinds_choose(const struct options *options, const char *const *all, struct kinds *out);

/* Kinds take turns within a round, and another one begins each round: no kind always runs on a cold
 * or a warm machine.
 */
const char *kinds_turn(const struct kinds *kinds, size_t round, size_t turn);

#endif
