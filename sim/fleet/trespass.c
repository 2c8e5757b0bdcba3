/* Devices that try the topics of others, one attempt after the other: each has the broker's answer,
 * or the end of the connection if that is the answer, before the next one is made. None is made
 * twice: a broker that ends connections for it would never be rid of the device, nor the device of
 * the message. */
#include <stdio.h>
#include <stdlib.h>

#include "fleet/member.h"

#define AGAIN_MS          100u /* the device's outbox is full */
#define QOS_NOT_SUPPORTED 0x9b /* MQTT 5 reason codes */
#define PACKET_TOO_LARGE  0x95

static const char word[] = "trespass"; /* as the back office knows it */

/* What a subscription lets through shows while the connection lasts: those come last. */
static const struct attempt {
  const char *below;
  bool subscribes, of_updates;
} attempts[] = {
    {"status", false, false}, {"ota/status", false, true}, {"ota/manifest", false, true},
    {"#", true, false},       {"ota/#", true, true},
};
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])

static struct member_trespass *row_of(const struct member *m)
{
  return m->fleet->trespasses == NULL ? NULL : &m->fleet->trespasses[m - m->fleet->members];
}

/* The first attempt from `next` on that there is in this fleet. */
static uint8_t skip(const struct fleet *fleet, size_t next)
{
  while (next < ATTEMPTS && attempts[next].of_updates && fleet->ota == NULL) next++;
  return (uint8_t) next;
}

uint64_t member_trespass_ms(const struct member *m)
{
  const struct member_trespass *row = row_of(m);
  bool may = row != NULL && row->next < ATTEMPTS && !row->open && m->link == MEMBER_UP &&
             m->endpoint == FLEET_MAIN;
  return may ? row->due_ms : DEVICE_NEVER;
}

/* What comes through to a device's own ota/manifest it takes for a manifest, and refuses it: see
   member_crossed. */
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

static bool is_of_manifest(const struct attempt *attempt)
{
  return attempt->of_updates && !attempt->subscribes;
}

/* The answer may come inside the step: it is open before. */
void member_trespass(struct member *m)
{
  struct member_trespass *row = row_of(m);
  const struct attempt *attempt = &attempts[row->next];
  char victim[DEVICE_ID_TEXT], topic[64];
  device_id_text(row->victim, victim);
  snprintf(topic, sizeof topic, "private/%s/%s", victim, attempt->below);
  struct device_event event = {
      .kind = attempt->subscribes ? DEVICE_SUBSCRIBE : DEVICE_PUBLISH,
      .publish = {
          .topic = topic, .tag = MEMBER_TAG_TRESPASS, .qos = 1, .absolute = true, .once = true}};
  if (!attempt->subscribes) {
    event.publish.payload = (const uint8_t *) word;
    event.publish.size = sizeof word - 1;
  }
  if (is_of_manifest(attempt)) expect_word(m->fleet, row->victim);
  row->open = true;
  member_feed(m, &event);
  bool declined = row->declined;
  row->declined = false;
  if (m->accepted) {
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_ATTEMPTS, declined ? 0 : 1);
    return;
  }
  row->open = false;
  row->due_ms = backend_now_ms(m->fleet->config.backend) + AGAIN_MS;
}

static void answered(struct member *m, struct member_trespass *row)
{
  row->open = false;
  row->next = skip(m->fleet, row->next + 1u);
  row->due_ms = backend_now_ms(m->fleet->config.backend);
}

/* What no PUBACK says: the device has held it back, because of what the broker said in CONNACK. */
static bool is_own(uint8_t reason)
{
  return reason == QOS_NOT_SUPPORTED || reason == PACKET_TOO_LARGE;
}

void member_trespass_answered(struct member *m, uint8_t reason)
{
  struct member_trespass *row = row_of(m);
  if (reason >= 0x80 && !is_own(reason))
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DENIED, 1);
  if (row == NULL || !row->open) return;
  row->declined = is_own(reason);
  answered(m, row);
}

void member_trespass_ended(struct member *m, enum device_failure failure)
{
  struct member_trespass *row = row_of(m);
  bool by_broker = failure == DEVICE_FAIL_SESSION_CLOSED || failure == DEVICE_FAIL_SESSION_RESET ||
                   failure == DEVICE_FAIL_SESSION_DISCONNECT;
  if (row == NULL || !row->open) return;
  if (by_broker) metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_CLOSED, 1);
  answered(m, row);
}

int fleet_trespass(struct fleet *fleet, size_t index, uint32_t victim)
{
  struct member *m = &fleet->members[index];
  if (fleet->trespasses == NULL) {
    fleet->trespasses = calloc(fleet->config.device_count, sizeof *fleet->trespasses);
    if (fleet->trespasses == NULL) return -1;
    for (size_t i = 0; i < fleet->config.device_count; i++) fleet->trespasses[i].next = ATTEMPTS;
  }
  *row_of(m) = (struct member_trespass){
      .due_ms = backend_now_ms(fleet->config.backend), .victim = victim, .next = skip(fleet, 0)};
  member_arm(m);
  return 0;
}

bool fleet_is_trespassing(const struct fleet *fleet, size_t index)
{
  const struct member *m = &fleet->members[index];
  const struct member_trespass *row = row_of(m);
  return row != NULL && row->next < ATTEMPTS && m->facts.wanted && !m->facts.dead;
}
