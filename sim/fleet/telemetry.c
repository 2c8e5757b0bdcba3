/* Telemetry at planned times. A message belongs to the plan's moment, not to the moment it could be
   sent. */
#include "fleet/telemetry.h"

#include <stdlib.h>
#include <string.h>

#include "base/payload_text.h"
#include "base/random.h"
#include "fleet/population.h"

/* What became of a member's messages. */
struct telemetry_row {
  /* sequence numbers, unacked_count of them: taken and not answered */
  uint32_t unacked[FLEET_UNACKED_MAX];
  struct ledger acked; /* by a broker: of QoS 1 and 2 */
  /* by a broker; by the device, for what a broker's CONNACK says */
  uint32_t refused, declined;
  uint64_t forgotten; /* in restarts: messages of fleet_forgotten */
  /* reason code of the refusal that the events have of this session; 0: none */
  uint8_t told;
};

void telemetry_stagger(struct member *m)
{
  const struct fleet_telemetry *t = &m->fleet->telemetry;
  if (!t->on || m->link == MEMBER_OFF || m->shelving) {
    m->telemetry_at_ms = DEVICE_NEVER;
    return;
  }
  m->telemetry_at_ms = population_now_ms(m->fleet) + random_next(&m->random) % t->every_ms;
}

/* Only where fleet->telemetries is made. */
static struct telemetry_row *messages_of(const struct member *m)
{
  return &m->fleet->telemetries[m - m->fleet->members];
}

/* A run without telemetry has no such array. */
static bool can_answer(struct fleet *fleet)
{
  if (fleet->telemetries == NULL)
    fleet->telemetries = calloc(fleet->config.device_count, sizeof *fleet->telemetries);
  return fleet->telemetries != NULL;
}

size_t telemetry_unacked(const struct member *m, uint32_t out[FLEET_UNACKED_MAX])
{
  size_t count = m->unacked_count;
  if (count > 0) memcpy(out, messages_of(m)->unacked, count * sizeof *out);
  return count;
}

void telemetry_books(const struct member *m, struct fleet_books *out)
{
  static const struct ledger none;
  *out = (struct fleet_books){.given = m->facts.telemetry_sent, .acked = &none};
  if (m->fleet->telemetries == NULL) return;
  const struct telemetry_row *row = messages_of(m);
  uint64_t closed = m->facts.telemetry_acked + row->forgotten + row->refused + row->declined;
  out->declined = row->declined;
  out->refused = row->refused;
  out->forgotten = row->forgotten;
  out->open = closed < out->given ? out->given - (uint32_t) closed : 0;
  out->acked = &row->acked;
}

static uint32_t sequence_of(uint32_t tag)
{
  return tag >> MEMBER_TAG_BITS;
}

/* Nobody will send it again. */
static void let_go(struct member *m, uint32_t tag)
{
  if (m->unacked_count == 0) return;
  uint32_t *unacked = messages_of(m)->unacked;
  for (uint8_t i = 0; i < m->unacked_count; i++) {
    if (unacked[i] != sequence_of(tag)) continue;
    unacked[i] = unacked[--m->unacked_count];
    return;
  }
}

void telemetry_acked(struct member *m, uint32_t tag, bool by_broker)
{
  let_go(m, tag);
  m->facts.telemetry_acked++;
  metrics_add(m->fleet->config.metrics, METRIC_TELEMETRY_ACKED, 1);
  if (by_broker && m->fleet->telemetries != NULL)
    (void) ledger_enter(&messages_of(m)->acked, sequence_of(tag));
  if (m->shelving) m->shelve_by_ms = 0;
}

void telemetry_denied(struct member *m, uint32_t tag, bool declined)
{
  struct metrics *metrics = m->fleet->config.metrics;
  if (m->fleet->telemetries == NULL) return;
  let_go(m, tag);
  metrics_add(metrics, METRIC_TELEMETRY_REFUSED, 1);
  if (m->shelving) m->shelve_by_ms = 0;
  if (!declined) {
    messages_of(m)->refused++;
    return;
  }
  messages_of(m)->declined++;
  metrics_add(metrics, METRIC_TELEMETRY_DECLINED, 1);
  metrics_take_back(metrics, METRIC_TELEMETRY_SENT, 1);
}

bool telemetry_tells(struct member *m, uint8_t reason)
{
  if (m->fleet->telemetries == NULL) return true;
  bool first = messages_of(m)->told != reason;
  messages_of(m)->told = reason;
  return first;
}

void telemetry_began_session(struct member *m)
{
  if (m->fleet->telemetries != NULL) messages_of(m)->told = 0;
}

bool telemetry_is_quiet(const struct member *m)
{
  struct fleet_books books;
  telemetry_books(m, &books);
  return books.open == 0;
}

