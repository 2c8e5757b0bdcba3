/* The proof that a broker which stands elsewhere was restarted. A hook may end well and do nothing,
 * forget one of several machines, or leave one behind that nobody can use.
 *
 * Before the hook a client of the run's own opens sessions at every address; after it each of them
 * must end, and each that a device or the back office had there, and every address must let that
 * client in again, with a certificate that devices take, and devices as it did before. What goes on
 * at an address says that it was not restarted; what keeps the client out is named as a device
 * would. */
#define _POSIX_C_SOURCE 200809L
#include "stage/restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/apply.h"
#include "stage/callers.h"
#include "stage/entrants.h"
#include "stage/heard.h"
#include "stage/logins.h"
#include "stage/looks.h"
#include "stage/operation.h"
#include "stage/quantities.h"
#include "stage/rounds.h"

#define APPLY_WITHIN_MS 70000u /* a hook has 60 s */
#define SETTLE_MS       5000u  /* until what has not opened in its time is closed */
#define ENDED_WITHIN_MS 10000u /* the hook may have asked others to restart the broker */
#define BACK_WITHIN_MS  20000u
#define BACK_PAUSE_MS   250u
#define VERDICT_MS      5000u /* what is said of a certificate for so long will be said again */
#define TOLD_WITHIN_MS  200u
#define HELD            8u /* per address: several machines may stand behind it */

struct address {
  struct broker_session *held[HELD];
  bool open[HELD]; /* as the hook began */
  size_t opened, devices;
  bool as_operator; /* it does not know the probe */
  bool trusted;     /* by devices, and so it must be again */
};

enum { NOWHERE = -1, ELSEWHERE = -2 };

struct watch {
  struct broker_pair probe;
  struct stage_entrants entrants;
  char devices_ca[FILES_PATH_MAX]; /* what devices trust brokers by */
  struct address at[SCENARIO_NODES_MAX];
  uint32_t *before; /* per device: its CONNACKs, where its session is to end; 0: it had none */
  int office;       /* the address at which it had a session, .. */
  unsigned losses;  /* .. and had lost so many */
};

/* --- Before ----------------------------------------------------------------------------------- */

static const char *shown(const char *path)
{
  return path[0] != '\0' ? path : NULL;
}

/* Where the broker does not know the probe, as the operator. */
static struct broker_client come_as(const struct stage *stage, const struct watch *watch,
                                    const struct address *at)
{
  if (!at->as_operator)
    return (struct broker_client){.client_id = PKI_PROBE_NAME,
                                  .certificate_path = watch->probe.certificate,
                                  .key_path = watch->probe.key};
  return (struct broker_client){.client_id = PKI_PROBE_NAME,
                                .certificate_path = shown(stage->operator_certificate),
                                .key_path = shown(stage->operator_key),
                                .login = stage_operator_login(stage)};
}

/* The first has its certificate's name for an id, as some brokers want it. */
static void hold_all(struct stage *stage, struct watch *watch, size_t node)
{
  const struct address *at = &watch->at[node];
  char id[STAGE_PROBE_ID], room[STAGE_LOOK_FROM];
  for (size_t i = 0; i < HELD; i++) {
    stage_probe_id(stage, i == 0, id);
    struct broker_client client = come_as(stage, watch, at);
    client.client_id = id;
    client.timeout_ms = (uint32_t) stage_look_ms(stage);
    client.from = stage_look_from(stage, (unsigned) i, room);
    watch->at[node].held[i] = broker_hold(stage->nodes[node].broker, &client);
  }
}

static void let_go(struct address *at)
{
  for (size_t i = 0; i < HELD; i++) {
    if (at->held[i] != NULL) broker_let_go(at->held[i]);
    at->held[i] = NULL;
  }
}

static bool are_settled(struct stage *stage, void *ctx)
{
  const struct watch *watch = ctx;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    for (size_t i = 0; i < HELD; i++)
      if (watch->at[n].held[i] != NULL &&
          broker_held(watch->at[n].held[i]) == BROKER_SESSION_OPENING)
        return false;
  return true;
}

/* A session has as long as a look. */
static enum stage_waited await_settled(struct stage *stage, struct watch *watch)
{
  return stage_wait(stage, are_settled, watch, stage_look_ms(stage) + SETTLE_MS);
}

