/* From a checked scenario to a fleet at rest beside a running broker. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/host_port.h"
#include "crypto/p256_host.h"
#include "crypto/records.h"
#include "fleet/clients.h"
#include "fleet/preflight.h"
#include "run/out.h"
#include "run/parts.h"
#include "stage/allowed.h"
#include "stage/chains.h"
#include "stage/firmware.h"
#include "stage/fleet_config.h"
#include "stage/folder.h"
#include "stage/logins.h"
#include "stage/muster.h"
#include "stage/nodes.h"
#include "stage/options.h"
#include "stage/policies.h"
#include "stage/start_nodes.h"
#include "stage/targets.h"
#include "stage/tokens.h"
#include "stage/wait.h"
#include "steps/steps.h"

#define OFFICE_START_MS       20000u /* time to find out about a broker that is silent, too */
#define FAILOVER_KEEP_ALIVE_S 5u

/* --- Results ---------------------------------------------------------------------------------- */

/* Nothing where a message does not tell which it is. */
static void describe_telemetry(struct stage *stage)
{
  struct results *results = &stage->results;
  const char *checked = stage->unnumbered        ? ""
                        : stage->texts.count > 0 ? "every byte, but for the digits of a time that "
                                                   "no time-at leads to"
                                                 : "mark, number, time, size and padding";
  results->unnumbered = stage->unnumbered;
  results->unheard = stage->scenario->operator.none;
  results->untimed = !scenario_is_timed(stage->scenario);
  snprintf(results->checked, sizeof results->checked, "%s", checked);
}

/* Of one that stands elsewhere what the scenario says it is; it is not looked at. */
static void describe_broker(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct results *results = &stage->results;
  if (scenario->product == &product_generic) return;
  snprintf(results->broker_kind, sizeof results->broker_kind, "%s", scenario->product->word);
  snprintf(results->broker_kind_version, sizeof results->broker_kind_version, "%u.%u",
           scenario->product_version.major, scenario->product_version.minor);
}

/* Those that devices find; a port that the system chose is known once its broker has begun. */
static void describe_nodes(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct results *results = &stage->results;
  const char *local = broker_kind_word(scenario->broker_kind), *kind = local;
  if (local == NULL) kind = results->broker_kind[0] != '\0' ? results->broker_kind : "remote";
  results->broker_count = scenario->node_count;
  for (size_t n = 0; n < scenario->node_count; n++) {
    const struct scenario_node *node = &scenario->nodes[n];
    struct results_broker *told = &results->brokers[n];
    struct broker *broker = stage->nodes[n].broker;
    uint16_t port = broker != NULL ? broker_port(broker, BROKER_MAIN) : node->port;
    char place[HOST_PORT_MAX];
    snprintf(told->name, sizeof told->name, "%s", node->name);
    snprintf(told->kind, sizeof told->kind, "%s", kind);
    if (port != 0)
      snprintf(told->url, sizeof told->url, "mqtts://%s", host_port(node->host, port, place));
  }
}

static int describe(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct results *results = &stage->results;
  snprintf(results->scenario_name, sizeof results->scenario_name, "%s", scenario->name);
  snprintf(results->scenario_file, sizeof results->scenario_file, "%s", scenario->file);
  snprintf(results->scenario_sha256, sizeof results->scenario_sha256, "%s", scenario->sha256);
  snprintf(results->profile, sizeof results->profile, "%s", scenario->profile_name);
  snprintf(results->crypto, sizeof results->crypto, "%s", scenario_crypto_name(scenario->crypto));
  describe_telemetry(stage);
  describe_broker(stage);
  describe_nodes(stage);
  results->scenario_text = scenario->told;
  results->asked = stage->options->asked;
  machine_look(&results->machine);
  snprintf(results->version_fleetsim, sizeof results->version_fleetsim, "%s",
           stage->options->version);
  snprintf(results->version_mbedtls, sizeof results->version_mbedtls, "%s",
           clients_at(0)->tls_library);
  snprintf(results->version_libuv, sizeof results->version_libuv, "%s",
           world_loop_version(stage->world));
  results->seed = scenario->seed;
  results->devices = scenario->devices;
  time_t now = world_unix_s(stage->world);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(results->started, sizeof results->started, "%Y-%m-%dT%H:%M:%SZ", &utc);

  results->phases = calloc(scenario->phase_count + 1, sizeof *results->phases);
  stage->metrics = metrics_create();
  stage->series = series_create();
  if (results->phases == NULL || stage->metrics == NULL || stage->series == NULL)
    return error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
  results->metrics = stage->metrics;
  results->series = stage->series;
  if (stage->unnumbered) metrics_lack_numbers(stage->metrics);
  if (scenario->operator.none) metrics_lack_operator(stage->metrics);
  return run_tell_plan(stage);
}

/* --- The operator ----------------------------------------------------------------------------- */

