/* How the fleet of a run is made: whose pages, which timing, where its devices go. */
#define _POSIX_C_SOURCE 200809L
#include "stage/fleet_config.h"
#include "pki/nvm_store.h"

#include "fleet/clients.h"
#include "fleetsim/nvm.h"
#include "stage/firmware.h"
#include "stage/logins.h"
#include "stage/places.h"
#include "stage/policies.h"

/* Neither is 0, which is what nobody has, and they differ. */
uint32_t stage_clones_mark(const struct stage *stage)
{
  return stage->mark ^ 1;
}

static uint8_t *page_of(void *pki, size_t number)
{
  return pki_device_page(pki, number);
}

static uint32_t id_of(void *pki, size_t number)
{
  return pki_device_id(pki, number);
}

static int set_anchors(struct stage *stage, struct fleet_config *config)
{
  const struct pki_roots *roots = pki_roots(stage->pki);
  config->root_count = roots->count;
  for (size_t r = 0; r < roots->count; r++)
    if (pki_anchor_id(stage->pki, roots->name[r], config->anchor_id[r]) != 0)
      return error_set(&stage->error, EXIT_CODE_INTERNAL,
                       "root %s has no certificate in the fleet folder", roots->name[r]);
  return 0;
}

int stage_fleet_config(struct stage *stage, struct fleet_config *out)
{
  const struct scenario *scenario = stage->scenario;
  *out = (struct fleet_config){.backend = world_backend(stage->world),
                               .mark = stage->mark,
                               .texts = &stage->texts,
                               .began_us = stage->began_ms * 1000,
                               .began_unix_ms = stage->began_unix_ms,
                               .ops = clients_at(0),
                               .profile = stage_device_profile(stage),
                               .device_count = scenario->devices,
                               .page = page_of,
                               .page_size = DEVICE_NVM_PAGE_SIZE,
                               .page_read = pki_nvm_read,
                               .page_write = pki_nvm_write,
                               .id = id_of,
                               .pages = stage->pki,
                               .names = stage->names,
                               .source_addresses = stage->source_addresses,
                               .endpoints =
                                   scenario->shuffled_endpoints ? FLEET_SHUFFLED : FLEET_ORDERED,
                               .reconnect = stage_policy(&scenario->reconnect),
                               .timing = &stage->timing,
                               .pace = scenario->pace,
                               .seed = scenario->seed,
                               .metrics = stage->metrics,
                               .events = stage->events};
  if (out->backend == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "out of memory for connections");
  stage->whose = (struct stage_whose){.stage = stage};
  out->logins = stage_fleet_logins(&stage->whose);
  stage_ota_lend(stage, out);
  return stage_set_places(stage, out) != 0 ? -1 : set_anchors(stage, out);
}

struct fleet_telemetry stage_telemetry(const struct scenario_telemetry *t)
{
  return (struct fleet_telemetry){.on = t->on,
                                  .every_ms = t->every_ms,
                                  .bytes = t->bytes,
                                  .qos = t->qos,
                                  .text = t->payload.text[0] != '\0' ? &t->payload : NULL};
}
