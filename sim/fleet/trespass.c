/* Devices that try the topics of others, one attempt after the other: each has the broker's answer,
 * or the end of the connection if that is the answer, before the next one is made.
 *
 * What the broker lets pass without a word of its own shows by what arrives: a message at the
 * victim or at the back office, and with a subscription what the victim says and is told. So that
 * there is something to arrive, whoever is tried speaks on each of its own topics afterwards, and
 * the back office on those that lead to it (the lure). Where that got through and the trespasser's
 * did not, the broker has kept them apart; where neither did, nobody knows.
 *
 * A message of QoS 1 is not sent again at QoS 1 where it ended the connection: a broker that ends
 * connections for it would never be rid of the device. It is tried once more at QoS 0, as it may
 * have ended for the QoS and not for the topic, and so are those after it. */
#include "fleet/trespass.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/trespass.h"
#include "fleet/due.h"
#include "fleet/population.h"

#define AGAIN_MS          100u /* the device's outbox is full */
#define PACKET_TOO_LARGE  0x95 /* MQTT 5 reason codes */
#define QUOTA_EXCEEDED    0x97
#define QOS_NOT_SUPPORTED 0x9b

/* What there is behind a device's root, and its telemetry. `down`: the device listens there, else the
 * back office does. */
static const char telemetry[] = "telemetry";
static const struct topic {
  const char *below;
  bool down, of_updates;
} topics[] = {
    {telemetry, false, false},   {"status", false, false},     {"trust", true, false},
    {"trust/ack", false, false}, {"cert", true, false},        {"cert/ack", false, false},
    {"csr", false, false},       {"ota/manifest", true, true}, {"ota/block", true, true},
    {"ota/status", false, true}, {"ota/get", false, true},
};
#define TOPICS (sizeof topics / sizeof topics[0])

/* Attempts: a message to each of the topics, a subscription to all at once, one to each of them.
 * What a subscription lets through shows while the connection lasts: those come last. */
#define MESSAGES ((1u << TOPICS) - 1)
#define TO_ALL   TOPICS
#define ATTEMPTS (2 * TOPICS + 1)
static_assert(ATTEMPTS <= 32 && TOPICS <= 16, "a set of them is a word");

/* What waits for an answer: an attempt, a proof that the connection has outlived the latest one, or
   a word on a topic of its own. */
enum tries { TRIES_NOTHING, TRIES_TOPIC, TRIES_PROOF, TRIES_LURE };

/* The attempts of one device, as sets; what is neither to do nor refused nor unknown has got past
   the broker, as far as that says. */
struct trespass_row {
  uint64_t due_ms; /* the next one, if none is open and the device is online */
  uint32_t victim; /* index */
  uint32_t to_do, made, refused;
  uint32_t unknown;      /* neither made nor refused for its topic */
  uint32_t lures, heard; /* of its own topics: to speak on; where somebody has heard */
  enum tries open;
  uint8_t attempt;   /* the latest one */
  bool active;       /* its step is under way */
  bool at_most_once; /* its messages are of QoS 0 */
  bool unproven;     /* nothing shows that the connection has outlived the latest one */
  bool lapsed;       /* a connection with subscriptions has ended since the latest lure */
  bool declined;     /* the device has not sent what it was to */
  bool is_victim;    /* another device has published to its ota/manifest */
};

static struct trespass_row *tries_of(const struct member *m)
{
  return m->fleet->trespasses == NULL ? NULL : &m->fleet->trespasses[m - m->fleet->members];
}

static uint32_t topics_of(const struct fleet *fleet, bool ways_up)
{
  uint32_t set = 0;
  for (size_t t = 0; t < TOPICS; t++)
    if ((!topics[t].of_updates || fleet->config.profile->ota != NULL) &&
        (!ways_up || !topics[t].down))
      set |= 1u << t;
  return set;
}

static uint32_t attempts_of(const struct fleet *fleet)
{
  uint32_t set = topics_of(fleet, false);
  return set | 1u << TO_ALL | set << (TO_ALL + 1);
}

static uint8_t first_of(uint32_t set)
{
  uint8_t first = 0;
  assert(set != 0);
  while ((set >> first & 1u) == 0) first++;
  return first;
}

uint64_t trespass_due_ms(const struct member *m)
{
  const struct trespass_row *row = tries_of(m);
  bool may = row != NULL && (row->to_do != 0 || row->lures != 0 || row->unproven) &&
             row->open == TRIES_NOTHING && m->link == MEMBER_UP && m->endpoint == FLEET_MAIN;
  return may ? row->due_ms : DEVICE_NEVER;
}

