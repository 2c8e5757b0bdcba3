/* What is done to the broker, and the proof that it happened: after a change the served leaf is
   looked at. */
#define _POSIX_C_SOURCE 200809L
#include "stage/apply.h"

#include <stdio.h>
#include <string.h>

#include "stage/books.h"
#include "stage/callers.h"
#include "stage/expiries.h"
#include "stage/heard.h"
#include "stage/list_looks.h"
#include "stage/list_names.h"
#include "stage/newcomers.h"
#include "stage/nodes.h"
#include "stage/operation.h"
#include "stage/restart.h"
#include "stage/rounds.h"
#include "stage/wait.h"

#define APPLY_WITHIN_MS  70000u /* a hook has 60 s */
#define LAST_WORDS_MS    50u    /* its last acknowledgements still lie in the devices' sockets */
#define PROBE_WITHIN_MS  10000u /* as long as no step says otherwise */
#define OFFICE_WITHIN_MS 20000u
#define STALE_MS         4000u

int stage_wait_node(struct stage *stage, size_t node, broker_operation *begin, uint64_t within_ms)
{
  struct stage_operation *operation = stage_operation_new(stage);
  if (operation == NULL) return -1;
  begin(stage->nodes[node].broker, stage_operation_ended, operation);
  return stage_operation_finish(stage, operation, "what was asked of the broker", within_ms);
}

size_t stage_told_count(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_HOOKED) ? 1 : stage->scenario->node_count;
}

int stage_wait_broker(struct stage *stage, broker_operation *begin, uint64_t within_ms)
{
  for (size_t n = 0; n < stage_told_count(stage); n++)
    if (stage_is_reachable(stage, n) && stage_wait_node(stage, n, begin, within_ms) != 0) return -1;
  return 0;
}

static int presented(struct stage *stage, enum broker_listener listener)
{
  struct stage_operation *operation = stage_operation_new(stage);
  if (operation == NULL) return -1;
  broker_presented(stage->broker, listener, stage_operation_ended, operation);
  return stage_operation_finish(stage, operation, "the hook 'present'", APPLY_WITHIN_MS);
}

/* It is back, or will not be: what it found out may be of the time before, but for a while. */
static bool office_is_settled(struct stage *stage, void *ctx)
{
  const uint64_t *began_ms = ctx;
  if (office_connected(stage->office)) return true;
  return stage->office_gave_up && stage_elapsed_ms(stage) - *began_ms >= STALE_MS;
}

/* mosquitto 2.0.11 was seen to drop what it holds for sessions that are offline when it is reloaded
 * (SIGHUP, clients named by certificate). A reload right after a restart would lose the telemetry
 * that waits for the operator. */
static enum step_outcome await_office(struct stage *stage)
{
  uint64_t began_ms = stage_elapsed_ms(stage);
  if (stage->office == NULL) return STEP_DONE;
  enum stage_waited waited = stage_wait(stage, office_is_settled, &began_ms, OFFICE_WITHIN_MS);
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited == STAGE_REACHED && office_connected(stage->office)) return STEP_DONE;
  error_set(&stage->error, EXIT_CODE_FAIL, "the operator does not come back to the broker%s: %s",
            waited == STAGE_TIMED_OUT ? " within 20 s" : "", stage->office_said);
  return STEP_FAILED;
}

