/* Copies of devices that go online beside them. */
#ifndef FLEETSIM_STAGE_CLONES_H
#define FLEETSIM_STAGE_CLONES_H

#include "stage/stage.h"

/* 0, or -1 with stage->error. */
int stage_start_clones(struct stage *stage, const uint32_t *devices, size_t count, double rate);
void stage_measure_clones(struct stage *stage); /* their counters */
void stage_stop_clones(struct stage *stage);
/* So often a copy of the device came, from TLS on. */
uint32_t stage_clones_came(const struct stage *stage, size_t device);
struct fleet *stage_clones_fleet(struct stage *stage);
void stage_release_clones(struct stage *stage); /* when their fleet is closed */

#endif