/* --- One attempt ------------------------------------------------------------------------------ */

static bool subscribes(uint8_t attempt)
{
  return attempt >= TO_ALL;
}

static const struct topic *topic_of(uint8_t attempt)
{
  static const struct topic all = {"#", false, false};
  if (attempt == TO_ALL) return &all;
  return &topics[attempt < TO_ALL ? attempt : attempt - TO_ALL - 1u];
}

static void count_crossing(struct member *m)
{
  metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DELIVERED, 1);
}

void trespass_crossed(struct member *m)
{
  struct trespass_row *row = tries_of(m);
  if (row == NULL || !row->is_victim) return;
  row->is_victim = false;
  count_crossing(m);
}

static void try_topic(struct member *m, struct trespass_row *row, struct trespass_attempt *out)
{
  row->open = TRIES_TOPIC;
  row->attempt = first_of(row->to_do);
  const struct topic *topic = topic_of(row->attempt);
  const struct device_naming *victim = &m->fleet->namings[row->victim];
  bool whole = topic->below == telemetry;
  snprintf(out->topic, sizeof out->topic, "%s%s", whole ? victim->telemetry : victim->root,
           whole ? "" : topic->below);
  out->event =
      (struct device_event){.kind = subscribes(row->attempt) ? DEVICE_SUBSCRIBE : DEVICE_PUBLISH,
                            .publish = {.topic = out->topic, .qos = 1, .absolute = true}};
  if (subscribes(row->attempt)) return;
  out->event.publish.qos = row->at_most_once ? 0 : 1;
  out->event.publish.payload = (const uint8_t *) TRESPASS_WORD;
  out->event.publish.size = sizeof TRESPASS_WORD - 1;
  /* what comes through there the victim takes for a manifest, and refuses: trespass_crossed */
  if (strcmp(topic->below, "ota/manifest") == 0) m->fleet->trespasses[row->victim].is_victim = true;
}

/* A message of QoS 0 has no answer, and mosquitto 2.0 (where max_queued_messages is 0) may end a
 * connection right after it has refused one by name, which must not pass for its answer to the next
 * attempt. Brokers take packets in order: when this one has its answer, the connection has outlived
 * the message. */
static void prove(struct trespass_row *row, struct trespass_attempt *out)
{
  row->open = TRIES_PROOF;
  out->event =
      (struct device_event){.kind = DEVICE_SUBSCRIBE, .publish = {.topic = "trust", .qos = 1}};
}

static void speak(struct trespass_row *row, struct trespass_attempt *out)
{
  const char *below = topics[first_of(row->lures)].below;
  row->open = TRIES_LURE;
  out->event = (struct device_event){.kind = DEVICE_PUBLISH,
                                     .publish = {.topic = below == telemetry ? NULL : below,
                                                 .payload = (const uint8_t *) TRESPASS_LURE,
                                                 .size = sizeof TRESPASS_LURE - 1,
                                                 .qos = row->at_most_once ? 0 : 1}};
}

/* The answer may come inside the step: it is open before. */
void trespass_make(struct member *m, struct trespass_attempt *out)
{
  struct trespass_row *row = tries_of(m);
  if (row->unproven)
    prove(row, out);
  else if (row->to_do != 0)
    try_topic(m, row, out);
  else
    speak(row, out);
  out->kind = (int) row->open;
  out->event.publish.tag = MEMBER_TAG_TRESPASS;
  out->event.publish.once = true;
  row->declined = false;
}

void trespass_made(struct member *m, const struct trespass_attempt *attempt)
{
  struct trespass_row *row = tries_of(m);
  if (row->declined) return;
  if (m->accepted) {
    uint32_t made = attempt->kind == TRIES_TOPIC ? 1u << row->attempt : 0;
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_ATTEMPTS, (made & ~row->made) != 0);
    row->made |= made;
    return;
  }
  row->open = TRIES_NOTHING;
  row->due_ms = population_now_ms(m->fleet) + AGAIN_MS;
}

/* --- Its answer ------------------------------------------------------------------------------- */

/* What a broker says or announces about a message as such, whosever the topic is. */
static bool is_no_refusal(uint8_t reason)
{
  return reason == QOS_NOT_SUPPORTED || reason == PACKET_TOO_LARGE || reason == QUOTA_EXCEEDED;
}