static enum step_outcome fail_chain(struct stage *stage, size_t node, enum broker_listener listener,
                                    const struct stage_seen *seen, bool some, uint64_t within_ms)
{
  const struct broker *broker = stage->nodes[node].broker;
  const struct chain_prints *wanted = &stage->nodes[node].written[listener];
  unsigned served = seen->answered ? chain_prints_served(&seen->broker.chain, wanted) : 0;
  bool told = some && seen->from[0] != '\0';
  char hint[320];
  if (served > 0)
    snprintf(hint, sizeof hint,
             "it sends %u of the %u certificates that lead to the root. Does it install all of %s, "
             "not only the first?",
             served, wanted->count,
             broker_is(broker, BROKER_HOOKED) ? "FLEETSIM_CERT" : "the file");
  else if (stage->nodes[node].served[listener])
    snprintf(hint, sizeof hint, "it did before. What puts another one there?");
  else
    snprintf(hint, sizeof hint, "%s",
             !broker_is(broker, BROKER_HOOKED)
                 ? "was it reloaded?"
                 : "do the hooks install FLEETSIM_CERT and FLEETSIM_KEY, and reload it? If it is "
                   "slower than that, give the step a longer 'within'");
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the broker at %s port %u does not serve the %s after %.3g s%s%s: %s",
            broker_address(broker, listener), broker_port(broker, listener),
            served > 0 ? "whole new chain" : "new certificate", (double) within_ms / 1000,
            told ? " to who comes from " : "", told ? seen->from : "", hint);
  return STEP_FAILED;
}

/* Some looks have seen it, and the others had no answer. */
static enum step_outcome fail_unsure(struct stage *stage, size_t node,
                                     enum broker_listener listener, const struct stage_seen *silent,
                                     uint64_t within_ms)
{
  const struct broker *broker = stage->nodes[node].broker;
  const char *why = silent->broker.why;
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "the broker at %s port %u serves the new certificate to some looks, and others had no "
      "answer within %.3g s (%.160s): is a machine away, or does a limit of connections close "
      "on looks? A longer 'within' has them come more slowly",
      broker_address(broker, listener), broker_port(broker, listener), (double) within_ms / 1000,
      why[0] != '\0' ? why : "no answer");
  return STEP_FAILED;
}

static bool is_mute(const struct stage_seen *seen)
{
  return !seen->answered || seen->broker.chain.count == 0;
}

static bool shows(const struct stage_seen *seen, const void *wanted)
{
  return seen->answered && chain_prints_serve(&seen->broker.chain, wanted);
}

/* Looks at what is served until it is the chain that was written: once, less and less often, as a
 * broker may count who comes, and then with a round, of which every look must say so. Where looks of a
 * round had no answer it begins anew. */
static enum step_outcome await_chain(struct stage *stage, size_t node,
                                     enum broker_listener listener, uint64_t within_ms)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + within_ms, pause_ms = 0;
  struct stage_round round;
  const struct stage_seen *other;
  unsigned right, looks = stage_looks_needed(stage) > 1;
  bool was_right = false;
  for (;;) {
    const struct stage_visitor anybody = {.node = node,
                                          .listener = listener,
                                          .looks = looks,
                                          .timeout_ms = stage_look_until(stage, until_ms)};
    if (stage_round(stage, &anybody, 1, &round) != STEP_DONE) return STEP_ABORTED;
    right = stage_round_right(&round, shows, &stage->nodes[node].written[listener], &other);
    was_right = was_right || right > 0;
    if (other == NULL && looks == 0) return STEP_DONE;
    if (other == NULL) {
      looks = 0;
      continue;
    }
    if (is_mute(other)) looks = stage_looks_needed(stage) > 1;
    if (stage_elapsed_ms(stage) >= until_ms) break;
    if (!stage_pause_longer(stage, &pause_ms, until_ms)) return STEP_ABORTED;
  }
  return was_right && is_mute(other)
             ? fail_unsure(stage, node, listener, other, within_ms)
             : fail_chain(stage, node, listener, other, right > 0, within_ms);
}

/* Every address of a service is looked at by itself, although one set of hooks has changed them
   all. */
static size_t listener_count(const struct stage *stage, enum broker_listener listener)
{
  return listener == BROKER_PROVE ? 1 : stage->scenario->node_count;
}

