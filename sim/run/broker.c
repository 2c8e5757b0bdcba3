/* What is done to the broker, and the proof that it happened: after a change the served leaf is
   looked at. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "run/operation.h"

#define APPLY_WITHIN_MS  70000u /* a hook has 60 s */
#define LAST_WORDS_MS    50u    /* its last acknowledgements still lie in the devices' sockets */
#define PROBE_WITHIN_MS  10000u /* one look, and as long as no step says otherwise */
#define OFFICE_WITHIN_MS 20000u
#define HOOK_ENDED_MS    10000u /* it may have asked others to restart the broker */
#define PROBE_PAUSE_MS   100u
#define REMOTE_LOOKS     8u

int run_wait_node(struct run *run, size_t node, broker_operation *begin, uint64_t within_ms)
{
  struct run_operation *operation = run_operation_new(run);
  if (operation == NULL) return -1;
  begin(run->nodes[node].broker, run_operation_ended, operation);
  return run_operation_finish(run, operation, "what was asked of the broker", within_ms);
}

/* What brokers stand elsewhere is one service behind one set of hooks. */
static size_t node_count(const struct run *run)
{
  return run->scenario->remote ? 1 : run->scenario->node_count;
}

int run_wait_broker(struct run *run, broker_operation *begin, uint64_t within_ms)
{
  for (size_t n = 0; n < node_count(run); n++)
    if (run_is_reachable(run, n) && run_wait_node(run, n, begin, within_ms) != 0) return -1;
  return 0;
}

static int presented(struct run *run, enum broker_listener listener)
{
  struct run_operation *operation = run_operation_new(run);
  if (operation == NULL) return -1;
  broker_presented(run->broker, listener, run_operation_ended, operation);
  return run_operation_finish(run, operation, "the hook 'present'", APPLY_WITHIN_MS);
}

static bool office_is_back(struct run *run, void *ctx)
{
  (void) ctx;
  return office_connected(run->office);
}

/* mosquitto 2.0.11 was seen to drop what it holds for sessions that are offline when it is reloaded
 * (SIGHUP, clients named by certificate). A reload right after a restart would lose the telemetry
 * that waits for the operator. */
static enum step_outcome await_office(struct run *run)
{
  enum run_waited waited = run_wait(run, office_is_back, NULL, OFFICE_WITHIN_MS);
  if (waited == RUN_REACHED) return STEP_DONE;
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  error_set(&run->error, EXIT_CODE_FAIL,
            "the operator did not come back within %u s of the broker's restart: %s",
            OFFICE_WITHIN_MS / 1000, run->office_said);
  return STEP_FAILED;
}

/* What a broker that stands elsewhere presents may come from several machines behind one
   address. */
static unsigned looks_needed(const struct run *run)
{
  return run->scenario->remote ? REMOTE_LOOKS : 1;
}

/* Looks at what is served until it is the leaf that was written, at every look in a row. */
static enum step_outcome await_leaf(struct run *run, size_t node, enum broker_listener listener)
{
  struct broker *broker = run->nodes[node].broker;
  uint64_t within_ms = run->broker_ms > 0 ? run->broker_ms : PROBE_WITHIN_MS;
  uint64_t until_ms = run_elapsed_ms(run) + within_ms;
  unsigned seen = 0;
  /* looks that are right are looked at to the end */
  while (seen > 0 || run_elapsed_ms(run) < until_ms) {
    struct run_operation *operation = run_operation_new(run);
    if (operation == NULL) return STEP_ABORTED;
    broker_probe(broker, listener, run_operation_seen, operation);
    enum run_waited waited = run_operation_await(run, operation, PROBE_WITHIN_MS);
    bool served =
        operation->ended && !operation->failed &&
        memcmp(operation->seen.fingerprint, run->nodes[node].fingerprint[listener], 32) == 0;
    run_operation_free(run, operation);
    if (waited == RUN_ABORTED) return STEP_ABORTED;
    seen = served ? seen + 1 : 0;
    if (seen == looks_needed(run)) return STEP_DONE;
    if (!served && !run_pause(run, PROBE_PAUSE_MS)) return STEP_ABORTED;
  }
  error_set(
      &run->error, EXIT_CODE_FAIL,
      "the broker at %s port %u does not serve the new certificate after %.3g s: %s",
      broker_address(broker, listener), broker_port(broker, listener), (double) within_ms / 1000,
      broker_is_local(broker) ? "was it reloaded?"
                              : "do the hooks install FLEETSIM_CERT and FLEETSIM_KEY, and reload "
                                "it? If it is slower than that, give the step a longer 'within'");
  return STEP_FAILED;
}

/* Every address of a service is looked at by itself, although one set of hooks has changed them
   all. */
static size_t listener_count(const struct run *run, enum broker_listener listener)
{
  return listener == BROKER_PROVE ? 1 : run->scenario->node_count;
}

static enum step_outcome confirm_node(struct run *run, size_t node)
{
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    bool *waiting = &run->nodes[node].waiting[l];
    if (!*waiting || node >= listener_count(run, (enum broker_listener) l)) continue;
    *waiting = false;
    enum step_outcome outcome = await_leaf(run, node, (enum broker_listener) l);
    if (outcome != STEP_DONE) return outcome;
    if (l == BROKER_MAIN && run->fleet != NULL)
      fleet_serves(run->fleet, (int) node, run->nodes[node].fingerprint[BROKER_MAIN]);
  }
  return STEP_DONE;
}

