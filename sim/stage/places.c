/* Where devices find the brokers: by the names of the scenario, or at each broker itself. */
#define _POSIX_C_SOURCE 200809L
#include "stage/places.h"

#include "stage/allowed.h"

static int add_address(struct stage *stage, size_t node, enum broker_listener listener,
                       struct fleet_place *place)
{
  const struct broker *broker = stage->nodes[node].broker;
  struct fleet_address *address = &place->address[place->address_count++];
  address->node = (int8_t) node;
  return stage_resolve(stage, broker_address(broker, listener), broker_port(broker, listener),
                       &address->at);
}

static int set_place(struct stage *stage, size_t node, enum broker_listener listener,
                     struct fleet_place *place)
{
  const struct broker *broker = stage->nodes[node].broker;
  if (broker_port(broker, listener) == 0) return 0;
  place->host = broker_host(broker);
  return add_address(stage, node, listener, place);
}

int stage_lead(struct stage *stage, const struct scenario_name *lead, struct fleet_place *place)
{
  place->delay_ms = (uint32_t) lead->delay_ms;
  for (size_t i = 0; i < lead->node_count; i++)
    if (add_address(stage, lead->nodes[i], BROKER_MAIN, place) != 0) return -1;
  return 0;
}

static int set_names(struct stage *stage, struct fleet_config *config)
{
  const struct scenario *scenario = stage->scenario;
  config->place_count = scenario->name_count;
  for (size_t i = 0; i < scenario->name_count; i++) {
    stage->lead[i] = scenario->names[i];
    config->place[i].host = scenario->names[i].name;
    if (stage_lead(stage, &scenario->names[i], &config->place[i]) != 0) return -1;
  }
  return 0;
}

static int set_nodes(struct stage *stage, struct fleet_config *config)
{
  config->place_count = stage->scenario->node_count;
  for (size_t n = 0; n < config->place_count; n++)
    if (set_place(stage, n, BROKER_MAIN, &config->place[n]) != 0) return -1;
  return 0;
}

int stage_set_places(struct stage *stage, struct fleet_config *config)
{
  int failed =
      stage->scenario->name_count > 0 ? set_names(stage, config) : set_nodes(stage, config);
  return failed != 0 ? -1 : set_place(stage, 0, BROKER_PROVE, &config->prove);
}
