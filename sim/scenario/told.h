/* A scenario as results tell it: the text that was run, --set and all, without what may be secret. */
#ifndef FLEETSIM_SCENARIO_TOLD_H
#define FLEETSIM_SCENARIO_TOLD_H

#include "scenario/doc.h"

/* The text with "***" for every value of `password`, of `hooks` and of `command`, which may hold one,
 * and without comments but those at its top. It is still YAML of the same meaning elsewhere. malloc'd;
 * NULL: no memory. */
char *told_text(const struct doc *doc);

#endif