static size_t count_held(const struct address *at, enum broker_session_state state)
{
  size_t n = 0;
  for (size_t i = 0; i < HELD; i++) n += at->held[i] != NULL && broker_held(at->held[i]) == state;
  return n;
}

/* The broker does not know the client, so it comes as the operator, under an id of its own. Where
 * the certificate decides on the id that would throw the operator out: then nothing is held. */
static bool hold_as_operator(struct stage *stage, struct watch *watch)
{
  if (stage->office == NULL) return true; /* the broker knows no operator either */
  bool any = false, tried[SCENARIO_NODES_MAX] = {false};
  unsigned losses = stage->office_losses;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    struct address *at = &watch->at[n];
    if (count_held(at, BROKER_SESSION_OPEN) > 0 || count_held(at, BROKER_SESSION_REFUSED) == 0)
      continue;
    let_go(at);
    any = tried[n] = at->as_operator = true;
    hold_all(stage, watch, n);
  }
  if (!any) return true;
  if (await_settled(stage, watch) == STAGE_ABORTED || !stage_pause(stage, TOLD_WITHIN_MS))
    return false;
  stage_collect(stage);
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (tried[n] && stage->office_losses != losses) {
      let_go(&watch->at[n]);
      watch->at[n].as_operator = false;
    }
  return true;
}

/* --- What is served --------------------------------------------------------------------------- */

/* Every root that some device trusts brokers by. */
static int write_devices_ca(struct stage *stage, struct watch *watch)
{
  struct pki_roots trusted = {.count = 0};
  const struct pki_roots *all = pki_roots(stage->pki);
  for (size_t r = 0; r < all->count; r++)
    for (size_t d = 0; d < fleet_size(stage->fleet); d++)
      if (stage_version_has(stage, fleet_facts(stage->fleet, d)->trust_version, all->name[r])) {
        memcpy(trusted.name[trusted.count++], all->name[r], sizeof all->name[r]);
        break;
      }
  broker_place(stage->broker, BROKER_PROBE_CA, watch->devices_ca);
  return pki_write_client_ca(stage->pki, &trusted, watch->devices_ca, &stage->error);
}

/* A chain was presented at this address, and the proof that it is served was had or is to come. */
static bool is_presented(const struct stage *stage, size_t node)
{
  return stage->nodes[node].written[BROKER_MAIN].count > 0;
}

/* What a rehearsal has presented devices may refuse by its plan: the fleet's roots are enough. */
static const char *ca_of(const struct stage *stage, const struct watch *watch, size_t node)
{
  return is_presented(stage, node) ? stage->operator_ca : watch->devices_ca;
}

/* A round, or one look, as who was let in there, or as the probe. */
static enum step_outcome look(struct stage *stage, const struct watch *watch, size_t node,
                              const char *ca, bool glance, uint64_t timeout_ms,
                              struct stage_round *out)
{
  struct broker_pair files = watch->probe;
  struct stage_visitor visitor = {.node = node,
                                  .files = &files,
                                  .by_own_name = true,
                                  .looks = glance,
                                  .ca = ca,
                                  .timeout_ms = timeout_ms};
  if (watch->at[node].as_operator) {
    memcpy(files.certificate, stage->operator_certificate, sizeof files.certificate);
    memcpy(files.key, stage->operator_key, sizeof files.key);
    visitor.login = stage_operator_login(stage);
    visitor.bare = stage->operator_certificate[0] == '\0';
  }
  return stage_round(stage, &visitor, 1, out);
}

static bool is_verdict_of_ours(enum device_failure failure)
{
  return failure >= DEVICE_FAIL_VERDICT_FIRST && failure < DEVICE_FAIL_ALERT_FIRST;
}

static bool is_trusted(const struct stage_seen *seen, const void *ctx)
{
  (void) ctx;
  return !is_verdict_of_ours(seen->broker.failure);
}

/* An address at which nobody can trust the broker before the hook need not be better after it. Looked
   at before sessions are held: the looks have their ids. */
