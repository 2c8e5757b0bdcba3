/* Starts the brokers of a run, each with its first chain, list and client CAs; in a run against
 * brokers that stand elsewhere these are believed to be as the file says. What fails has a sentence
 * in stage->error. */
#define _XOPEN_SOURCE 700
#include "stage/start_nodes.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "stage/apply.h"
#include "stage/crls.h"
#include "stage/expiries.h"
#include "stage/logins.h"
#include "terminator/terminator.h"

#define BROKER_START_MS 25000u /* two listeners, each with its 10 s */

/* --- Opening ---------------------------------------------------------------------------------- */

static void on_broker_died(void *ctx, const char *how)
{
  struct stage *stage = ctx;
  struct error error;
  error_set(&error, EXIT_CODE_SETUP, "%s ended without being asked to (%s); its log is %s under %s",
            broker_name(stage->broker), how, broker_log_name(stage->broker), stage->options->out);
  stage_abort(stage, &error);
}

static const char *text_or_null(const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

/* Bridges form a star around the last broker: in a ring messages would go round for ever. */
static size_t hub_of(const struct stage *stage)
{
  return stage->scenario->node_count - 1;
}

static struct broker_bridge bridge_of(const struct stage *stage, size_t node, char name[32])
{
  if (!stage->scenario->bridge || node == hub_of(stage))
    return (struct broker_bridge){.peer = NULL};
  snprintf(name, 32, "bridge-%s", stage->scenario->nodes[node].name);
  return (struct broker_bridge){.peer = stage->nodes[hub_of(stage)].broker,
                                .name = name,
                                .ca_path = stage->operator_ca,
                                .certificate_path = stage->operator_certificate,
                                .key_path = stage->operator_key};
}

static int open_node(struct stage *stage, size_t node)
{
  const struct scenario *scenario = stage->scenario;
  char name[8 + SCENARIO_NODE_NAME] = "broker", folder[FILES_PATH_MAX], keys[FILES_PATH_MAX];
  bool first = node == 0;
  if (scenario->node_count > 1)
    snprintf(name, sizeof name, "broker-%s", scenario->nodes[node].name);
  if (files_join(folder, stage->options->out, name, &stage->error) != 0 ||
      files_join(keys, stage->keys, name, &stage->error) != 0)
    return -1;
  if (scenario->terminator && process_path(stage->terminator) != 0)
    return error_set(&stage->error, EXIT_CODE_SETUP,
                     "this program's own path cannot be found; is /proc mounted?");
  bool named = scenario->server_name[0] != '\0';
  struct broker_config config = {
      .folder = folder,
      .keys = keys,
      .host = named ? scenario->server_name : scenario->nodes[node].host,
      .port = {scenario->nodes[node].port, first ? scenario->prove_port : 0},
      .kind = scenario->broker_kind,
      .permit = &stage->permit,
      .address = {named ? scenario->nodes[node].host : NULL, text_or_null(scenario->prove_host)},
      .alpn = text_or_null(scenario->alpn),
      .crl = scenario->crl,
      .terminator = text_or_null(stage->terminator),
      .tls_min = scenario->device.tls_min,
      .handshake_timeout_ms = scenario->broker_handshake_timeout_ms,
      .handshake_rate = scenario->broker_handshake_rate,
      .connections = scenario->devices,
      .operator_name = "operator",
      .accounts = stage_accounts(stage),
      .certificate_free = scenario->device.no_certificate,
      .names = stage->names,
      .bridge = bridge_of(stage, node, stage->nodes[node].bridge_name),
      .died = on_broker_died,
      .ctx = stage,
  };
  for (int h = 0; h < HOOK_COUNT; h++) config.hooks.of[h] = text_or_null(scenario->hook[h]);
  return broker_open(world_loop(stage->world), &config, &stage->nodes[node].broker, &stage->error);
}

/* --- What they present and trust -------------------------------------------------------------- */

int stage_write_client_ca(struct stage *stage, const struct pki_roots *roots)
{
  char path[FILES_PATH_MAX];
  for (size_t n = 0; n < stage_told_count(stage); n++) {
    broker_place(stage->nodes[n].broker, BROKER_CLIENT_CA, path);
    if (pki_write_client_ca(stage->pki, roots, path, &stage->error) != 0) return -1;
  }
  stage->client_roots = *roots;
  return 0;
}

/* Keys of nobody but this run: gone with its folder, and new in the next one. */
static int share_tickets(struct stage *stage)
{
  uint8_t keys[TERMINATOR_KEYS_SIZE];
  char path[FILES_PATH_MAX];
  int status = world_random(stage->world, keys, sizeof keys, &stage->error);
  for (size_t n = 0; n < stage->scenario->node_count && status == 0; n++) {
    broker_place(stage->nodes[n].broker, BROKER_TICKET_KEYS, path);
    status = files_write(path, keys, sizeof keys, 0600, &stage->error);
  }
  return status;
}

static int first_chains(struct stage *stage)
{
  struct pki_chain chain = {.root = ""};
  memcpy(chain.root, stage->scenario->broker_root, sizeof chain.root);
  if (stage_write_chain(stage, BROKER_MAIN, &chain) != 0 ||
      stage_write_chain(stage, BROKER_PROVE, &chain) != 0)
    return -1;
  if (stage->scenario->crl &&
      stage_write_crls(stage, &(struct scenario_crl){.next_update_s = SCENARIO_CRL_LIFE_S}) != 0)
    return -1;
  return stage_write_client_ca(stage, &stage->scenario->client_roots);
}

/* One that is not fresh has its files already: what the scenario says of them is where a rollback leads
   back to. */
static void believe_first_chains(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  memcpy(stage->presented[BROKER_MAIN].root, scenario->broker_root,
         sizeof stage->presented[BROKER_MAIN].root);
  stage->client_roots = scenario->client_roots;
}

/* One leaf for both listeners' files: nobody proves anything at a false broker. */
static int write_false_chain(struct stage *stage, struct broker *broker)
{
  const struct scenario *scenario = stage->scenario;
  char clients[FILES_PATH_MAX];
  struct chain_prints written;
  struct pki_chain chain = {.host = scenario->false_host[0] != '\0' ? scenario->false_host
                                                                    : scenario->nodes[0].host};
  memcpy(chain.root, scenario->false_root, sizeof chain.root);
  for (size_t i = 0; i < scenario->name_count && scenario->false_host[0] == '\0'; i++)
    chain.also[i] = scenario->names[i].name;
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    struct broker_pair files = broker_chain_place(broker, (enum broker_listener) l);
    if (pki_write_broker_chain(stage->pki, &chain, files.certificate, files.key, &written,
                               &stage->error) != 0)
      return -1;
  }
  broker_place(broker, BROKER_CLIENT_CA, clients);
  return pki_write_client_ca(stage->pki, &scenario->client_roots, clients, &stage->error);
}