static bool has_room(struct fleet *fleet, size_t more)
{
  if (fleet->forgotten_room - fleet->forgotten_count >= more) return true;
  size_t room = 2 * fleet->forgotten_room + FLEET_UNACKED_MAX;
  struct fleet_forgotten *list = realloc(fleet->forgotten, room * sizeof *list);
  if (list == NULL) return false;
  fleet->forgotten = list;
  fleet->forgotten_room = room;
  return true;
}

/* Without memory for that it stays among what is awaited, in vain: a run ends later, and no better
   than it was. */
void telemetry_forget(struct member *m)
{
  struct fleet *fleet = m->fleet;
  if (m->unacked_count == 0 || !has_room(fleet, m->unacked_count)) return;
  for (uint8_t i = 0; i < m->unacked_count; i++)
    fleet->forgotten[fleet->forgotten_count++] = (struct fleet_forgotten){
        .device = (uint32_t) (m - fleet->members), .sequence = messages_of(m)->unacked[i]};
  messages_of(m)->forgotten += m->unacked_count;
  m->unacked_count = 0;
}

/* A device that forgets what it holds would overflow the list: the oldest ones are no longer told
   of. */
static void answer_for(struct member *m, uint32_t sequence)
{
  uint32_t *unacked = messages_of(m)->unacked;
  if (m->unacked_count == FLEET_UNACKED_MAX)
    memmove(unacked, unacked + 1, sizeof *unacked * --m->unacked_count);
  unacked[m->unacked_count++] = sequence;
}

/* The device did not take it; perhaps because its power failed in that step, so that it is among
   the forgotten ones. */
static void retract(struct member *m, uint32_t tag)
{
  struct fleet *fleet = m->fleet;
  struct fleet_forgotten it = {.device = (uint32_t) (m - fleet->members),
                               .sequence = sequence_of(tag)};
  m->facts.telemetry_sent--;
  metrics_take_back(fleet->config.metrics, METRIC_TELEMETRY_SENT, 1);
  let_go(m, tag);
  if (m->link != MEMBER_OFF || fleet->forgotten_count == 0) return;
  struct fleet_forgotten *last = &fleet->forgotten[fleet->forgotten_count - 1];
  if (last->device != it.device || last->sequence != it.sequence) return;
  fleet->forgotten_count--;
  messages_of(m)->forgotten--;
}

/* Of fleet->message; its size. */
static size_t write_message(struct member *m, const struct fleet_telemetry *of,
                            struct payload *payload)
{
  struct fleet *fleet = m->fleet;
  const struct names *names = fleet->config.names;
  const char *name = names != NULL ? names_of(names, population_number(m)).name
                                   : fleet->config.ops->device_name(m->client);
  if (of->text == NULL) {
    payload->sender = payload_sender_of(name);
    payload_write(fleet->message, of->bytes, payload);
    return of->bytes;
  }
  const struct payload_sender sender = {.began_unix_ms = fleet->config.began_unix_ms, .name = name};
  return payload_text_write(of->text, &sender, payload, fleet->message);
}

bool telemetry_prepare(struct member *m, uint64_t planned_ms, const struct fleet_telemetry *of,
                       struct telemetry_sending *out)
{
  struct fleet *fleet = m->fleet;
  if (!can_answer(fleet)) return false;
  uint32_t sequence = m->facts.telemetry_sent + 1;
  uint64_t sent_us = planned_ms * 1000 - fleet->config.began_us;
  struct payload payload = {.mark = fleet->config.mark, .sequence = sequence, .sent_us = sent_us};
  size_t size = write_message(m, of, &payload);
  *out = (struct telemetry_sending){
      .event = {.kind = DEVICE_PUBLISH,
                .publish = {.topic = NULL, /* of telemetry */
                            .payload = fleet->message,
                            .size = size,
                            .tag = MEMBER_TAG_TELEMETRY | sequence << MEMBER_TAG_BITS,
                            .qos = of->qos}},
      .declined = messages_of(m)->declined};
  /* counted first: inside the step QoS 0 is acknowledged, and what the broker forbids is
     declined */
  m->facts.telemetry_sent++;
  metrics_add(fleet->config.metrics, METRIC_TELEMETRY_SENT, 1);
  answer_for(m, sequence);
  m->accepted = false;
  return true;
}

enum telemetry_outcome telemetry_settle(struct member *m, const struct telemetry_sending *sending)
{
  if (messages_of(m)->declined != sending->declined) return TELEMETRY_DECLINED;
  if (m->accepted) return TELEMETRY_TAKEN;
  retract(m, sending->event.publish.tag);
  return TELEMETRY_NOT_TAKEN;
}

void telemetry_free(struct fleet *fleet)
{
  for (size_t i = 0; fleet->telemetries != NULL && i < fleet->config.device_count; i++)
    free(fleet->telemetries[i].acked.words);
  free(fleet->telemetries);
}
