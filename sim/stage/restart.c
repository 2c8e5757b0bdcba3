/* The proof that a broker which stands elsewhere was restarted. A hook may end well and do nothing,
 * or forget one of several machines.
 *
 * Before the hook a client of the run's own opens sessions at every address; after it each of them
 * must end, and each that a device or the back office had there, and every address must take
 * connections again. What goes on at an address says that it was not restarted. */
#define _POSIX_C_SOURCE 200809L
#include "stage/restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stage/apply.h"
#include "stage/heard.h"
#include "stage/operation.h"

#define APPLY_WITHIN_MS 70000u /* a hook has 60 s */
#define OPEN_WITHIN_MS  10000u /* one session has 5 s */
#define ENDED_WITHIN_MS 10000u /* the hook may have asked others to restart the broker */
#define BACK_WITHIN_MS  20000u
#define BACK_PAUSE_MS   250u
#define TOLD_WITHIN_MS  200u
#define HELD            8u /* per address: several machines may stand behind it */

struct address {
  struct broker_session *held[HELD];
  bool open[HELD]; /* as the hook began */
  size_t opened, devices;
};

enum { NOWHERE = -1, ELSEWHERE = -2 };

struct watch {
  struct address at[SCENARIO_NODES_MAX];
  uint32_t *before; /* per device: its CONNACKs, where its session is to end; 0: it had none */
  int office;       /* the address at which it had a session, .. */
  unsigned losses;  /* .. and had lost so many */
};

/* --- Before ----------------------------------------------------------------------------------- */

/* The first has its certificate's name for an id, as some brokers want it. */
static void hold_all(struct stage *stage, struct watch *watch, size_t node, const char *certificate,
                     const char *key)
{
  char id[sizeof PKI_PROBE_NAME + 4];
  for (size_t i = 0; i < HELD; i++) {
    snprintf(id, sizeof id, i == 0 ? "%s" : "%s-%zu", PKI_PROBE_NAME, i);
    watch->at[node].held[i] =
        broker_hold(stage->nodes[node].broker, &(struct broker_client){id, certificate, key});
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
  bool any = false, tried[SCENARIO_NODES_MAX] = {false};
  unsigned losses = stage->office_losses;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    struct address *at = &watch->at[n];
    if (count_held(at, BROKER_SESSION_OPEN) > 0 || count_held(at, BROKER_SESSION_REFUSED) == 0)
      continue;
    let_go(at);
    hold_all(stage, watch, n, stage->operator_certificate, stage->operator_key);
    any = tried[n] = true;
  }
  if (!any) return true;
  if (stage_wait(stage, are_settled, watch, OPEN_WITHIN_MS) == STAGE_ABORTED ||
      !stage_pause(stage, TOLD_WITHIN_MS))
    return false;
  stage_collect(stage);
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (tried[n] && stage->office_losses != losses) let_go(&watch->at[n]);
  return true;
}

static enum step_outcome open_all(struct stage *stage, struct watch *watch)
{
  struct broker_pair files = broker_probe_place(stage->broker);
  if (pki_write_office_probe(stage->pki, files.certificate, files.key, &stage->error) != 0)
    return stage_give_up(stage);
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    hold_all(stage, watch, n, files.certificate, files.key);
  enum stage_waited waited = stage_wait(stage, are_settled, watch, OPEN_WITHIN_MS);
  (void) unlink(files.key);
  (void) unlink(files.certificate);
  if (waited == STAGE_ABORTED || !hold_as_operator(stage, watch)) return STEP_ABORTED;
  return STEP_DONE;
}

/* Of several addresses the last one is its home; where it is instead it does not tell. */
static int office_node(const struct stage *stage)
{
  int last = (int) stage->scenario->node_count - 1;
  if (!office_connected(stage->office)) return NOWHERE;
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
              " and %zu of %zu of devices are open there still",
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
static enum step_outcome await_back(struct stage *stage, size_t node)
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
  error_set(&stage->error, EXIT_CODE_FAIL, "the broker did not come back within %u s: %.300s",
            BACK_WITHIN_MS / 1000, error.text);
  return STEP_FAILED;
}

static enum step_outcome prove(struct stage *stage, struct watch *watch)
{
  enum stage_waited waited = stage_wait(stage, every_session_ended, watch, ENDED_WITHIN_MS);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited != STAGE_REACHED) return fail_open(stage, watch);
  note_unseen(stage, watch);
  enum step_outcome outcome = STEP_DONE;
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
    outcome = await_back(stage, n);
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
  free(watch.before);
  return outcome;
}
