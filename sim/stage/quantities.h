/* What gates and expectations can name. */
#ifndef FLEETSIM_STAGE_QUANTITIES_H
#define FLEETSIM_STAGE_QUANTITIES_H

#include "scenario/quantity.h"
#include "stage/stage.h"

/* For expr_eval; `ctx` is the stage. */
int stage_lookup(void *ctx, const char *name, const char *argument, struct expr_quantity *out);

/* Whether a quantity counts this device, of which only these refusals are known (phase_refusals).
   False for what is no count of devices. */
bool stage_counts(const struct stage *stage, size_t index, uint32_t refusals,
                  const struct expr *expr);
/* Whether a quantity or metric counts devices at all. */
bool stage_counts_devices(const struct expr *expr);
/* Whether a device was in what an expression's percentage is of as the step under way, or the last
   one, began (stage->before), and is not any more. False for what is no percentage of devices. */
bool stage_has_left(const struct stage *stage, size_t index, const struct expr *expr);
/* Whether this quantity, one of devices, counts this one now. */
bool stage_is(const struct stage *stage, enum quantity quantity, size_t index,
              const char *argument);
/* devices.lost counts it. */
bool stage_is_lost(const struct fleet_facts *facts);
int stage_root_index(const struct stage *stage, const char *root);
bool stage_version_has(const struct stage *stage, uint32_t version, const char *root);

#endif
