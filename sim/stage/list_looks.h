/* Whether a published list keeps out whom it names. Devices on it may not come, or meet but one of
 * several machines behind an address: somebody looks as they would come. */
#ifndef FLEETSIM_STAGE_LIST_LOOKS_H
#define FLEETSIM_STAGE_LIST_LOOKS_H

#include "stage/stage.h"

/* A list is about to be told to the fleet, and names device i where names[i] is set: chooses who
 * stands in for them at the looks. Of a list that is added to, the new ones too: a machine that
 * goes on with the list before refuses the others. `untold`: no broker is told to read it; whom it
 * names for the first time is not tried before stage_list_told. */
void stage_list_names(struct stage *stage, const bool *names, bool untold);
void stage_list_told(struct stage *stage);

/* At brokers whose hooks claim and do not prove: looks at every address that is reachable until
 * those on the list are let in nowhere, 10 s at most (once, where they were let in after as much
 * already). Tells the fleet what was seen last (fleet_look_ended); with `say` the phase, where it
 * is not as it should be. DONE, or ABORTED. */
enum step_outcome stage_look_at_list(struct stage *stage, bool say);

/* The list was taken: where there is nobody to look at it with, the phase says so. */
void stage_list_say_untried(struct stage *stage);

/* Where somebody on the list was let in by the last look: " ..." for a sentence, or "". */
const char *stage_list_let_in(const struct stage *stage, char *out, size_t size);

#endif
