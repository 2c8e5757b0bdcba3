/* Devices that try the topics of others. */
#include <stdio.h>

#include "fleet/member.h"

static const char word[] = "trespass"; /* as the back office knows it */

static void try_event(struct member *m, struct device_event *event)
{
  member_feed(m, event);
  if (m->accepted) metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_ATTEMPTS, 1);
}

static void try_subscribe(struct member *m, const char *victim, const char *below)
{
  char filter[64];
  snprintf(filter, sizeof filter, "private/%s/%s", victim, below);
  try_event(
      m, &(struct device_event){.kind = DEVICE_SUBSCRIBE,
                                .publish = {.topic = filter, .tag = MEMBER_TAG_TRESPASS, .qos = 1, .absolute = true}});
}

static void try_publish(struct member *m, const char *victim, const char *below)
{
  char topic[64];
  snprintf(topic, sizeof topic, "private/%s/%s", victim, below);
  try_event(m, &(struct device_event){.kind = DEVICE_PUBLISH,
                                      .publish = {.topic = topic,
                                                  .payload = (const uint8_t *) word,
                                                  .size = sizeof word - 1,
                                                  .tag = MEMBER_TAG_TRESPASS,
                                                  .qos = 1,
                                                  .absolute = true}});
}

/* What comes through to a device's own ota/manifest it takes for a manifest, and refuses it: see member_crossed. */
static void expect_word(struct fleet *fleet, uint32_t victim)
{
  for (size_t i = 0; i < fleet->config.device_count; i++)
    if (fleet->members[i].facts.id == victim) fleet->ota[i].trespassed = true;
}

void member_crossed(struct member *m)
{
  struct member_ota *ota = member_ota(m);
  if (!ota->trespassed) return;
  ota->trespassed = false;
  metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DELIVERED, 1);
}

void fleet_trespass(struct fleet *fleet, size_t index, uint32_t victim)
{
  struct member *m = &fleet->members[index];
  char id[DEVICE_ID_TEXT];
  device_id_text(victim, id);
  /* the subscriptions go first: mosquitto 2.0.11 ends an MQTT 5 session that publishes where it may not */
  try_subscribe(m, id, "#");
  if (fleet->ota != NULL) try_subscribe(m, id, "ota/#");
  try_publish(m, id, "status");
  if (fleet->ota == NULL) return;
  try_publish(m, id, "ota/status");
  try_publish(m, id, "ota/manifest");
  if (m->accepted) expect_word(fleet, victim);
}
