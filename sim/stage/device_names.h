/* What the devices of a run are called, as their pages and the templates have it. */
#ifndef FLEETSIM_STAGE_DEVICE_NAMES_H
#define FLEETSIM_STAGE_DEVICE_NAMES_H

#include "base/names.h"
#include "stage/stage.h"

/* The names of these devices of the fleet folder, or (NULL) of its first `count`, in this order; to
 * be freed. 0, or -1 with stage->error. */
int stage_name_devices(struct stage *stage, const uint32_t *devices, size_t count,
                       struct names **out);

/* The names that devices will have which the run makes itself; to be freed. 0, or -1 with
   stage->error. */
int stage_foretell_names(struct stage *stage, struct names **out);

/* Refuses a scenario whose fleet.names makes other names than the devices of the fleet folder have.
   The fleet has its names by then. */
int stage_check_names_agree(struct stage *stage);

/* What people read of the fleet's device `index`: names_text. */
const char *stage_device_text(const struct stage *stage, size_t index, char out[NAMES_TEXT]);

/* Calls `each` with what is known of each of the first `count` devices, in their order, until it
   returns another value than 0; that value. Texts are valid during the call. */
int stage_describe_devices(struct stage *stage, size_t count,
                           int (*each)(void *ctx, size_t index,
                                       const struct template_values *values),
                           void *ctx);

#endif