static enum step_outcome note_trusted(struct stage *stage, struct watch *watch)
{
  enum step_outcome outcome = STEP_DONE;
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++) {
    struct stage_round round;
    const struct stage_seen *untrusted;
    outcome = look(stage, watch, n, ca_of(stage, watch, n), false, stage_look_ms(stage), &round);
    (void) stage_round_right(&round, is_trusted, NULL, &untrusted);
    watch->at[n].trusted = untrusted == NULL;
  }
  return outcome;
}

static enum step_outcome open_all(struct stage *stage, struct watch *watch)
{
  watch->probe = broker_probe_place(stage->broker);
  if (pki_write_office_probe(stage->pki, watch->probe.certificate, watch->probe.key,
                             &stage->error) != 0 ||
      write_devices_ca(stage, watch) != 0)
    return stage_give_up(stage);
  if (note_trusted(stage, watch) != STEP_DONE ||
      stage_entrants_look(stage, &watch->entrants) != STEP_DONE)
    return STEP_ABORTED;
  for (size_t n = 0; n < stage->scenario->node_count; n++) hold_all(stage, watch, n);
  enum stage_waited waited = await_settled(stage, watch);
  if (waited == STAGE_ABORTED || !hold_as_operator(stage, watch)) return STEP_ABORTED;
  return STEP_DONE;
}

/* Of several addresses the last one is its home; where it is instead it does not tell. */
static int office_node(const struct stage *stage)
{
  int last = (int) stage->scenario->node_count - 1;
  bool apart = stage->scenario->operator.host[0] != '\0'; /* what ends there is another's */
  if (apart || stage->office == NULL || !office_connected(stage->office)) return NOWHERE;
  return last == 0 || office_is_home(stage->office) ? last : ELSEWHERE;
}

/* What is open as the hook begins. */
static void note_open(struct stage *stage, struct watch *watch)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    for (size_t i = 0; i < HELD; i++) {
      struct address *at = &watch->at[n];
      at->open[i] = at->held[i] != NULL && broker_held(at->held[i]) == BROKER_SESSION_OPEN;
      at->opened += at->open[i];
    }
  for (size_t d = 0; d < fleet_size(stage->fleet); d++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, d);
    bool here = facts->online && facts->node >= 0 &&
                (size_t) facts->node < stage->scenario->node_count &&
                fleet_would_tell(stage->fleet, d);
    if (!here) continue;
    watch->before[d] = facts->connects;
    watch->at[facts->node].devices++;
  }
  stage_collect(stage);
  watch->losses = stage->office_losses;
  watch->office = office_node(stage);
}

/* --- After ------------------------------------------------------------------------------------ */

static size_t held_still(const struct address *at)
{
  size_t n = 0;
  for (size_t i = 0; i < HELD; i++)
    n += at->open[i] && broker_held(at->held[i]) == BROKER_SESSION_OPEN;
  return n;
}

static size_t devices_still(const struct stage *stage, const struct watch *watch, size_t node)
{
  size_t n = 0;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, d);
    n += watch->before[d] != 0 && facts->online && facts->connects == watch->before[d] &&
         (size_t) facts->node == node && fleet_would_tell(stage->fleet, d);
  }
  return n;
}

static bool office_stays(const struct stage *stage, const struct watch *watch)
{
  return watch->office != NOWHERE && stage->office_losses == watch->losses;
}

static bool every_session_ended(struct stage *stage, void *ctx)
{
  const struct watch *watch = ctx;
  stage_collect(stage);
  bool ended = !office_stays(stage, watch);
  for (size_t n = 0; n < stage->scenario->node_count && ended; n++)
    ended = held_still(&watch->at[n]) == 0 && devices_still(stage, watch, n) == 0;
  return ended;
}

static enum step_outcome fail_open(struct stage *stage, const struct watch *watch)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    const struct broker *broker = stage->nodes[n].broker;
    size_t held = held_still(&watch->at[n]), devices = devices_still(stage, watch, n);
    if (held == 0 && devices == 0) continue;
    error_set(&stage->error, EXIT_CODE_FAIL,
              "the hook 'restart' has ended, and the broker at %s port %u was not restarted: after "
              "%u s %zu of %zu sessions of " PKI_PROBE_NAME
              " and %zu of %zu of devices are open there still. Does it restart every machine, and "
              "wait until that is done?",
              broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
              ENDED_WITHIN_MS / 1000, held, watch->at[n].opened, devices, watch->at[n].devices);
    return STEP_FAILED;
  }
  char where[160] = "";
  if (watch->office >= 0 && stage->scenario->node_count > 1)
    snprintf(where, sizeof where, " at %.100s port %u",
             broker_address(stage->nodes[watch->office].broker, BROKER_MAIN),
             broker_port(stage->nodes[watch->office].broker, BROKER_MAIN));
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "the hook 'restart' has ended, and the operator's session has not: the broker%s was not "
      "restarted",
      where);
  return STEP_FAILED;
}

