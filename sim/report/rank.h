/* Whether two sets of figures differ by more than chance: the rank test of Mann and Whitney
 * (1947). It asks nothing of how the figures are spread, and one wild figure weighs no more than
 * any other. Also used by bench/. */
#ifndef FLEETSIM_RANK_H
#define FLEETSIM_RANK_H

#include <stddef.h>

#define RANK_EXACT_MAX 60u /* figures in all: up to here no approximation */

/* How probable it is (0..1, two-sided) that figures which differ by chance alone lie as far apart
 * as these: exact for up to RANK_EXACT_MAX figures, also with ties; above that the normal
 * approximation, with ties and continuity corrected. 1 where one of the sets is empty; NAN: no
 * memory. The order within a set does not matter. */
double rank_p(const double *a, size_t a_count, const double *b, size_t b_count);

/* The least that rank_p can be with so many figures: what it cannot tell apart however far they lie
   apart. */
double rank_p_least(size_t a_count, size_t b_count);

/* The middle one, or the mean of the two in the middle. NAN of none, or: no memory. */
double rank_median(const double *figures, size_t count);

#endif