static void wake_from_any_thread(void *ctx)
{
  world_wake(((struct stage *) ctx)->world);
}

static int draw_mark(struct stage *stage)
{
  int status = world_random(stage->world, &stage->mark, sizeof stage->mark, &stage->error);
  stage->mark |= 2;
  stage->texts =
      (struct payload_texts){.mark = stage->mark, .clones_mark = stage_clones_mark(stage)};
  stage->texts.count = scenario_payloads(stage->scenario, stage->texts.text);
  stage->unnumbered = !scenario_is_numbered(stage->scenario) || stage->scenario->operator.none;
  return status;
}

static uint64_t office_clock(void *ctx)
{
  return fleet_clock_us(((struct stage *) ctx)->fleet);
}

static bool office_is_settled(struct stage *stage, void *ctx)
{
  (void) ctx;
  return stage->office_online || stage->office_gave_up;
}

static bool needs_lures(const struct scenario *scenario)
{
  bool any = false;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      any = any || scenario->phases[p].steps[s].kind->lures;
  return any;
}

static const char *text_or_null(const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

static int start_office(struct stage *stage)
{
  /* from the last to the first: the last one is where bridged brokers meet */
  const struct scenario *scenario = stage->scenario;
  if (scenario->operator.none) return 0;
  struct office_server servers[SCENARIO_NODES_MAX] = {{0}};
  size_t count = scenario->node_count;
  bool earlier = !scenario_broker_is(scenario, BROKER_FRESH); /* it may know of earlier runs */
  for (size_t n = 0; n < count; n++)
    servers[count - 1 - n] =
        (struct office_server){.host = scenario->server_name[0] != '\0'
                                           ? broker_address(stage->nodes[n].broker, BROKER_MAIN)
                                           : broker_host(stage->nodes[n].broker),
                               .port = broker_inner_port(stage->nodes[n].broker, BROKER_MAIN)};
  const struct scenario_operator *op = &scenario->operator;
  if (op->host[0] != '\0') { /* it has a place of its own */
    servers[0] = (struct office_server){.host = op->host, .port = op->port};
    count = 1;
  }
  struct office_config config = {
      .host = servers[0].host,
      .port = servers[0].port,
      .others = servers + 1,
      .other_count = count - 1,
      .permit = &stage->permit,
      .keep_alive_s = count > 1 ? FAILOVER_KEEP_ALIVE_S : 0,
      .client_id = text_or_null(op->client_id),
      .server_name = op->host[0] == '\0' ? text_or_null(scenario->server_name) : NULL,
      .alpn = text_or_null(scenario->alpn),
      .ca_path = op->ca[0] != '\0' ? op->ca : stage->operator_ca,
      .certificate_path = text_or_null(stage->operator_certificate),
      .key_path = text_or_null(stage->operator_key),
      .login = stage_operator_login(stage),
      .device_count = scenario->devices,
      .names = stage->names,
      .telemetry = stage->texts,
      .unnumbered = stage->unnumbered,
      .began_unix_ms = stage->began_unix_ms,
      .now_us = office_clock,
      .clock = stage,
      .wake = wake_from_any_thread,
      .ctx = stage,
      .earlier = earlier,
      .new_fleet = earlier && stage->options->fleet == NULL,
      .ota = scenario->ota.on,
      .trespass = needs_lures(scenario)};
  if (office_start(&config, &stage->office, &stage->error) != 0) return -1;
  enum stage_waited waited = stage_wait(stage, office_is_settled, NULL, OFFICE_START_MS);
  if (stage->office_online || waited == STAGE_ABORTED) return stage->office_online ? 0 : -1;
  char place[HOST_PORT_MAX];
  return error_set(&stage->error, EXIT_CODE_SETUP, "the operator cannot connect to %s%s: %s",
                   host_port(config.host, config.port, place),
                   waited == STAGE_TIMED_OUT ? " within 20 s" : "",
                   stage->office_said[0] != '\0' ? stage->office_said : "it was not answered");
}

/* --- The fleet -------------------------------------------------------------------------------- */

static bool is_loopback(const struct scenario *scenario)
{
  bool all = true;
  for (size_t n = 0; n < scenario->node_count; n++)
    all = all && scenario_is_loopback(scenario->nodes[n].host);
  return all;
}

/* Threads: libuv's pool, paho's two and its keeper, the table of the broker's key, the resolver of
 * a URL hook. Processes: a broker each with what may stand before it, nginx, a hook with its keeper
 * and a program in it. */
static unsigned threads_of(const struct scenario *scenario)
{
  enum { THREADS = 9, BROKER = 3, SERVER = 1, HOOK = 3 };
  bool owned = scenario_broker_is(scenario, BROKER_OWNED);
  size_t brokers = owned ? scenario->node_count + scenario->has_false : 0;
  return (unsigned) (THREADS + BROKER * brokers + (scenario->ota.server ? SERVER : 0) +
                     (scenario_broker_is(scenario, BROKER_HOOKED) ? HOOK : 0));
}

/* Of the largest step that leads devices to servers of ours. */
static size_t guests_of(const struct scenario *scenario)
{
  size_t most = 0;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *step = &scenario->phases[p].steps[s];
      size_t count = step->who.id_count > 0 ? step->who.id_count
                                            : targets_share(scenario->devices, step->who.share);
      if (step->kind == &step_mitm && count > most) most = count;
    }
  return most;
}

