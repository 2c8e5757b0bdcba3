/* What rounds measured, by name: a name is a kind of client, and its rounds are summed up by their
   median. */
#ifndef FLEETSIM_BENCH_STATS_H
#define FLEETSIM_BENCH_STATS_H

#include <jansson.h>
#include <stddef.h>

#define STATS_ROUNDS_MAX 100
#define STATS_NAMES_MAX  8

/* The middle one, or the mean of the two in the middle; NAN of none. `values` are left as they are;
 * at most STATS_ROUNDS_MAX. */
double stats_median(const double *values, size_t count);

/* By how much `y` rises with one `x`: the line of least squares. NAN of fewer than two different
   `x`. */
double stats_slope(const double *x, const double *y, size_t count);

/* Zero it before use. Names must outlive it. */
struct stats {
  size_t names;
  struct {
    const char *name;
    size_t rounds;
    double round[STATS_ROUNDS_MAX];
  } of[STATS_NAMES_MAX];
};

/* One more round of `name`; asserts on more names or rounds than fit. */
void stats_add(struct stats *stats, const char *name, double value);

/* NAN for a name that nothing was measured of. */
double stats_median_of(const struct stats *stats, const char *name);
double stats_min_of(const struct stats *stats, const char *name);
double stats_max_of(const struct stats *stats, const char *name);

/* {NAME: median}, and {NAME: [round, ...]}, in the order in which names were first added. */
json_t *stats_medians(const struct stats *stats);
json_t *stats_rounds(const struct stats *stats);

/* The median of the rounds' ratios: a round that a busy machine slowed down slowed down both. NAN
 * when one of them was not measured; of its JSON, NULL, which json_object_set_new leaves out. */
double stats_ratio_of(const struct stats *stats, const char *name, const char *other);
json_t *stats_ratio(const struct stats *stats, const char *name, const char *other);

#endif
