/* A look as a device is TLS with its certificate and CONNECT under an id of our own, so that its
 * session is left alone; CONNACK 0 is in, and so is one that refuses our id only. Where the broker
 * takes ids from certificates the look that is let in ends the session: seen once, it is known of the
 * address. */
#define _POSIX_C_SOURCE 200809L
#include "stage/device_looks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/clones.h"
#include "stage/device_names.h"
#include "stage/logins.h"
#include "stage/wait.h"

#define TOLD_WITHIN_MS 200u

/* --- What is made of an answer ---------------------------------------------------------------- */

static bool is_late(enum device_failure failure)
{
  return failure == DEVICE_FAIL_TCP_TIMEOUT || failure == DEVICE_FAIL_TLS_TIMEOUT ||
         failure == DEVICE_FAIL_MQTT_TIMEOUT;
}

/* CONNACK, whatever its code, comes when TLS has taken the certificate. A refused id or version is
 * no refusal of the certificate: the device, or a thief, comes under another. "Not authorised" may
 * be how the broker refuses it; "busy" and the like may be anything. */
static bool is_by_tls(const struct broker_seen *seen)
{
  return seen->takes && (seen->failure == DEVICE_FAIL_MQTT_REFUSED_ID ||
                         seen->failure == DEVICE_FAIL_MQTT_REFUSED_VERSION);
}

static bool is_kept_out(const struct broker_seen *seen)
{
  return seen->failure == DEVICE_FAIL_MQTT_REFUSED_AUTH ||
         (!seen->takes && seen->failure != DEVICE_FAIL_NONE);
}

/* Without the broker's certificate it was a proxy, or nobody, who ended it. */
static bool is_answered(const struct stage_seen *seen)
{
  return seen->answered && seen->broker.chain.count > 0;
}

/* Where ids come from certificates the looks with one certificate throw each other out, and which of them
   is let in is a matter of luck: who is closed on without a word beside it says nothing. */
static bool is_thrown_out(const struct stage_seen *look)
{
  enum device_failure failure = look->broker.failure;
  return is_answered(look) &&
         (failure == DEVICE_FAIL_TLS_CLOSED || failure == DEVICE_FAIL_TLS_RESET);
}

static void count_answer(struct stage_entry *entry, const struct stage_seen *look)
{
  const struct broker_seen *seen = &look->broker;
  bool answered = is_answered(look);
  bool by_tls = answered && is_by_tls(seen);
  bool in = answered && (by_tls || seen->failure == DEVICE_FAIL_NONE);
  bool out = answered && is_kept_out(seen);
  bool away = !in && !is_late(seen->failure);
  if (in && !entry->open) memcpy(entry->open_from, look->from, sizeof entry->open_from);
  if (away && !entry->shut) {
    memcpy(entry->shut_from, look->from, sizeof entry->shut_from);
    entry->failure = seen->failure;
  }
  if (!in && !out && !entry->no_word) entry->unsaid = answered ? seen->failure : DEVICE_FAIL_NONE;
  entry->no_word = entry->no_word || (!in && !out);
  if (by_tls && entry->by_tls == DEVICE_FAIL_NONE) entry->by_tls = seen->failure;
  entry->open = entry->open || in;
  entry->welcome = entry->welcome || (in && !by_tls);
  entry->shut = entry->shut || away;
  entry->out = entry->out || out;
  entry->closed = entry->closed && out;
  entry->by_connack = entry->by_connack || (out && seen->takes);
  entry->told = entry->told && answered && seen->failure == DEVICE_FAIL_TLS_ALERT_REVOKED;
}

/* Who was kept out by CONNACK must be surpassed there; who was kept out by TLS, in TLS. Who was told
   'revoked' is, by who was closed on without that word: an alert that a reset has swallowed is none. */
static bool gets_further(const struct stage_seen *look, const void *ctx)
{
  const struct stage_entry *listed = ctx;
  const struct broker_seen *seen = &look->broker;
  bool in = seen->failure == DEVICE_FAIL_NONE || is_by_tls(seen);
  bool untold = listed->told && seen->failure == DEVICE_FAIL_TLS_CLOSED;
  return is_answered(look) && (untold || (seen->takes && (!listed->by_connack || in)));
}

