/* A run that goes on, as lines for a terminal: phase, gate, bars, rates, the failures that came
 * last and this process's own share. Of the same view as the live page. Nothing here knows a
 * terminal, a clock or a file: lines go where they are sent.
 */
#ifndef FLEETSIM_DASHBOARD_H
#define FLEETSIM_DASHBOARD_H

#include <stdio.h>

#include "report/onlooker.h"
#include "report/rates.h"

#define DASHBOARD_COLUMNS_MAX 120u /* a wider window has room beside it */

/* At most `rows` lines (1 or more), each of at most `columns` columns and with a newline behind it:
 * what matters least is left out first. Names are cut between letters. Returns how many. */
size_t dashboard_draw(const struct onlooker_view *view, const struct rates *rates, size_t columns,
                      size_t rows, FILE *out);

/* For so long it may go on, in seconds: what limits.run leaves of it. Below 0: it is not
   limited. */
double dashboard_left_s(const struct onlooker_view *view);

#endif
