/* What the image's marks and states have cost: see m4/marks.h. */
#ifndef FLEETSIM_M4_TALLY_H
#define FLEETSIM_M4_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define M4_NAMES_MAX 64u
#define M4_NAME_MAX  32u /* with its zero */

struct m4_mark {
  char name[M4_NAME_MAX];
  uint64_t count, cycles, min, max;
  uint64_t sent, received; /* bytes over the link between its begin and its end */
  uint64_t began;          /* cycle count at its begin, while `open` */
  uint64_t sent_before, received_before;
  bool open;
};

struct m4_state {
  char name[M4_NAME_MAX];
  uint64_t entered, cycles;
};

struct m4_tally {
  struct m4_mark marks[M4_NAMES_MAX];
  struct m4_state states[M4_NAMES_MAX];
  size_t mark_count, state_count;
  uint64_t sent, received; /* bytes over the link so far; whoever moves them adds them up */
  size_t state;            /* the current one, index of `states` */
  uint64_t state_began;    /* cycle count */
};

/* In state "reset", at cycle 0. */
void m4_tally_init(struct m4_tally *m);

/* All at cycle `now`; 0, or -1 with a sentence: too many names, or a begin and an end that do not
   match. */
int m4_tally_begin(struct m4_tally *m, const char *name, uint64_t now, struct error *error);
int m4_tally_end(struct m4_tally *m, const char *name, uint64_t now, struct error *error);
int m4_tally_state(struct m4_tally *m, const char *name, uint64_t now, struct error *error);

/* Gives the last state its cycles; -1 with a sentence if a mark is still open. */
int m4_tally_finish(struct m4_tally *m, uint64_t now, struct error *error);

/* Whether the image has named anything at all. */
bool m4_tally_any(const struct m4_tally *m);

#endif