static void note_unseen(struct stage *stage, const struct watch *watch)
{
  char note[256];
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    const struct broker *broker = stage->nodes[n].broker;
    if (watch->at[n].opened > 0 || watch->at[n].devices > 0 || watch->office == (int) n ||
        count_held(&watch->at[n], BROKER_SESSION_UNREACHED) == HELD)
      continue;
    snprintf(
        note, sizeof note,
        "whether the broker at %.100s port %u was restarted was not seen: no device was connected "
        "there, and it does not let " PKI_PROBE_NAME " in",
        broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN));
    stage_say(stage, note);
  }
}

/* A broker that was stopped and not started has ended its sessions, too. */
static enum step_outcome await_reach(struct stage *stage, size_t node)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + BACK_WITHIN_MS;
  struct error error = {0};
  do {
    struct stage_operation *operation = stage_operation_new(stage);
    if (operation == NULL) return STEP_ABORTED;
    broker_start(stage->nodes[node].broker, stage_operation_ended, operation);
    enum stage_waited waited = stage_operation_await(stage, operation, BACK_WITHIN_MS);
    bool back = operation->ended && !operation->failed;
    if (operation->failed) error = operation->error;
    stage_operation_free(stage, operation);
    if (waited == STAGE_ABORTED) return STEP_ABORTED;
    if (back) return STEP_DONE;
    if (!stage_pause(stage, BACK_PAUSE_MS)) return STEP_ABORTED;
  } while (stage_elapsed_ms(stage) < until_ms);
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the broker did not come back within %u s: %.300s. The hook 'restart' should not end "
            "before the "
            "broker is up again",
            BACK_WITHIN_MS / 1000, error.text);
  return STEP_FAILED;
}

/* One that must be back. */
struct return_of {
  const struct address *at;
  const struct stage_node *node;
  bool presented;
};

/* A chain that waits to be in force is looked at afterwards, for as long as its step may take. */
static bool serves_as_it_should(const struct return_of *back, const struct broker_seen *seen)
{
  return !back->presented || back->node->waiting[BROKER_MAIN] ||
         chain_prints_serve(&seen->chain, &back->node->written[BROKER_MAIN]);
}

/* Whether who comes under such an id was let in before. */
static bool was_in(const struct address *at, bool by_own_name)
{
  bool others = false;
  for (size_t i = 1; i < HELD; i++) others = others || at->open[i];
  return by_own_name ? at->open[0] : others;
}

/* Who was not let in before need not be now: but there must be somebody who says so in TLS. Where
   the certificate was taken under another id only, TLS must take it. */
static bool answers_as_it_should(const struct address *at, bool by_own_name,
                                 const struct broker_seen *seen)
{
  if (was_in(at, by_own_name)) return seen->failure == DEVICE_FAIL_NONE;
  if (at->opened > 0) return seen->takes;
  return seen->chain.count > 0 && !is_verdict_of_ours(seen->failure);
}

static bool is_back(const struct stage_seen *seen, const void *ctx)
{
  const struct return_of *back = ctx;
  return answers_as_it_should(back->at, seen->by_own_name, &seen->broker) &&
         serves_as_it_should(back, &seen->broker);
}