static void settle(struct trespass_row *row, uint32_t *as)
{
  row->to_do &= ~(1u << row->attempt);
  if (as != NULL) *as |= 1u << row->attempt;
}

static void answer_topic(struct member *m, struct trespass_row *row, uint8_t reason)
{
  if (reason == QOS_NOT_SUPPORTED && !subscribes(row->attempt) && !row->at_most_once) {
    row->at_most_once = true;
  } else if (is_no_refusal(reason)) {
    settle(row, &row->unknown);
  } else if (reason >= 0x80) {
    settle(row, &row->refused);
    row->unproven = !subscribes(row->attempt);
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_DENIED, 1);
  } else {
    settle(row, NULL);
    row->unproven = !subscribes(row->attempt) && row->at_most_once;
  }
}

static void answer_lure(struct trespass_row *row, uint8_t reason)
{
  if (reason == QOS_NOT_SUPPORTED && !row->at_most_once)
    row->at_most_once = true;
  else
    row->lures &= ~(1u << first_of(row->lures));
}

void trespass_answered(struct member *m, uint8_t reason, bool declined)
{
  struct trespass_row *row = tries_of(m);
  if (row == NULL || row->open == TRIES_NOTHING) return;
  enum tries kind = row->open;
  row->open = TRIES_NOTHING;
  row->declined = declined;
  row->due_ms = population_now_ms(m->fleet);
  switch (kind) {
  case TRIES_TOPIC: answer_topic(m, row, reason); break;
  case TRIES_PROOF: row->unproven = false; break;
  case TRIES_LURE: answer_lure(row, reason); break;
  case TRIES_NOTHING: break;
  }
}

static void end_topic(struct member *m, struct trespass_row *row, bool by_broker)
{
  if (!subscribes(row->attempt) && !row->at_most_once) {
    row->at_most_once = true;
    return;
  }
  if (by_broker) metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_CLOSED, 1);
  settle(row, by_broker ? &row->refused : &row->unknown);
}

static void end_lure(struct trespass_row *row)
{
  if (row->at_most_once) row->lures &= ~(1u << first_of(row->lures));
  row->at_most_once = true;
}

/* Subscriptions end with their connection: what they would have let through after it they have
   not. */
static void lose_subscriptions(struct member *m, struct trespass_row *row)
{
  uint32_t kept = attempts_of(m->fleet) & ~MESSAGES & ~row->to_do & ~row->refused & ~row->unknown;
  if (!row->active || kept == 0) return;
  row->to_do |= kept;
  row->lapsed = true;
}

void trespass_ended(struct member *m, enum device_failure failure)
{
  struct trespass_row *row = tries_of(m);
  bool by_broker = failure == DEVICE_FAIL_SESSION_CLOSED || failure == DEVICE_FAIL_SESSION_RESET ||
                   failure == DEVICE_FAIL_SESSION_DISCONNECT;
  bool by_plan = failure == DEVICE_FAIL_SESSION_STOPPED;
  if (row == NULL) return;
  enum tries kind = row->open;
  row->open = TRIES_NOTHING;
  row->due_ms = population_now_ms(m->fleet);
  lose_subscriptions(m, row);
  if (kind == TRIES_TOPIC && !by_plan) end_topic(m, row, by_broker);
  if (kind == TRIES_LURE && !by_plan) end_lure(row);
  bool refused = (row->refused >> row->attempt & 1u) != 0;
  if (row->unproven && by_broker && !refused) {
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_CLOSED, 1);
    row->refused |= 1u << row->attempt;
  }
  row->unproven = false;
}

/* --- What arrives ----------------------------------------------------------------------------- */

void trespass_lure_heard(struct member *m, const char *below)
{
  struct trespass_row *row = tries_of(m);
  for (size_t t = 0; row != NULL && t < TOPICS; t++)
    if (strcmp(topics[t].below, below) == 0) row->heard |= 1u << t;
}

/* On one of the device's own topics: of size 0 it is the back office's lure. */
static void hear_own(struct member *m, const struct device_note *note, const char *below)
{
  bool word = note->payload_size == sizeof TRESPASS_WORD - 1 &&
              memcmp(note->payload, TRESPASS_WORD, note->payload_size) == 0;
  if (word) count_crossing(m);
  if (note->payload_size == 0) trespass_lure_heard(m, below);
}

/* Telemetry of another run, which the broker has kept for this session: no word about who may what
   in this one. */