/* Before the broker is started, which inherits the limit of descriptors. */
static int check_machine(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  crypto_set_record_bytes(scenario->record_bytes); /* a part of what a device weighs */
  struct preflight_need need = {
      .devices = scenario->devices,
      .bytes = series_bytes(),
      .bytes_per_device = fleet_bytes_per_device(clients_at(0), stage_device_profile(stage)),
      .loopback = is_loopback(scenario),
      .downloads = stage_ota_downloads(stage),
      .descriptors_per_download = STAGE_DESCRIPTORS_PER_DOWNLOAD,
      .guests = guests_of(scenario),
      .disk_bytes_per_device = stage_ota_flash_bytes(stage),
      .disk_folder = scenario->ota.on ? stage->options->out : NULL,
      .threads = threads_of(scenario),
      .source_addresses = scenario->source_addresses};
  if (preflight(&need, &stage->error) != 0) return -1;
  stage->source_addresses = need.source_addresses;
  return 0;
}

/* A fresh broker has begun with the chain that was written for it; what one elsewhere serves is
 * somebody else's until a step presents something. Nobody proves anything at a false one. */
static void note_served(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  size_t fresh = scenario_broker_is(scenario, BROKER_FRESH) ? scenario->node_count : 0;
  for (size_t n = 0; n < fresh; n++) {
    fleet_serves(stage->fleet, (int) n, stage->nodes[n].written[BROKER_MAIN].sha256[0]);
    memset(stage->nodes[n].waiting, 0, sizeof stage->nodes[n].waiting);
  }
  if (scenario->has_false) fleet_serves(stage->fleet, (int) scenario->node_count, NULL);
}

static int start_fleet(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  struct fleet_config config;
  events_name_devices(stage->events, stage->names);
  stage->results.names = stage->names;
  p256_host_set_native(scenario->crypto == SCENARIO_NATIVE);
  if (stage_fleet_config(stage, &config) != 0) return -1;
  if (scenario_names(scenario, "identified"))
    config.roots_of = stage_roots_of, config.roots_ctx = stage;
  config.changed = stage_muster_changed, config.changed_ctx = stage;
  if (fleet_create(&config, &stage->fleet, &stage->error) != 0) return -1;
  note_served(stage);
  if (stage_muster_begin(stage) != 0) return -1;
  return stage_set_cohort_policies(stage);
}

static int begin_fleet(struct stage *stage)
{
  bool given = stage->options->fleet != NULL;
  if ((given ? stage_reset_folder(stage) : stage_make_folder(stage)) != 0) return -1;
  return !given && stage_learn_fleet(stage) != 0 ? -1 : run_check_needs(stage);
}

static void begin_progress(struct stage *stage)
{
  struct terminal terminal;
  stage->paints = world_terminal(stage->world, STDERR_FILENO, &terminal);
  stage->progress = progress_create(stderr);
}

int run_setup(struct stage *stage)
{
  const struct stage_options *options = stage->options;
  bool given = options->fleet != NULL; /* else the fleet is made in the folder for results */
  run_start_loop(stage);
  bool ready = draw_mark(stage) == 0 && describe(stage) == 0 && run_open_given(stage) == 0 &&
               run_out_open(stage) == 0 && run_set_brake(stage) == 0 &&
               run_load_timing(stage) == 0 && stage_check_allowed(stage) == 0 &&
               check_machine(stage) == 0 && (!given || begin_fleet(stage) == 0) &&
               run_out_begin(stage) == 0 && (given || begin_fleet(stage) == 0) &&
               stage_ota_prepare(stage) == 0 && stage_start_nodes(stage) == 0 &&
               stage_ota_start_server(stage) == 0 && run_count_budget(stage) == 0;
  if (ready) {
    describe_nodes(stage);
    struct world_usage usage;
    world_usage(stage->world, &usage);
    stage->rss_before = usage.resident_bytes;
    ready = start_fleet(stage) == 0 && start_office(stage) == 0 && stage_begin_tokens(stage) == 0 &&
            stage_ota_withdraw(stage, true) == 0;
  }
  if (ready) world_measure_delay(stage->world, true);
  if (!options->quiet) begin_progress(stage);
  if (!ready) run_out_begin_refused(stage);
  if (!ready) stage_abort(stage, &stage->error);
  return ready ? 0 : -1;
}
