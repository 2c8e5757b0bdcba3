/* How a run waits: the one way in which its loop is turned. */
#ifndef FLEETSIM_STAGE_WAIT_H
#define FLEETSIM_STAGE_WAIT_H

#include "stage/stage.h"

enum stage_waited { STAGE_ABORTED = -1, STAGE_TIMED_OUT = 0, STAGE_REACHED = 1 };

/* Turns the loop until done(stage, ctx) or `within_ms` has passed. */
enum stage_waited stage_wait(struct stage *stage, bool (*done)(struct stage *stage, void *ctx),
                             void *ctx, uint64_t within_ms);

/* Turns the loop for that long; false: the run was aborted. */
bool stage_pause(struct stage *stage, uint64_t ms);

/* One turn of the loop, in the midst of work that takes longer; false: the run was aborted. */
bool stage_yield(struct stage *stage);

/* Condition for stage_wait: every device that the plan wants is online. */
bool stage_is_complete(struct stage *stage, void *ctx);

/* Before something is printed for a person in the midst of a run: the picture of how it goes is
   gone from the terminal, until it is time for the next one. */
void stage_clear_terminal(const struct stage *stage);

uint64_t stage_elapsed_ms(const struct stage *stage); /* as of this turn of the loop */
double stage_event_s(const struct stage *stage);      /* as of now, by the devices' events' clock */

#endif
