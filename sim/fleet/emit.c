/* What is told of a device, on the fleet's clock. */
#include "fleet/emit.h"

#include "fleet/population.h"

void emit_event(const struct member *m, struct event event)
{
  event.t_s = (double) population_clock_us(m->fleet) / 1e6;
  event.device = m->facts.id;
  events_emit(m->fleet->config.events, &event);
}
