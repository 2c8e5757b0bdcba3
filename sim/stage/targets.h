/* Which devices a step is for. */
#ifndef FLEETSIM_STAGE_TARGETS_H
#define FLEETSIM_STAGE_TARGETS_H

#include "stage/stage.h"

enum targets_kind {
  TARGETS_AWAKE,
  TARGETS_ONLINE,
  TARGETS_SHELVED,
  TARGETS_JUST_SHELVED, /* in the phase under way */
  TARGETS_UNPLANNED,
  TARGETS_ALL
};

/* The list is malloc'd; NULL aborts the run for want of memory. */
uint32_t *targets_list(struct stage *stage, enum targets_kind kind, size_t *count);

/* Those of a kind among the devices that a step names: at most targets_count() of them, in the
 * shuffled order. */
uint32_t *targets_of(struct stage *stage, enum targets_kind kind, const struct scenario_who *who,
                     size_t *count);

/* How many devices the step names, whatever their state. */
size_t targets_count(const struct stage *stage, const struct scenario_who *who);

/* Number of the first devices that a share is: rounded up, so that a share above 0 reaches
 * somebody. */
size_t targets_share(size_t count, double share);

#endif
