/* What gates and expectations can name. */
#ifndef FLEETSIM_STAGE_QUANTITIES_H
#define FLEETSIM_STAGE_QUANTITIES_H

#include "stage/stage.h"

/* For expr_eval; `ctx` is the stage. */
int stage_lookup(void *ctx, const char *name, const char *argument, struct expr_quantity *out);
int stage_root_index(const struct stage *stage, const char *root);
bool stage_version_has(const struct stage *stage, uint32_t version, const char *root);

#endif
