/* Virtual time: a heap of what is due, and a clock that jumps from one to the next. All of a
 * trace's world stands on it; nothing of it is real, so a run is the same on every machine. */
#ifndef FLEETSIM_TRACE_CLOCK_H
#define FLEETSIM_TRACE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* An empty heap; the clock stands at a second, so that no time is 0. */
void clock_begin(void);

/* Forgets what is due still. */
void clock_end(void);

uint64_t clock_now_us(void);

/* Calls due(ctx) in so many microseconds; of what is due at the same time the first is called
 * first. Nothing is taken back: what may be void by then has to know. */
void clock_in(uint64_t us, void (*due)(void *ctx), void *ctx);

/* Jumps to the next moment at which something is due, and calls all that is due then; with `wait`
 * false only what is due now. False: nothing was. */
bool clock_turn(bool wait);

#endif