enum step_outcome run_confirm_served(struct run *run, int only)
{
  bool all = only < 0 || run->scenario->remote; /* one set of hooks for all addresses */
  for (size_t n = 0; n < run->scenario->node_count; n++) {
    if (!run_is_reachable(run, n) || (!all && n != (size_t) only)) continue;
    enum step_outcome outcome = confirm_node(run, n);
    if (outcome != STEP_DONE) return outcome;
  }
  return STEP_DONE;
}

static int tell(struct run *run, broker_operation *operation, int node)
{
  if (node < 0) return run_wait_broker(run, operation, APPLY_WITHIN_MS);
  return run_wait_node(run, (size_t) node, operation, APPLY_WITHIN_MS);
}

static bool office_has_lost(struct run *run, void *ctx)
{
  run_collect(run);
  return run->office_losses > *(const unsigned *) ctx;
}

/* A hook may end well and do nothing; a restart ends every session, that of the back office too.
 * One that was away as the hook began has none that could end. */
static enum step_outcome restart(struct run *run, int node)
{
  run_collect(run);
  unsigned losses = run->office_losses;
  bool tells = run->scenario->remote && office_connected(run->office);
  if (tell(run, broker_restart, node) != 0) return STEP_ABORTED;
  enum run_waited waited =
      tells ? run_wait(run, office_has_lost, &losses, HOOK_ENDED_MS) : RUN_REACHED;
  if (waited == RUN_REACHED) return STEP_DONE;
  if (waited == RUN_ABORTED) return STEP_ABORTED;
  error_set(&run->error, EXIT_CODE_FAIL,
            "the hook 'restart' has ended, and the operator's session has not: the broker was not "
            "restarted");
  return STEP_FAILED;
}

enum step_outcome run_broker_apply(struct run *run, enum scenario_apply apply, int node)
{
  if (apply == SCENARIO_APPLY_NONE) return STEP_DONE;
  enum step_outcome outcome = STEP_DONE;
  if (apply == SCENARIO_APPLY_RESTART) outcome = restart(run, node);
  if (apply == SCENARIO_APPLY_RELOAD && tell(run, broker_reload, node) != 0) outcome = STEP_ABORTED;
  if (outcome == STEP_DONE) outcome = await_office(run);
  /* a hook put in force only what it was called for: run_present looks at that */
  return outcome != STEP_DONE || apply == SCENARIO_APPLY_HOOK ? outcome
                                                              : run_confirm_served(run, node);
}

static int write_chain(struct run *run, size_t node, enum broker_listener listener,
                       const struct pki_chain *chain)
{
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  struct run_node *n = &run->nodes[node];
  bool main_listener = listener == BROKER_MAIN;
  if (broker_path(n->broker, main_listener ? "main.crt" : "prove.crt", certificate) != 0 ||
      broker_path(n->broker, main_listener ? "main.key" : "prove.key", key) != 0)
    return error_set(&run->error, EXIT_CODE_SETUP,
                     "the broker's folder has too long a path; use a shorter --out");
  return pki_write_broker_chain(run->pki, chain, certificate, key, n->fingerprint[listener],
                                &run->error);
}

enum step_outcome run_broker_crash(struct run *run)
{
  if (run_wait_broker(run, broker_kill, APPLY_WITHIN_MS) != 0 || !run_pause(run, LAST_WORDS_MS))
    return STEP_ABORTED;
  run_book_risk(run, true);
  if (run_wait_broker(run, broker_start, APPLY_WITHIN_MS) != 0) return STEP_ABORTED;
  enum step_outcome outcome = await_office(run);
  return outcome == STEP_DONE ? run_confirm_served(run, -1) : outcome;
}

/* Every name by which devices may come: that of each address of a service, and those of the
   scenario. */
static void name_hosts(const struct run *run, struct pki_chain *chain)
{
  size_t also = 0;
  memset(chain->also, 0, sizeof chain->also);
  chain->host = broker_host(run->broker);
  for (size_t n = 1; n < run->scenario->node_count; n++) {
    const char *host = broker_host(run->nodes[n].broker);
    if (strcmp(host, chain->host) != 0) chain->also[also++] = host;
  }
  for (size_t i = 0; i < run->scenario->name_count; i++)
    chain->also[also++] = run->scenario->names[i].name;
}

int run_write_chain(struct run *run, enum broker_listener listener, const struct pki_chain *chain)
{
  struct pki_chain full = *chain;
  name_hosts(run, &full);
  for (size_t n = 0; n < node_count(run); n++)
    if (write_chain(run, n, listener, &full) != 0) return -1;
  for (size_t n = node_count(run); n < run->scenario->node_count; n++)
    memcpy(run->nodes[n].fingerprint[listener], run->nodes[0].fingerprint[listener], 32);
  for (size_t n = 0; n < listener_count(run, listener); n++) run->nodes[n].waiting[listener] = true;
  run->presented[listener] = full;
  return 0;
}

enum step_outcome run_present(struct run *run, enum broker_listener listener,
                              const struct pki_chain *chain, enum scenario_apply apply)
{
  if (run_write_chain(run, listener, chain) != 0) {
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  if (presented(run, listener) != 0) return STEP_ABORTED;
  enum step_outcome outcome = run_broker_apply(run, apply, -1);
  return outcome == STEP_DONE && apply == SCENARIO_APPLY_HOOK ? run_confirm_served(run, -1)
                                                              : outcome;
}
