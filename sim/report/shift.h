/* Whether a figure moved between two sets of measurements, by how much, and whether that is more
 * than noise. What is compared are runs (or rounds of a benchmark): figures inside of one depend
 * on each other, as a machine that is slow now is slow a second later too. So ranks of runs
 * decide, where there are enough of them; where not, only two runs of which no part lies among the
 * other's parts. */
#ifndef FLEETSIM_SHIFT_H
#define FLEETSIM_SHIFT_H

#include <stdbool.h>
#include <stddef.h>

#define SHIFT_P     0.01 /* chance alone is ruled out; five runs of each can get there */
#define SHIFT_RUNS  5u   /* of each: the fewest whose ranks can come below SHIFT_P */
#define SHIFT_PARTS 8u   /* of each: the fewest that can stand for runs, where none overlaps */

enum shift_state {
  SHIFT_SAME,    /* by less than the threshold */
  SHIFT_NOISE,   /* past it, and chance moves it as far */
  SHIFT_UNCLEAR, /* past it, and too few runs to tell */
  SHIFT_BETTER,
  SHIFT_WORSE,
};

/* What the state rests on. */
enum shift_by { SHIFT_BY_NOTHING, SHIFT_BY_RUNS, SHIFT_BY_PARTS, SHIFT_BY_MODEL };

struct shift_side {
  const double *runs;  /* the figure of each run; all finite */
  size_t run_count;    /* at least 1 */
  const double *parts; /* the same of parts of these runs, as seconds; none of many figures */
  size_t part_count;
};

struct shift_rule {
  double threshold; /* 0.1: a tenth of the median of the first side */
  bool less_is_worse;
  bool modelled; /* no machine's mood is in it: what passes the threshold has moved */
};

struct shift {
  double a, b;   /* medians of the runs */
  double change; /* b over a, less 1; INFINITY from nothing to something */
  double p;      /* of the ranks of the runs; NAN where they are too few to tell */
  enum shift_state state;
  enum shift_by by;
};

void shift_judge(const struct shift_side *a, const struct shift_side *b,
                 const struct shift_rule *rule, struct shift *out);

/* "same", "noise", "unclear", "better", "worse". */
const char *shift_word(enum shift_state state);

#endif