static bool ends_so(const struct stage_seen *look, const void *failure)
{
  return is_answered(look) && look->broker.failure == *(const enum device_failure *) failure;
}

static void compare(struct stage_entry *entry, const struct stage_round *listed,
                    const struct stage_round *control)
{
  const struct stage_seen *alike, *other[2];
  entry->none_further = stage_round_right(control, gets_further, entry, &alike) == 0;
  entry->apart = alike == NULL;
  entry->further = alike == NULL ? control->count : 0;
  if (alike != NULL && is_answered(alike)) entry->alike = alike->broker.failure;
  (void) stage_round_right(listed, ends_so, &entry->failure, &other[0]);
  (void) stage_round_right(control, ends_so, &entry->failure, &other[1]);
  entry->same = other[0] == NULL && other[1] == NULL;
}

/* --- Looks that are open at once -------------------------------------------------------------- */

/* The session of a device as it is about to be looked at; watched: there is one, and its end would
   be known. */
struct session {
  bool watched, ended;
  size_t device;
  int node;
  uint32_t connects;
};

/* Who looks: as the device of a look, or as its control. */
struct guest {
  struct stage_device_look *look;
  bool control;
  struct broker_pair files;
  struct session session; /* of whose certificate it is */
};

struct party {
  struct stage *stage;
  size_t count;
  struct guest guest[STAGE_VISITORS_MAX];
  struct stage_visitor visitor[STAGE_VISITORS_MAX];
  struct stage_round round[STAGE_VISITORS_MAX];
};

/* --- Whose session it ends -------------------------------------------------------------------- */

/* Of a device with a copy it may be that which ends it. */
static struct session session_of(const struct stage *stage, size_t device)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  bool alone = stage_clones_came(stage, device) == 0;
  return (struct session){.watched = alone && fleet_would_tell(stage->fleet, device),
                          .device = device,
                          .node = facts->node,
                          .connects = facts->connects};
}

static bool session_ended(const struct stage *stage, const struct session *session)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, session->device);
  return session->watched && !(facts->online && facts->connects == session->connects);
}

static void say_ended(struct stage *stage, size_t node, const struct session *session)
{
  char text[512], where[STAGE_ADDRESS_MAX], name[NAMES_TEXT];
  snprintf(text, sizeof text,
           "a look with the certificate of %s, let in at %s, has ended the device's own session: "
           "the broker takes client ids from certificates. That end is no cut of the broker's",
           stage_device_text(stage, session->device, name), stage_address(stage, node, where));
  stage_say(stage, text);
}

static bool was_let_in(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  return is_answered(look) && look->broker.failure == DEVICE_FAIL_NONE;
}

/* It was let in where it would have ended the device's session, as far as is known. */
static bool may_have_ended(const struct party *party, size_t visitor)
{
  const struct stage_seen *other;
  size_t node = party->visitor[visitor].node;
  return party->guest[visitor].session.watched &&
         party->stage->nodes[node].look_ids != STAGE_IDS_OURS &&
         stage_round_right(&party->round[visitor], was_let_in, NULL, &other) > 0;
}

/* Of several looks as one device the one where its session was is likelier; and one is enough. */
static bool is_anothers(const struct party *party, size_t visitor)
{
  const struct session *own = &party->guest[visitor].session;
  bool home = (int) party->visitor[visitor].node == own->node;
  for (size_t v = 0; v < party->count; v++) {
    const struct session *other = &party->guest[v].session;
    if (v == visitor || other->device != own->device || !may_have_ended(party, v)) continue;
    if (other->ended || (!home && (int) party->visitor[v].node == own->node)) return true;
  }
  return false;
}

