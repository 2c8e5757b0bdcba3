/* How far a run is, while it runs: from the same view as the live page, and with no clock inside.
 * On a terminal a picture of some lines that is redrawn in its place (dashboard.h), elsewhere (CI
 * logs, NO_COLOR, a dumb terminal) a plain line when the phase changes, the run pauses or goes on,
 * and every 5 s:
 *
 *     phase 3/8 teach the fleet root B  online 950/1000  handshakes 212/s  failures 0  1:12 left
 */
#ifndef FLEETSIM_PROGRESS_H
#define FLEETSIM_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/terminal.h"
#include "report/onlooker.h"

struct progress;

/* NULL when memory is short: a run can do without. */
struct progress *progress_create(FILE *out);

/* Whether it is time to show something; cheap enough for every turn of an event loop. Of the view
 * only what is not in its results is looked at. `terminal`: `out` is one. */
bool progress_is_due(const struct progress *progress, const struct onlooker_view *view,
                     bool terminal);

/* Shows it. `terminal`: what `out` is now; NULL: none that can be painted on. */
void progress_show(struct progress *progress, const struct onlooker_view *view,
                   const struct terminal *terminal);

/* Clears the picture: something else is to be printed, which begins at the left. NULL: nothing. */
void progress_hide(struct progress *progress);

/* The same, for good. */
void progress_destroy(struct progress *progress);

#endif
