/* What is told of a device, on the fleet's clock. */
#include "fleet/emit.h"

#include "fleet/population.h"

void emit_event(const struct member *m, struct event event)
{
  event.t_s = (double) population_clock_us(m->fleet) / 1e6;
  event.device = m->facts.id;
  events_emit(m->fleet->config.events, &event);
}

void emit_change(const struct member *m)
{
  const struct fleet_config *config = &m->fleet->config;
  /* the other end: stage_muster_changed */
  if (config->changed != NULL) config->changed(config->changed_ctx, population_index(m));
}