static void note_end(struct party *party, size_t visitor)
{
  struct session *session = &party->guest[visitor].session;
  size_t node = party->visitor[visitor].node;
  enum stage_look_ids *ids = &party->stage->nodes[node].look_ids;
  if (!may_have_ended(party, visitor) || is_anothers(party, visitor)) return;
  session->ended = session_ended(party->stage, session);
  if (session->ended) say_ended(party->stage, node, session);
  if (*ids == STAGE_IDS_UNKNOWN) *ids = session->ended ? STAGE_IDS_OF_CERTIFICATES : STAGE_IDS_OURS;
}

static bool was_let_in_by_tls(const struct stage_seen *look, const void *ctx)
{
  return was_let_in(look, ctx) || (is_answered(look) && is_by_tls(&look->broker));
}

/* Whether its id was taken, or refused. */
static void note_taken(struct party *party, size_t visitor)
{
  const struct stage_seen *other;
  if (party->guest[visitor].session.watched &&
      stage_round_right(&party->round[visitor], was_let_in_by_tls, NULL, &other) > 0)
    party->stage->nodes[party->visitor[visitor].node].takes_shielded = true;
}

/* Waits until the ends of sessions would have been told. The controls first: nobody but a look ends
   theirs. */
static enum step_outcome note_ends(struct party *party)
{
  bool any = false;
  for (size_t v = 0; v < party->count; v++) any = any || may_have_ended(party, v);
  if (any && !stage_pause(party->stage, TOLD_WITHIN_MS)) return STEP_ABORTED;
  for (size_t v = 0; v < party->count; v++) note_taken(party, v);
  for (size_t v = 0; v < party->count; v++)
    if (party->guest[v].control) note_end(party, v);
  for (size_t v = 0; v < party->count; v++)
    if (!party->guest[v].control) note_end(party, v);
  return STEP_DONE;
}

static bool is_nobodys(const struct guest *guest)
{
  return guest->control && guest->look->control.nobodys;
}

/* Once for each device, whichever of them has ended its session. */
static void close_looks(struct party *party)
{
  for (size_t v = 0; v < party->count; v++) {
    const struct guest *guest = &party->guest[v];
    bool ended = false, earlier = false;
    for (size_t w = 0; w < party->count && !is_nobodys(guest); w++) {
      const struct guest *other = &party->guest[w];
      if (is_nobodys(other) || other->session.device != guest->session.device) continue;
      ended = ended || other->session.ended;
      earlier = earlier || w < v;
    }
    if (!guest->control) guest->look->entry.ended = ended;
    if (!is_nobodys(guest) && !earlier)
      fleet_look_closes(party->stage->fleet, guest->session.device, ended);
  }
}

/* --- The looks -------------------------------------------------------------------------------- */

/* Everybody has files of his own. */
static int invite(struct party *party, struct stage_device_look *look, bool control)
{
  struct stage *stage = party->stage;
  const struct stage_stand_in *as = control ? &look->control.as : &look->as;
  bool nobodys = control && look->control.nobodys;
  size_t v = party->count++;
  struct guest *guest = &party->guest[v];
  *guest = (struct guest){
      .look = look, .control = control, .files = broker_device_place(stage->broker, (unsigned) v)};
  if (!nobodys) guest->session = session_of(stage, as->device);
  party->visitor[v] = (struct stage_visitor){.node = look->node,
                                             .files = &guest->files,
                                             .bare = stage->scenario->device.no_certificate,
                                             .login = nobodys ? (struct login){NULL, NULL}
                                                              : stage_login(stage, as->device),
                                             .as_device = true,
                                             .device = look->as.device,
                                             .looks = control ? look->beside : look->looks,
                                             .timeout_ms = look->timeout_ms};
  return control ? stage_control_write(stage, &look->control, &guest->files)
                 : pki_write_device_with(stage->pki, as->device, as->chain, as->size,
                                         guest->files.certificate, guest->files.key, &stage->error);
}