static enum step_outcome confirm_node(struct stage *stage, size_t node)
{
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    bool *waiting = &stage->nodes[node].waiting[l];
    if (!*waiting || node >= listener_count(stage, (enum broker_listener) l)) continue;
    *waiting = false;
    enum step_outcome outcome =
        await_chain(stage, node, (enum broker_listener) l,
                    stage->broker_ms > 0 ? stage->broker_ms : PROBE_WITHIN_MS);
    if (outcome != STEP_DONE) return outcome;
    stage->nodes[node].served[l] = true;
    if (l == BROKER_MAIN && stage->fleet != NULL)
      fleet_serves(stage->fleet, (int) node, stage->nodes[node].written[BROKER_MAIN].sha256[0]);
  }
  return STEP_DONE;
}

enum step_outcome stage_confirm_served(struct stage *stage, int only)
{
  /* one set of hooks is for all addresses */
  bool all = only < 0 || scenario_broker_is(stage->scenario, BROKER_HOOKED);
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    if (!stage_is_reachable(stage, n) || (!all && n != (size_t) only)) continue;
    enum step_outcome outcome = confirm_node(stage, n);
    if (outcome != STEP_DONE) return outcome;
  }
  return STEP_DONE;
}

enum step_outcome stage_chains_try_again(struct stage *stage)
{
  bool hooked = scenario_broker_is(stage->scenario, BROKER_HOOKED);
  if (!hooked || scenario_wants_some(stage->scenario, "broker.stale_leaf")) return STEP_DONE;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    if (!stage->nodes[n].served[BROKER_MAIN] || !stage_is_reachable(stage, n)) continue;
    enum step_outcome outcome = await_chain(stage, n, BROKER_MAIN, PROBE_WITHIN_MS);
    if (outcome == STEP_FAILED) error_wrap(&stage->error, "at the end of the run");
    if (outcome != STEP_DONE) return outcome;
  }
  return STEP_DONE;
}

/* What is said to all, those that are frozen hear as they thaw. */
static int tell(struct stage *stage, broker_operation *operation, int node)
{
  if (node >= 0) return stage_wait_node(stage, (size_t) node, operation, APPLY_WITHIN_MS);
  for (size_t n = 0; n < stage_told_count(stage); n++) {
    struct stage_node *it = &stage->nodes[n];
    it->untold |= it->frozen;
    it->unrestarted |= it->frozen && operation == broker_restart;
  }
  return stage_wait_broker(stage, operation, APPLY_WITHIN_MS);
}

static enum step_outcome restart(struct stage *stage, int node)
{
  if (broker_is(stage->broker, BROKER_HOOKED)) return stage_restart_elsewhere(stage);
  return tell(stage, broker_restart, node) == 0 ? STEP_DONE : STEP_ABORTED;
}

enum step_outcome stage_broker_apply(struct stage *stage, enum scenario_apply apply, int node)
{
  if (apply == SCENARIO_APPLY_NONE) return STEP_DONE;
  enum step_outcome outcome = STEP_DONE;
  if (apply != SCENARIO_APPLY_RELOAD && broker_is(stage->broker, BROKER_HOOKED))
    stage->restarted_elsewhere = true;
  if (apply == SCENARIO_APPLY_RESTART) outcome = restart(stage, node);
  if (apply == SCENARIO_APPLY_RELOAD && tell(stage, broker_reload, node) != 0)
    outcome = STEP_ABORTED;
  if (outcome == STEP_DONE && apply != SCENARIO_APPLY_HOOK) stage_list_told(stage);
  if (outcome == STEP_DONE) outcome = await_office(stage);
  /* a hook put in force only what it was called for: stage_present looks at that */
  if (outcome != STEP_DONE || apply == SCENARIO_APPLY_HOOK) return outcome;
  outcome = stage_confirm_served(stage, node);
  return outcome == STEP_DONE && node < 0
             ? stage_callers_told(stage, apply == SCENARIO_APPLY_RESTART)
             : outcome;
}

