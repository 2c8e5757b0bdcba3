/* The brokers of a run: one or several mosquittos of its own, or those that stand elsewhere. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/state.h"
#include "terminator/terminator.h"

#define BROKER_START_MS 25000u /* two listeners, each with its 10 s */
#define FIRST_CRL_S     (7 * 86400)

bool run_is_reachable(const struct run *run, size_t node)
{
  return !run->nodes[node].down && !run->nodes[node].frozen;
}

uint64_t run_timed_out(const struct run *run)
{
  uint64_t n = 0;
  for (size_t i = 0; i < run->scenario->node_count; i++)
    if (run->nodes[i].broker != NULL) n += broker_timed_out(run->nodes[i].broker);
  return n;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void on_broker_died(void *ctx, const char *how)
{
  struct run *run = ctx;
  struct error error;
  error_set(&error, EXIT_CODE_SETUP,
            "mosquitto ended without being asked to (%s); its log is mosquitto.log under %s", how,
            run->options->out);
  run_abort(run, &error);
}

static const char *text_or_null(const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

/* Bridges form a star around the last broker: in a ring messages would go round for ever. */
static size_t hub_of(const struct run *run)
{
  return run->scenario->node_count - 1;
}

static struct broker_bridge bridge_of(const struct run *run, size_t node, char name[32])
{
  if (!run->scenario->bridge || node == hub_of(run)) return (struct broker_bridge){.peer = NULL};
  snprintf(name, 32, "bridge-%s", run->scenario->nodes[node].name);
  return (struct broker_bridge){.peer = run->nodes[hub_of(run)].broker,
                                .name = name,
                                .ca_path = run->operator_ca,
                                .certificate_path = run->operator_certificate,
                                .key_path = run->operator_key};
}

static int open_node(struct run *run, size_t node)
{
  const struct scenario *scenario = run->scenario;
  char name[8 + SCENARIO_NODE_NAME] = "broker", folder[FILES_PATH_MAX];
  bool first = node == 0;
  size_t size = sizeof run->terminator;
  if (scenario->node_count > 1)
    snprintf(name, sizeof name, "broker-%s", scenario->nodes[node].name);
  if (files_join(folder, run->options->out, name, &run->error) != 0) return -1;
  if (scenario->terminator && uv_exepath(run->terminator, &size) != 0)
    return error_set(&run->error, EXIT_CODE_SETUP,
                     "this program's own path cannot be found; is /proc mounted?");
  struct broker_config config = {
      .folder = folder,
      .host = scenario->nodes[node].host,
      .port = {scenario->nodes[node].port, first ? scenario->prove_port : 0},
      .remote = scenario->remote,
      .permit = &run->permit,
      .address = {NULL, text_or_null(scenario->prove_host)},
      .crl = scenario->crl,
      .terminator = text_or_null(run->terminator),
      .tls_min = scenario->device.tls_min,
      .handshake_timeout_ms = scenario->broker_handshake_timeout_ms,
      .handshake_rate = scenario->broker_handshake_rate,
      .connections = scenario->devices,
      .operator_name = "operator",
      .bridge = bridge_of(run, node, run->nodes[node].bridge_name),
      .died = on_broker_died,
      .ctx = run,
  };
  for (int h = 0; h < HOOK_COUNT; h++) config.hooks.of[h] = text_or_null(scenario->hook[h]);
  return broker_open(&run->loop, &config, &run->nodes[node].broker, &run->error);
}

/* --- What they present and trust -------------------------------------------------------------- */

int run_write_client_ca(struct run *run, const struct pki_roots *roots)
{
  char path[FILES_PATH_MAX];
  size_t count = run->scenario->remote ? 1 : run->scenario->node_count;
  for (size_t n = 0; n < count; n++) {
    if (broker_path(run->nodes[n].broker, "clients.crt", path) != 0)
      return error_set(&run->error, EXIT_CODE_SETUP,
                       "the path of the broker's folder is too long; use a shorter --out");
    if (pki_write_client_ca(run->pki, roots, path, &run->error) != 0) return -1;
  }
  run->client_roots = *roots;
  return 0;
}

/* Keys of nobody but this run: gone with its folder, and new in the next one. */
static int share_tickets(struct run *run)
{
  uint8_t keys[TERMINATOR_KEYS_SIZE];
  char path[FILES_PATH_MAX];
  int status = uv_random(NULL, NULL, keys, sizeof keys, 0, NULL);
  if (status != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "no random bytes: %s", uv_strerror(status));
  for (size_t n = 0; n < run->scenario->node_count && status == 0; n++) {
    status = broker_path(run->nodes[n].broker, "tickets.key", path) != 0
                 ? error_set(&run->error, EXIT_CODE_SETUP,
                             "the broker's folder has too long a path; use a shorter --out")
                 : files_write(path, keys, sizeof keys, 0600, &run->error);
  }
  return status;
}

static int first_chains(struct run *run)
{
  struct pki_chain chain = {.root = ""};
  memcpy(chain.root, run->scenario->broker_root, sizeof chain.root);
  if (run_write_chain(run, BROKER_MAIN, &chain) != 0 ||
      run_write_chain(run, BROKER_PROVE, &chain) != 0)
    return -1;
  if (run->scenario->crl &&
      run_write_crls(run, &(struct scenario_crl){.next_update_s = FIRST_CRL_S}) != 0)
    return -1;
  return run_write_client_ca(run, &run->scenario->client_roots);
}

/* A remote broker has its files already: what the scenario says of them is where a rollback leads
   back to. */
static void believe_first_chains(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  memcpy(run->presented[BROKER_MAIN].root, scenario->broker_root,
         sizeof run->presented[BROKER_MAIN].root);
  run->client_roots = scenario->client_roots;
}

/* One leaf for both listeners' files: nobody proves anything at a false broker. */
static int write_false_chain(struct run *run, struct broker *broker)
{
  static const char *const files[] = {"main.crt", "main.key", "prove.crt", "prove.key",
                                      "clients.crt"};
  const struct scenario *scenario = run->scenario;
  char path[5][FILES_PATH_MAX];
  uint8_t fingerprint[32];
  struct pki_chain chain = {.host = scenario->false_host[0] != '\0' ? scenario->false_host
                                                                    : scenario->nodes[0].host};
  memcpy(chain.root, scenario->false_root, sizeof chain.root);
  for (size_t i = 0; i < scenario->name_count && scenario->false_host[0] == '\0'; i++)
    chain.also[i] = scenario->names[i].name;
  for (int i = 0; i < 5; i++)
    if (broker_path(broker, files[i], path[i]) != 0)
      return error_set(&run->error, EXIT_CODE_SETUP,
                       "the path of the broker's folder is too long; use a shorter --out");
  if (pki_write_broker_chain(run->pki, &chain, path[0], path[1], fingerprint, &run->error) != 0 ||
      pki_write_broker_chain(run->pki, &chain, path[2], path[3], fingerprint, &run->error) != 0)
    return -1;
  return pki_write_client_ca(run->pki, &scenario->client_roots, path[4], &run->error);
}

/* It takes whoever comes, as somebody would who wants to listen. */
static int start_false_broker(struct run *run)
{
  size_t node = run->scenario->node_count;
  char folder[FILES_PATH_MAX];
  if (!run->scenario->has_false) return 0;
  if (files_join(folder, run->options->out, "broker-false", &run->error) != 0) return -1;
  struct broker_config config = {.folder = folder,
                                 .host = run->scenario->nodes[0].host,
                                 .tls_min = run->scenario->device.tls_min,
                                 .anyone = true,
                                 .died = on_broker_died,
                                 .ctx = run};
  if (broker_open(&run->loop, &config, &run->nodes[node].broker, &run->error) != 0 ||
      write_false_chain(run, run->nodes[node].broker) != 0)
    return -1;
  return run_wait_node(run, node, broker_start, BROKER_START_MS);
}

/* A bridge reads them too, from a working directory of its own. */
static int find_operator_files(struct run *run)
{
  char folder[PATH_MAX];
  if (realpath(pki_folder(run->pki), folder) == NULL)
    return error_set(&run->error, EXIT_CODE_SETUP, "the fleet folder %s cannot be used: %s",
                     pki_folder(run->pki), strerror(errno));
  if (files_join(run->operator_ca, folder, "operator-ca.crt", &run->error) != 0 ||
      files_join(run->operator_certificate, folder, "operator.crt", &run->error) != 0)
    return -1;
  return files_join(run->operator_key, folder, "operator.key", &run->error);
}

/* From the last to the first: who is bridged to needs its ports first. */
int run_start_nodes(struct run *run)
{
  size_t count = run->scenario->node_count;
  if (find_operator_files(run) != 0) return -1;
  for (size_t n = count; n > 0; n--)
    if (open_node(run, n - 1) != 0) return -1;
  run->broker = run->nodes[0].broker;
  if (run->scenario->remote) believe_first_chains(run);
  if (!run->scenario->remote && first_chains(run) != 0) return -1;
  if (run->scenario->tickets_shared && share_tickets(run) != 0) return -1;
  for (size_t n = count; n > 0; n--)
    if (run_wait_node(run, n - 1, broker_start, BROKER_START_MS) != 0) return -1;
  snprintf(run->results.version_broker, sizeof run->results.version_broker, "%s",
           broker_version(run->broker));
  return start_false_broker(run);
}

static void on_closed(void *closed)
{
  *(bool *) closed = true;
}

void run_end_nodes(struct run *run, void (*turn)(struct run *run, const bool *flag))
{
  bool closed[SCENARIO_NODES_MAX + 1] = {false};
  for (size_t n = 0; n <= run->scenario->node_count; n++)
    if (run->nodes[n].broker != NULL) broker_close(run->nodes[n].broker, on_closed, &closed[n]);
  for (size_t n = 0; n <= run->scenario->node_count; n++)
    if (run->nodes[n].broker != NULL) turn(run, &closed[n]);
}

/* --- Where devices go ------------------------------------------------------------------------- */

static int add_address(struct run *run, size_t node, enum broker_listener listener,
                       struct fleet_place *place)
{
  const struct broker *broker = run->nodes[node].broker;
  struct fleet_address *address = &place->address[place->address_count++];
  address->node = (int8_t) node;
  return run_resolve(run, broker_address(broker, listener), broker_port(broker, listener),
                     &address->at);
}

static int set_place(struct run *run, size_t node, enum broker_listener listener,
                     struct fleet_place *place)
{
  const struct broker *broker = run->nodes[node].broker;
  if (broker_port(broker, listener) == 0) return 0;
  place->host = broker_host(broker);
  return add_address(run, node, listener, place);
}

int run_lead(struct run *run, const struct scenario_name *lead, struct fleet_place *place)
{
  place->delay_ms = (uint32_t) lead->delay_ms;
  for (size_t i = 0; i < lead->node_count; i++)
    if (add_address(run, lead->nodes[i], BROKER_MAIN, place) != 0) return -1;
  return 0;
}

static int set_names(struct run *run, struct fleet_config *config)
{
  const struct scenario *scenario = run->scenario;
  config->place_count = scenario->name_count;
  for (size_t i = 0; i < scenario->name_count; i++) {
    run->lead[i] = scenario->names[i];
    config->place[i].host = scenario->names[i].name;
    if (run_lead(run, &scenario->names[i], &config->place[i]) != 0) return -1;
  }
  return 0;
}

static int set_nodes(struct run *run, struct fleet_config *config)
{
  config->place_count = run->scenario->node_count;
  for (size_t n = 0; n < config->place_count; n++)
    if (set_place(run, n, BROKER_MAIN, &config->place[n]) != 0) return -1;
  return 0;
}

int run_set_places(struct run *run, struct fleet_config *config)
{
  int failed = run->scenario->name_count > 0 ? set_names(run, config) : set_nodes(run, config);
  return failed != 0 ? -1 : set_place(run, 0, BROKER_PROVE, &config->prove);
}
