/* Which brokers of a run can be reached, and their end: one or several of its own, or those that
 * stand elsewhere. */
#define _POSIX_C_SOURCE 200809L
#include "stage/nodes.h"

bool stage_is_reachable(const struct stage *stage, size_t node)
{
  return !stage->nodes[node].down && !stage->nodes[node].frozen;
}

bool stage_has_broker(const struct stage *stage)
{
  bool any = false;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    any = any || stage_is_reachable(stage, n);
  return any;
}

uint64_t stage_timed_out(const struct stage *stage)
{
  uint64_t n = 0;
  for (size_t i = 0; i < stage->scenario->node_count; i++)
    if (stage->nodes[i].broker != NULL) n += broker_timed_out(stage->nodes[i].broker);
  return n;
}

static void on_closed(void *closed)
{
  *(bool *) closed = true;
}

void stage_end_nodes(struct stage *stage, void (*turn)(struct stage *stage, const bool *flag))
{
  bool closed[SCENARIO_NODES_MAX + 1] = {false};
  for (size_t n = 0; n <= stage->scenario->node_count; n++)
    if (stage->nodes[n].broker != NULL) broker_close(stage->nodes[n].broker, on_closed, &closed[n]);
  for (size_t n = 0; n <= stage->scenario->node_count; n++)
    if (stage->nodes[n].broker != NULL) turn(stage, &closed[n]);
}
