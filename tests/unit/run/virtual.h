/* A world (world/world.h) in virtual time, and the script of what happens in it beside the plan. */
#ifndef FLEETSIM_TRACE_VIRTUAL_H
#define FLEETSIM_TRACE_VIRTUAL_H

#include "world/world.h"

/* Entropy is the same each time. There is one at a time. */
struct world *virtual_open(void);
void virtual_close(void);

/* Ctrl-C, and Enter at a prompt. */
void virtual_interrupt(void);
void virtual_answer(void);

/* Without a terminal a prompt cannot be asked. */
void virtual_without_terminal(void);

/* Seconds since it was opened. */
double virtual_s(void);

#endif