/* Without the looks of a round that others of it have thrown out. */
static void leave_out_thrown(const struct party *party, struct stage_round *round, size_t node)
{
  const struct stage_seen *other;
  unsigned kept = 0;
  if (party->stage->nodes[node].look_ids != STAGE_IDS_OF_CERTIFICATES ||
      stage_round_right(round, was_let_in, NULL, &other) == 0)
    return;
  for (unsigned i = 0; i < round->count; i++)
    if (!is_thrown_out(&round->look[i])) round->look[kept++] = round->look[i];
  round->count = kept;
}

/* For a limit of its own a broker counts whom it lets in, and whom it throws out again. */
static void count_let_in(struct party *party, size_t visitor)
{
  const struct stage_seen *other;
  const struct stage_round *round = &party->round[visitor];
  const struct session *session = &party->guest[visitor].session;
  size_t node = party->visitor[visitor].node;
  bool in = stage_round_right(round, was_let_in, NULL, &other) > 0;
  unsigned count = stage_round_right(round, was_let_in_by_tls, NULL, &other);
  if (in && party->stage->nodes[node].look_ids == STAGE_IDS_OF_CERTIFICATES) count = round->count;
  if (is_nobodys(&party->guest[visitor])) return;
  party->stage->identity[session->device].looked_in[node] += count;
  if (in) party->stage->identity[session->device].kicked = 0;
}

static bool is_taken(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  return is_answered(look) && look->broker.takes;
}

static void note_others(struct stage_node *node, const struct stage_round *control)
{
  const struct stage_seen *other;
  if (stage_round_right(control, is_taken, NULL, &other) > 0) node->takes_others = true;
}

/* A control's visitor follows its look's. */
static void judge(struct party *party)
{
  for (size_t v = 0; v < party->count; v++) {
    struct stage_entry *entry = &party->guest[v].look->entry;
    count_let_in(party, v);
    leave_out_thrown(party, &party->round[v], party->visitor[v].node);
    if (party->guest[v].control) {
      note_others(&party->stage->nodes[party->visitor[v].node], &party->round[v]);
      compare(entry, &party->round[v - 1], &party->round[v]);
      continue;
    }
    *entry = (struct stage_entry){.closed = true, .told = true};
    for (unsigned i = 0; i < party->round[v].count; i++)
      count_answer(entry, &party->round[v].look[i]);
  }
}

static enum step_outcome look_at_once(struct party *party)
{
  struct stage *stage = party->stage;
  for (size_t v = 0; v < party->count; v++)
    if (!is_nobodys(&party->guest[v]))
      fleet_look_opens(stage->fleet, party->guest[v].session.device);
  enum step_outcome outcome = stage_round(stage, party->visitor, party->count, party->round);
  if (outcome == STEP_DONE) outcome = note_ends(party);
  judge(party);
  close_looks(party);
  return outcome;
}

static void send_home(struct party *party)
{
  for (size_t v = 0; v < party->count; v++) {
    (void) unlink(party->guest[v].files.key);
    (void) unlink(party->guest[v].files.certificate);
  }
  free(party);
}

enum step_outcome stage_look_as_devices(struct stage *stage,
                                        struct stage_device_look *const looks[], size_t count)
{
  struct party *party = calloc(1, sizeof *party);
  bool good = party != NULL;
  assert(count <= STAGE_DEVICE_LOOKS_MAX);
  if (party == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory to look at brokers");
    return stage_give_up(stage);
  }
  party->stage = stage;
  for (size_t i = 0; i < count && good; i++) {
    good = invite(party, looks[i], false) == 0;
    if (good && looks[i]->control.any) good = invite(party, looks[i], true) == 0;
  }
  enum step_outcome outcome = good ? look_at_once(party) : stage_give_up(stage);
  send_home(party);
  return outcome;
}

const char *stage_address(const struct stage *stage, size_t node, char out[STAGE_ADDRESS_MAX])
{
  const struct broker *broker = stage->nodes[node].broker;
  bool several = stage->scenario->node_count > 1;
  snprintf(out, STAGE_ADDRESS_MAX, "%s%s%.80s port %u%s",
           several ? stage->scenario->nodes[node].name : "", several ? " (" : "",
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
           several ? ")" : "");
  return out;
}
