/* Tokens of a run, from its start to its end: each device says the one in hand when it connects; a new
 * one is read before that is over, and after a broker has refused the device. The hook `renew-token`
 * makes new ones, or whoever else writes the devices' files. What a broker does with a token that is
 * over is counted: token.*.
 */
#ifndef FLEETSIM_STAGE_TOKENS_H
#define FLEETSIM_STAGE_TOKENS_H

#include "stage/stage.h"

/* Nothing is done below where devices have no tokens (fleet.credentials.token-file). */

/* Before the first device connects: those that are over, or soon will be, are renewed. Fleet and
   brokers are there. 0, or -1 with the run aborted. */
int stage_begin_tokens(struct stage *stage);

/* At each beat of the run. A hook that fails, and what it left where a token should be, aborts it. */
void stage_tick_tokens(struct stage *stage);

/* token.overstayed: sessions that are open now and whose token is over. */
void stage_measure_tokens(struct stage *stage);

/* No hook is called any more, and what is under way is not waited for; once the brokers have ended
   nobody calls back, and it can be forgotten. */
void stage_end_tokens(struct stage *stage);
void stage_forget_tokens(struct stage *stage);

#endif
