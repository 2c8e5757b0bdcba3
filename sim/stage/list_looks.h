/* Whether a published list keeps out whom it names. Devices on it may not come, or meet but one of
 * several machines behind an address: somebody looks as they would come. */
#ifndef FLEETSIM_STAGE_LIST_LOOKS_H
#define FLEETSIM_STAGE_LIST_LOOKS_H

#include "stage/stage.h"

/* Before the next list an address that was silent the last time is not asked: it will be in a moment. */
enum stage_list_when { STAGE_LIST_BEFORE_NEXT, STAGE_LIST_TAKEN, STAGE_LIST_AT_END };

/* At brokers whose hooks claim and do not prove: looks at every address that is reachable, at all of
 * them at once, until those on the list are let in nowhere and those who were taken off it everywhere:
 * for 10 s, then once more (once, where it was not so after as much already). So it takes 10 s and
 * twice as long as a look at most; who gives no answer is not asked again after 10 s. They are kept out by the list where somebody who is not on it gets further in the same
 * round. Tells the fleet what was seen last (fleet_look_ended), and the phase where it is not as it
 * should be; at the end who is let in is for the verdict to say. DONE, or ABORTED. */
enum step_outcome stage_look_at_list(struct stage *stage, enum stage_list_when when);

/* A list is about to be given to the brokers: one look as each of those on it who is online and has nobody
 * to be compared with, has not been let in so far, or was kicked. DONE, or ABORTED. */
enum step_outcome stage_look_before_list(struct stage *stage);

/* The list was taken: where there is nobody to look at it with, or whoever there is tells it from
 * no list before it, the phase says so. */
void stage_list_say_untried(struct stage *stage);

/* Where somebody on the list was let in by the last look: " ..." for a sentence, or "". */
const char *stage_list_let_in(const struct stage *stage, char *out, size_t size);

#endif
