/* Devices that try the topics of others, one attempt after the other: each has the broker's answer,
 * or the end of the connection if that is the answer, before the next one is made. None is made
 * twice: a broker that ends connections for it would never be rid of the device, nor the device of
 * the message. */
#include "fleet/trespass.h"

#include <stdio.h>
#include <stdlib.h>

#include "fleet/population.h"

#define AGAIN_MS          100u /* the device's outbox is full */
#define QOS_NOT_SUPPORTED 0x9b /* MQTT 5 reason codes */
#define PACKET_TOO_LARGE  0x95

/* The attempts of one device. */
struct trespass_row {
  uint64_t due_ms; /* the next one, if none is open and the device is online */
  uint32_t victim;
  uint8_t next;   /* in the list of attempts; its size: all are made */
  bool open;      /* that one is made and not answered */
  bool declined;  /* the device did not send it */
  bool is_victim; /* another device has published to its ota/manifest */
};

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

static struct trespass_row *attempts_of(const struct member *m)
{
  return m->fleet->trespasses == NULL ? NULL : &m->fleet->trespasses[m - m->fleet->members];
}

/* The first attempt from `next` on that there is in this fleet. */
static uint8_t skip(const struct fleet *fleet, size_t next)
{
  while (next < ATTEMPTS && attempts[next].of_updates && fleet->config.profile->ota == NULL) next++;
  return (uint8_t) next;
}

uint64_t trespass_due_ms(const struct member *m)
{
  const struct trespass_row *row = attempts_of(m);
  bool may = row != NULL && row->next < ATTEMPTS && !row->open && m->link == MEMBER_UP &&
             m->endpoint == FLEET_MAIN;
  return may ? row->due_ms : DEVICE_NEVER;
}

/* What comes through to a device's own ota/manifest it takes for a manifest, and refuses it: see
   trespass_crossed. */
static void expect_word(struct fleet *fleet, uint32_t victim)
{
  for (size_t i = 0; i < fleet->config.device_count; i++)
    if (fleet->members[i].facts.id == victim) fleet->trespasses[i].is_victim = true;
}

void trespass_crossed(struct member *m)
{
  struct trespass_row *row = attempts_of(m);
  if (row == NULL || !row->is_victim) return;
  row->is_victim = false;
  metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DELIVERED, 1);
}

static bool is_of_manifest(const struct attempt *attempt)
{
  return attempt->of_updates && !attempt->subscribes;
}

/* The answer may come inside the step: it is open before. */
void trespass_make(struct member *m, struct trespass_attempt *out)
{
  struct trespass_row *row = attempts_of(m);
  const struct attempt *attempt = &attempts[row->next];
  char victim[DEVICE_ID_TEXT];
  device_id_text(row->victim, victim);
  snprintf(out->topic, sizeof out->topic, "private/%s/%s", victim, attempt->below);
  out->event =
      (struct device_event){.kind = attempt->subscribes ? DEVICE_SUBSCRIBE : DEVICE_PUBLISH,
                            .publish = {.topic = out->topic,
                                        .tag = MEMBER_TAG_TRESPASS,
                                        .qos = 1,
                                        .absolute = true,
                                        .once = true}};
  if (!attempt->subscribes) {
    out->event.publish.payload = (const uint8_t *) word;
    out->event.publish.size = sizeof word - 1;
  }
  if (is_of_manifest(attempt)) expect_word(m->fleet, row->victim);
  row->open = true;
}

void trespass_made(struct member *m)
{
  struct trespass_row *row = attempts_of(m);
  bool declined = row->declined;
  row->declined = false;
  if (m->accepted) {
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_ATTEMPTS, declined ? 0 : 1);
    return;
  }
  row->open = false;
  row->due_ms = population_now_ms(m->fleet) + AGAIN_MS;
}

static void answered(struct member *m, struct trespass_row *row)
{
  row->open = false;
  row->next = skip(m->fleet, row->next + 1u);
  row->due_ms = population_now_ms(m->fleet);
}

/* What no PUBACK says: the device has held it back, because of what the broker said in CONNACK. */
static bool is_own(uint8_t reason)
{
  return reason == QOS_NOT_SUPPORTED || reason == PACKET_TOO_LARGE;
}

void trespass_answered(struct member *m, uint8_t reason)
{
  struct trespass_row *row = attempts_of(m);
  if (reason >= 0x80 && !is_own(reason))
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DENIED, 1);
  if (row == NULL || !row->open) return;
  row->declined = is_own(reason);
  answered(m, row);
}

void trespass_ended(struct member *m, enum device_failure failure)
{
  struct trespass_row *row = attempts_of(m);
  bool by_broker = failure == DEVICE_FAIL_SESSION_CLOSED || failure == DEVICE_FAIL_SESSION_RESET ||
                   failure == DEVICE_FAIL_SESSION_DISCONNECT;
  if (row == NULL || !row->open) return;
  if (by_broker) metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_CLOSED, 1);
  answered(m, row);
}

int trespass_begin(struct member *m, uint32_t victim)
{
  struct fleet *fleet = m->fleet;
  if (fleet->trespasses == NULL) {
    fleet->trespasses = calloc(fleet->config.device_count, sizeof *fleet->trespasses);
    if (fleet->trespasses == NULL) return -1;
    for (size_t i = 0; i < fleet->config.device_count; i++) fleet->trespasses[i].next = ATTEMPTS;
  }
  struct trespass_row *row = attempts_of(m);
  *row = (struct trespass_row){.due_ms = population_now_ms(fleet),
                               .victim = victim,
                               .next = skip(fleet, 0),
                               .is_victim = row->is_victim};
  return 0;
}

bool trespass_is_under_way(const struct member *m)
{
  const struct trespass_row *row = attempts_of(m);
  return row != NULL && row->next < ATTEMPTS && m->facts.wanted && !m->facts.dead;
}
