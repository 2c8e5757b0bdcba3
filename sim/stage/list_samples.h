/* Whether a list names each of those who should be on it: one of each CA stands in for all of them,
 * and a list that forgets some is in force nevertheless. */
#ifndef FLEETSIM_STAGE_LIST_SAMPLES_H
#define FLEETSIM_STAGE_LIST_SAMPLES_H

#include "stage/stage.h"

/* Chooses some of those whom the list that is about to be told to the fleet names and who do not
 * stand in for the others: whom the last look was let in as, then new ones, then others; evenly,
 * with the last one. */
void stage_list_sample(struct stage *stage, const bool *names, bool untold);

/* The list was taken: how many of those on it are not looked at, the phase says. */
void stage_list_say_unsampled(struct stage *stage);

#endif