static int write_node_chain(struct stage *stage, size_t node, enum broker_listener listener,
                            const struct pki_chain *chain)
{
  struct stage_node *n = &stage->nodes[node];
  struct broker_pair files = broker_chain_place(n->broker, listener);
  n->own_key[listener] |= chain->own_key[0] != '\0';
  if (pki_write_broker_chain(stage->pki, chain, files.certificate, files.key, &n->written[listener],
                             &stage->error) != 0)
    return -1;
  stage_note_expiries(stage, files.certificate);
  return 0;
}

enum step_outcome stage_broker_crash(struct stage *stage)
{
  if (stage_wait_broker(stage, broker_kill, APPLY_WITHIN_MS) != 0 ||
      !stage_pause(stage, LAST_WORDS_MS))
    return STEP_ABORTED;
  stage_book_risk(stage, true);
  if (stage_wait_broker(stage, broker_start, APPLY_WITHIN_MS) != 0) return STEP_ABORTED;
  enum step_outcome outcome = await_office(stage);
  return outcome == STEP_DONE ? stage_confirm_served(stage, -1) : outcome;
}

static const char *host_of(const struct scenario *scenario, size_t node)
{
  return scenario->server_name[0] != '\0' ? scenario->server_name : scenario->nodes[node].host;
}

void stage_name_hosts(const struct scenario *scenario, struct pki_chain *chain)
{
  size_t also = 0;
  memset(chain->also, 0, sizeof chain->also);
  chain->host = host_of(scenario, 0);
  for (size_t n = 1; n < scenario->node_count; n++)
    if (strcmp(host_of(scenario, n), chain->host) != 0) chain->also[also++] = host_of(scenario, n);
  for (size_t i = 0; i < scenario->name_count; i++) chain->also[also++] = scenario->names[i].name;
}

void stage_forget_own_keys(struct stage *stage)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    for (int l = 0; l < BROKER_LISTENERS; l++) {
      if (!stage->nodes[n].own_key[l]) continue;
      struct broker_pair files =
          broker_chain_place(stage->nodes[n].broker, (enum broker_listener) l);
      struct error error;
      if (files_remove(files.key, &error) == 0) continue;
      stage_clear_terminal(stage);
      fprintf(stderr, "fleetsim: %s\n", error.text);
    }
}

int stage_write_chain(struct stage *stage, enum broker_listener listener,
                      const struct pki_chain *chain)
{
  struct pki_chain full = *chain;
  stage_name_hosts(stage->scenario, &full);
  for (size_t n = 0; n < stage_told_count(stage); n++)
    if (write_node_chain(stage, n, listener, &full) != 0) return -1;
  for (size_t n = stage_told_count(stage); n < stage->scenario->node_count; n++)
    stage->nodes[n].written[listener] = stage->nodes[0].written[listener];
  for (size_t n = 0; n < listener_count(stage, listener); n++) {
    stage->nodes[n].waiting[listener] = true;
    stage->nodes[n].served[listener] = false;
    if (listener == BROKER_MAIN && stage->fleet != NULL)
      fleet_may_serve_another(stage->fleet, (int) n);
  }
  stage->presented[listener] = full;
  if (chain->own[0] != '\0')
    stage_tell_short_chain(stage, broker_chain_place(stage->broker, listener).certificate);
  return 0;
}

enum step_outcome stage_present(struct stage *stage, enum broker_listener listener,
                                const struct pki_chain *chain, enum scenario_apply apply)
{
  if (stage_newcomers_note(stage) != STEP_DONE) return STEP_ABORTED;
  if (stage_write_chain(stage, listener, chain) != 0) return stage_give_up(stage);
  if (presented(stage, listener) != 0) return STEP_ABORTED;
  enum step_outcome outcome = stage_broker_apply(stage, apply, -1);
  return outcome == STEP_DONE && apply == SCENARIO_APPLY_HOOK ? stage_confirm_served(stage, -1)
                                                              : outcome;
}
