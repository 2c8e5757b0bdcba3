/* Lines that are redrawn in their place on a terminal. The cursor rests at the left of the first of
 * them and is never hidden: however this process ends, also killed, the terminal is as it was, and
 * what somebody else prints meanwhile (a warning, a hook) takes the place of the lines, which come
 * again below it. */
#ifndef FLEETSIM_PAINTER_H
#define FLEETSIM_PAINTER_H

#include <stddef.h>
#include <stdio.h>

/* `text` has `lines` lines, each ended by a newline and narrower than the terminal, which is
   higher. */
void painter_show(FILE *terminal, const char *text, size_t lines);

/* What follows begins at the left, and below is nothing. */
void painter_clear(FILE *terminal);

#endif
