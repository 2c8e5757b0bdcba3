/* A look as a device is TLS with its certificate and CONNECT under an id of our own, so that its
 * session is left alone; CONNACK 0 is in, and so is one that refuses our id only. Where the broker
 * takes ids from certificates the look that is let in ends the session: seen once, it is known of the
 * address. */
#define _POSIX_C_SOURCE 200809L
#include "stage/device_looks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/device_names.h"
#include "stage/logins.h"
#include "stage/wait.h"

#define LOOK_MIN_MS    5000u
#define LOOK_MAX_MS    60000u
#define TOLD_WITHIN_MS 200u

/* A machine that devices wait for is waited for. */
static uint32_t look_ms(const struct stage *stage)
{
  const struct device_profile *profile = &stage->scenario->device;
  uint64_t ms = (uint64_t) profile->tcp_timeout_ms + profile->handshake_timeout_ms +
                profile->connack_timeout_ms;
  return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : (uint32_t) ms;
}

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
  return seen->answered && seen->broker.certificates > 0;
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
  entry->closed = entry->closed && out;
}

/* Who was kept out by CONNACK must be surpassed there; who was kept out by TLS, in TLS. */
struct mark {
  bool by_connack;
};

static bool gets_further(const struct stage_seen *look, const void *ctx)
{
  const struct mark *mark = ctx;
  const struct broker_seen *seen = &look->broker;
  bool in = seen->failure == DEVICE_FAIL_NONE || is_by_tls(seen);
  return is_answered(look) && seen->takes && (!mark->by_connack || in);
}

static void compare(struct stage_entry *entry, const struct stage_round *listed,
                    const struct stage_round *control)
{
  const struct stage_seen *alike;
  struct mark mark = {.by_connack = false};
  for (unsigned i = 0; i < listed->count; i++)
    mark.by_connack = mark.by_connack || listed->look[i].broker.takes;
  (void) stage_round_right(control, gets_further, &mark, &alike);
  entry->apart = alike == NULL;
  if (alike != NULL && is_answered(alike)) entry->alike = alike->broker.failure;
}

/* --- Whose session it ends -------------------------------------------------------------------- */

/* The session of a device as it is about to be looked at. */
struct session {
  bool watched;
  size_t device;
  uint32_t connects;
};

static struct session session_of(const struct stage *stage, size_t device)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  return (struct session){facts->online, device, facts->connects};
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

/* Waits until the end of a session would have been told, if it is not known of the address. */
static enum step_outcome note_end(struct stage *stage, size_t node, const struct session *session,
                                  const struct stage_round *round, bool *ended)
{
  enum stage_look_ids *ids = &stage->nodes[node].look_ids;
  const struct stage_seen *other;
  bool in = stage_round_right(round, was_let_in, NULL, &other) > 0;
  *ended = false;
  if (!in || !session->watched || *ids == STAGE_IDS_OURS) return STEP_DONE;
  if (!stage_pause(stage, TOLD_WITHIN_MS)) return STEP_ABORTED;
  *ended = session_ended(stage, session);
  if (*ended) say_ended(stage, node, session);
  if (*ids == STAGE_IDS_UNKNOWN) *ids = *ended ? STAGE_IDS_OF_CERTIFICATES : STAGE_IDS_OURS;
  return STEP_DONE;
}

/* --- The looks -------------------------------------------------------------------------------- */

static enum step_outcome look_beside(struct stage *stage, size_t node,
                                     const struct stage_visitor visitors[2],
                                     const struct stage_control *control, struct stage_entry *entry)
{
  struct stage_round round[STAGE_VISITORS_MAX];
  size_t device = visitors[0].device;
  struct session own = session_of(stage, device), other = {.watched = false};
  bool ended = false;
  if (control->any && !control->nobodys) other = session_of(stage, control->as.device);
  fleet_look_opens(stage->fleet, device);
  enum step_outcome outcome = stage_round(stage, node, visitors, control->any ? 2 : 1, round);
  *entry = (struct stage_entry){.closed = true};
  for (unsigned i = 0; i < round[0].count; i++) count_answer(entry, &round[0].look[i]);
  if (control->any) compare(entry, &round[0], &round[1]);
  /* the control first: nobody but a look ends its session */
  if (outcome == STEP_DONE && control->any)
    outcome = note_end(stage, node, &other, &round[1], &ended);
  if (outcome == STEP_DONE) outcome = note_end(stage, node, &own, &round[0], &entry->ended);
  fleet_look_closes(stage->fleet, device, entry->ended);
  return outcome;
}

static void remove_files(const struct broker_pair *files)
{
  (void) unlink(files->key);
  (void) unlink(files->certificate);
}

enum step_outcome stage_look_as_device(struct stage *stage, size_t node,
                                       const struct stage_stand_in *stand_in,
                                       const struct stage_control *control,
                                       struct stage_entry *entry)
{
  const struct stage_control nobody = {.any = false};
  struct broker_pair files = broker_device_place(stage->broker);
  struct broker_pair beside = broker_probe_place(stage->broker);
  struct stage_visitor visitors[STAGE_VISITORS_MAX] = {{.files = &files,
                                                        .as_device = true,
                                                        .device = stand_in->device,
                                                        .timeout_ms = look_ms(stage)}};
  if (control == NULL) control = &nobody;
  visitors[0].bare = stage->scenario->device.no_certificate;
  visitors[0].login = stage_login(stage, stand_in->device);
  visitors[1] = visitors[0];
  visitors[1].files = &beside;
  visitors[1].id = STAGE_ROUND_MAX;
  visitors[1].login = control->any && !control->nobodys ? stage_login(stage, control->as.device)
                                                        : (struct login){NULL, NULL};
  bool written =
      pki_write_device_with(stage->pki, stand_in->device, stand_in->chain, stand_in->size,
                            files.certificate, files.key, &stage->error) == 0 &&
      (!control->any || stage_control_write(stage, control, &beside) == 0);
  enum step_outcome outcome =
      written ? look_beside(stage, node, visitors, control, entry) : stage_give_up(stage);
  remove_files(&files);
  if (control->any) remove_files(&beside);
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