static bool is_of_earlier_run(const struct member *m, const struct device_note *note)
{
  if (!names_is_telemetry(m->fleet->config.names, note->topic, note->topic_size)) return false;
  if (note->payload_size == sizeof TRESPASS_LURE - 1 &&
      memcmp(note->payload, TRESPASS_LURE, note->payload_size) == 0)
    return false;
  const struct fleet_config *config = &m->fleet->config;
  const struct payload_texts binary = {.mark = config->mark};
  const struct payload_texts *texts = config->texts != NULL ? config->texts : &binary;
  struct payload payload;
  enum payload_reading reading =
      payload_text_read(texts, &(struct payload_sender){.began_unix_ms = 0, .name = ""},
                        note->payload, note->payload_size, &payload);
  return reading != PAYLOAD_NONE && payload.mark != config->mark;
}

void trespass_heard(struct member *m, const struct device_note *note)
{
  char topic[DEVICE_TOPIC_MAX + 1];
  struct names_topic of = {.index = SIZE_MAX, .below = ""};
  if (m->fleet->config.names == NULL) return; /* nobody can trespass */
  if (note->topic_size < sizeof topic) {
    memcpy(topic, note->topic, note->topic_size);
    topic[note->topic_size] = '\0';
    if (!names_find(m->fleet->config.names, topic, &of)) of.index = SIZE_MAX;
  }
  if (of.index == population_number(m))
    hear_own(m, note, of.telemetry ? telemetry : of.below);
  else if (is_of_earlier_run(m, note))
    metrics_add(m->fleet->config.metrics, METRIC_TRESPASS_EARLIER, 1);
  else
    count_crossing(m);
}

/* It takes the word for a bundle or a certificate, and refuses it. */
void trespass_answered_word(struct member *m, uint32_t of)
{
  if (of == TRESPASS_WORD_CRC) count_crossing(m);
}

/* --- For the step ----------------------------------------------------------------------------- */

int trespass_begin(struct member *m, uint32_t victim)
{
  struct fleet *fleet = m->fleet;
  assert(fleet->config.names != NULL);
  if (fleet->trespasses == NULL) {
    fleet->trespasses = calloc(fleet->config.device_count, sizeof *fleet->trespasses);
    if (fleet->trespasses == NULL) return -1;
  }
  struct trespass_row *row = tries_of(m);
  *row = (struct trespass_row){.due_ms = population_now_ms(fleet),
                               .victim = victim,
                               .to_do = attempts_of(fleet),
                               .active = true,
                               .is_victim = row->is_victim};
  return 0;
}

bool trespass_is_under_way(const struct member *m)
{
  const struct trespass_row *row = tries_of(m);
  return row != NULL && (row->to_do != 0 || row->unproven) && m->facts.wanted && !m->facts.dead;
}

struct member *trespass_lure(struct member *m)
{
  struct trespass_row *own = tries_of(m);
  assert(own != NULL);
  own->lapsed = false;
  struct trespass_row *row = &m->fleet->trespasses[own->victim];
  row->lures = topics_of(m->fleet, true);
  row->heard = 0;
  row->due_ms = population_now_ms(m->fleet);
  return &m->fleet->members[own->victim];
}

const char *trespass_lure_below(const struct fleet *fleet, size_t number)
{
  for (size_t t = 0; t < TOPICS; t++)
    if (topics[t].down && (topics_of(fleet, false) >> t & 1u) != 0 && number-- == 0)
      return topics[t].below;
  return NULL;
}

size_t trespass_undecided(const struct member *m, const char **below)
{
  const struct trespass_row *row = tries_of(m);
  assert(row != NULL);
  uint32_t heard = m->fleet->trespasses[row->victim].heard;
  if (heard == topics_of(m->fleet, false)) heard |= 1u << TO_ALL;
  heard |= (heard & MESSAGES) << (TO_ALL + 1);
  if (row->lapsed) heard &= MESSAGES;
  uint32_t open = attempts_of(m->fleet) & ~row->refused & (~heard | row->unknown | row->to_do);
  size_t count = 0;
  for (size_t a = 0; a < ATTEMPTS; a++) count += open >> a & 1u;
  uint32_t single = open & ~(1u << TO_ALL);
  if (open != 0) *below = topic_of(first_of(single != 0 ? single : open))->below;
  return count;
}

void trespass_end(struct fleet *fleet)
{
  for (size_t i = 0; fleet->trespasses != NULL && i < fleet->config.device_count; i++) {
    struct trespass_row *row = &fleet->trespasses[i];
    row->active = row->unproven = false;
    row->to_do = row->lures = 0;
  }
}