static enum step_outcome fail_back(struct stage *stage, const struct watch *watch, size_t node,
                                   bool some, const struct stage_seen *wrong, uint64_t after_ms)
{
  const struct broker *broker = stage->nodes[node].broker;
  const char *from = some ? wrong->from : "";
  bool told = from[0] != '\0';
  char where[160];
  snprintf(where, sizeof where, "%.80s port %u%s%s%s", broker_address(broker, BROKER_MAIN),
           broker_port(broker, BROKER_MAIN), told ? " (to who comes from " : "", from,
           told ? ")" : "");
  if (answers_as_it_should(&watch->at[node], wrong->by_own_name, &wrong->broker))
    error_set(&stage->error, EXIT_CODE_FAIL,
              "the hook 'restart' has ended, and after %.0f s the broker at %s serves another "
              "certificate than the one that was presented: does a restart put an older one back?",
              (double) after_ms / 1000, where);
  else
    error_set(&stage->error, EXIT_CODE_FAIL,
              "the hook 'restart' has ended, and after %.0f s the broker at %s is not back as it "
              "was: %s: %s. Does the hook start every machine again, with a certificate that "
              "devices trust?",
              (double) after_ms / 1000, where, device_failure_name(wrong->broker.failure),
              device_failure_sentence(wrong->broker.failure));
  return STEP_FAILED;
}

/* As a device would come back: what gives a TCP connection may be a proxy with nobody behind it. One look
   until it is right, ever later, as a proxy may count who comes, then a round. */
static enum step_outcome await_back(struct stage *stage, const struct watch *watch, size_t node)
{
  const struct return_of back = {&watch->at[node], &stage->nodes[node], is_presented(stage, node)};
  bool verifies = back.at->trusted && !back.node->waiting[BROKER_MAIN], glance = true;
  const char *ca = verifies ? ca_of(stage, watch, node) : NULL;
  uint64_t began_ms = stage_elapsed_ms(stage), since_ms = began_ms, now_ms, pause_ms = 0;
  uint64_t until_ms = began_ms + BACK_WITHIN_MS, over_ms;
  struct stage_round round;
  const struct stage_seen *wrong, *untrusted;
  unsigned right;
  for (;;) {
    uint64_t timeout_ms = stage_look_until(stage, until_ms);
    if (look(stage, watch, node, ca, glance, timeout_ms, &round) != STEP_DONE) return STEP_ABORTED;
    now_ms = stage_elapsed_ms(stage);
    right = stage_round_right(&round, is_back, &back, &wrong);
    if (wrong == NULL && !glance) return STEP_DONE;
    glance = glance && wrong != NULL;
    if (wrong == NULL) continue;
    (void) stage_round_right(&round, is_trusted, NULL, &untrusted);
    if (untrusted == NULL) since_ms = now_ms;
    over_ms = since_ms + VERDICT_MS < until_ms ? since_ms + VERDICT_MS : until_ms;
    if (now_ms >= over_ms) break;
    if (!stage_pause_longer(stage, &pause_ms, over_ms)) return STEP_ABORTED;
  }
  return fail_back(stage, watch, node, right > 0, wrong, now_ms - began_ms);
}

static enum step_outcome prove(struct stage *stage, struct watch *watch)
{
  enum stage_waited waited = stage_wait(stage, every_session_ended, watch, ENDED_WITHIN_MS);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited != STAGE_REACHED) return fail_open(stage, watch);
  note_unseen(stage, watch);
  enum step_outcome outcome = STEP_DONE;
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++) {
    outcome = await_reach(stage, n);
    if (outcome == STEP_DONE) outcome = await_back(stage, watch, n);
  }
  if (outcome == STEP_DONE) outcome = stage_entrants_return(stage, &watch->entrants);
  if (outcome == STEP_DONE) outcome = stage_callers_try_again(stage, "after the restart");
  return outcome;
}

enum step_outcome stage_restart_elsewhere(struct stage *stage)
{
  struct watch watch = {.before = calloc(fleet_size(stage->fleet) + 1, sizeof *watch.before)};
  if (watch.before == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    return stage_give_up(stage);
  }
  enum step_outcome outcome = open_all(stage, &watch);
  if (outcome == STEP_DONE) {
    note_open(stage, &watch);
    if (stage_wait_broker(stage, broker_restart, APPLY_WITHIN_MS) != 0) outcome = STEP_ABORTED;
  }
  if (outcome == STEP_DONE) outcome = prove(stage, &watch);
  for (size_t n = 0; n < stage->scenario->node_count; n++) let_go(&watch.at[n]);
  (void) unlink(watch.probe.key);
  (void) unlink(watch.probe.certificate);
  (void) unlink(watch.devices_ca);
  free(watch.before);
  return outcome;
}