/* It takes whoever comes, as somebody would who wants to listen. */
static int start_false_broker(struct stage *stage)
{
  size_t node = stage->scenario->node_count;
  char folder[FILES_PATH_MAX], keys[FILES_PATH_MAX];
  if (!stage->scenario->has_false) return 0;
  if (files_join(folder, stage->options->out, "broker-false", &stage->error) != 0 ||
      files_join(keys, stage->keys, "broker-false", &stage->error) != 0)
    return -1;
  struct broker_config config = {.kind = stage->scenario->broker_kind,
                                 .folder = folder,
                                 .keys = keys,
                                 .host = stage->scenario->nodes[0].host,
                                 .tls_min = stage->scenario->device.tls_min,
                                 .anyone = true,
                                 .died = on_broker_died,
                                 .ctx = stage};
  if (broker_open(world_loop(stage->world), &config, &stage->nodes[node].broker, &stage->error) !=
          0 ||
      write_false_chain(stage, stage->nodes[node].broker) != 0)
    return -1;
  return stage_wait_node(stage, node, broker_start, BROKER_START_MS);
}

/* The user's own, which are used where they lie. */
static int take_operator_files(struct stage *stage)
{
  const struct scenario_operator *op = &stage->scenario->operator;
  snprintf(stage->operator_certificate, sizeof stage->operator_certificate, "%s", op->certificate);
  snprintf(stage->operator_key, sizeof stage->operator_key, "%s", op->key);
  return 0;
}

/* A bridge reads them too, from a working directory of its own. */
static int find_operator_files(struct stage *stage)
{
  char folder[PATH_MAX];
  if (realpath(pki_folder(stage->pki), folder) == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "the fleet folder %s cannot be used: %s",
                     pki_folder(stage->pki), strerror(errno));
  if (files_join(stage->operator_ca, folder, "operator-ca.crt", &stage->error) != 0) return -1;
  const struct scenario_operator *op = &stage->scenario->operator;
  if (op->bare) return 0;
  if (op->key[0] != '\0') return take_operator_files(stage);
  if (files_join(stage->operator_certificate, folder, "operator.crt", &stage->error) != 0)
    return -1;
  return files_join(stage->operator_key, folder, "operator.key", &stage->error);
}

/* From the last to the first: who is bridged to needs its ports first. */
int stage_start_nodes(struct stage *stage)
{
  size_t count = stage->scenario->node_count;
  if (find_operator_files(stage) != 0 || stage_draw_operator(stage) != 0) return -1;
  for (size_t n = count; n > 0; n--)
    if (open_node(stage, n - 1) != 0) return -1;
  stage->broker = stage->nodes[0].broker;
  stage_note_own_expiries(stage);
  if (!broker_is(stage->broker, BROKER_FRESH))
    believe_first_chains(stage);
  else if (first_chains(stage) != 0)
    return -1;
  if (stage->scenario->tickets_shared && share_tickets(stage) != 0) return -1;
  for (size_t n = count; n > 0; n--)
    if (stage_wait_node(stage, n - 1, broker_start, BROKER_START_MS) != 0) return -1;
  snprintf(stage->results.version_broker, sizeof stage->results.version_broker, "%s",
           broker_version(stage->broker));
  return start_false_broker(stage);
}
