/* Ranks are doubled, so that those of ties are whole numbers too. The exact probability comes from
 * counting, for every sum of ranks, in how many ways as many figures as `a` has can have it: ties
 * are just equal ranks. */
#include "report/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *left, const void *right)
{
  double a = *(const double *) left, b = *(const double *) right;
  return (a > b) - (a < b);
}

double rank_median(const double *figures, size_t count)
{
  double *sorted = count > 0 ? malloc(count * sizeof *sorted) : NULL;
  if (sorted == NULL) return NAN;
  memcpy(sorted, figures, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, ascending);
  double median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
  free(sorted);
  return median;
}

/* All figures in their order, and twice the rank of each; equal ones share the mean of theirs. */
struct ranks {
  size_t count;
  double *sorted;
  size_t *twice;
  double ties; /* the sum of t^3 - t over groups of t equal ones */
};

static void assign(struct ranks *ranks)
{
  for (size_t i = 0; i < ranks->count;) {
    size_t end = i + 1;
    while (end < ranks->count && !(ranks->sorted[end] > ranks->sorted[i])) end++;
    double equal = (double) (end - i);
    ranks->ties += equal * equal * equal - equal;
    for (size_t k = i; k < end; k++) ranks->twice[k] = i + 1 + end; /* ranks i+1 to end */
    i = end;
  }
}

static int make(struct ranks *ranks, const double *a, size_t a_count, const double *b,
                size_t b_count)
{
  size_t count = a_count + b_count;
  *ranks = (struct ranks){.count = count,
                          .sorted = malloc(count * sizeof *ranks->sorted),
                          .twice = malloc(count * sizeof *ranks->twice)};
  if (ranks->sorted == NULL || ranks->twice == NULL) return -1;
  memcpy(ranks->sorted, a, a_count * sizeof *a);
  memcpy(ranks->sorted + a_count, b, b_count * sizeof *b);
  qsort(ranks->sorted, count, sizeof *ranks->sorted, ascending);
  assign(ranks);
  return 0;
}

/* Twice the sum of the ranks of these figures, all of which are among them. */
static size_t sum_of(const struct ranks *ranks, const double *figures, size_t count)
{
  size_t sum = 0;
  for (size_t f = 0; f < count; f++) {
    const double *at =
        bsearch(&figures[f], ranks->sorted, ranks->count, sizeof *ranks->sorted, ascending);
    sum += ranks->twice[at - ranks->sorted];
  }
  return sum;
}

/* ways[k * sums + s]: how many sets of k figures have the sum s. */
static double *count_ways(const struct ranks *ranks, size_t chosen, size_t sums)
{
  double *ways = calloc((chosen + 1) * sums, sizeof *ways);
  if (ways == NULL) return NULL;
  ways[0] = 1;
  for (size_t f = 0; f < ranks->count; f++)
    for (size_t k = f + 1 < chosen ? f + 1 : chosen; k > 0; k--)
      for (size_t s = sums; s-- > ranks->twice[f];)
        ways[k * sums + s] += ways[(k - 1) * sums + s - ranks->twice[f]];
  return ways;
}

static double exact(const struct ranks *ranks, size_t chosen, size_t sum)
{
  size_t sums = ranks->count * (ranks->count + 1) + 1;
  double mean = (double) (chosen * (ranks->count + 1)), far = fabs((double) sum - mean);
  double *ways = count_ways(ranks, chosen, sums), all = 0, as_far = 0;
  if (ways == NULL) return NAN;
  for (size_t s = 0; s < sums; s++) {
    double n = ways[chosen * sums + s];
    all += n;
    if (fabs((double) s - mean) >= far) as_far += n;
  }
  free(ways);
  return as_far / all;
}

static double approximate(const struct ranks *ranks, size_t a_count, size_t b_count, size_t sum)
{
  double n = (double) ranks->count, m = (double) a_count * (double) b_count;
  double variance = m / 12 * (n + 1 - ranks->ties / (n * (n - 1)));
  double far = fabs((double) sum / 2 - (double) a_count * (n + 1) / 2) - 0.5;
  if (!(variance > 0) || far <= 0) return 1;
  return erfc(far / sqrt(2 * variance));
}

double rank_p(const double *a, size_t a_count, const double *b, size_t b_count)
{
  struct ranks ranks;
  double p = NAN;
  if (a_count == 0 || b_count == 0) return 1;
  if (make(&ranks, a, a_count, b, b_count) == 0) {
    size_t sum = sum_of(&ranks, a, a_count);
    p = ranks.count <= RANK_EXACT_MAX ? exact(&ranks, a_count, sum)
                                      : approximate(&ranks, a_count, b_count, sum);
  }
  free(ranks.sorted);
  free(ranks.twice);
  return p;
}

double rank_p_least(size_t a_count, size_t b_count)
{
  double ways = 1; /* to choose a_count of all */
  for (size_t i = 1; i <= a_count; i++) ways *= (double) (b_count + i) / (double) i;
  return fmin(1, 2 / ways);
}
