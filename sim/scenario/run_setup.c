/* From a checked scenario to a fleet at rest beside a running broker. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/p256_host.h"
#include "device/nvm.h"
#include "fleet/preflight.h"
#include "scenario/run_state.h"

#define BROKER_START_MS   15000u
#define OPERATOR_START_MS 15000u
#define FIRST_CRL_S       (7 * 86400)

/* The loop --------------------------------------------------------------------------------------------------------- */

static void on_wake(uv_async_t *async)
{
  run_collect(async->data);
}

static int start_loop(struct run *run)
{
  static const int numbers[] = {SIGINT, SIGTERM};
  if (uv_loop_init(&run->loop) != 0) return error_set(&run->error, EXIT_CODE_SETUP, "cannot make an event loop");
  run->loop_open = true;
  run->began_ms = uv_now(&run->loop);
  uv_timer_init(&run->loop, &run->tick);
  run->tick.data = run;
  uv_timer_start(&run->tick, run_on_tick, 0, 20);
  uv_async_init(&run->loop, &run->wake, on_wake);
  run->wake.data = run;
  for (size_t i = 0; i < 2; i++) {
    uv_signal_init(&run->loop, &run->signals[i]);
    run->signals[i].data = run;
    uv_signal_start(&run->signals[i], run_on_signal, numbers[i]);
  }
  signal(SIGPIPE, SIG_IGN);
  return 0;
}

/* Results --------------------------------------------------------------------------------------------------------- */

static int open_results(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct results *results = &run->results;
  snprintf(results->scenario_name, sizeof results->scenario_name, "%s", scenario->name);
  snprintf(results->scenario_file, sizeof results->scenario_file, "%s", scenario->file);
  snprintf(results->scenario_sha256, sizeof results->scenario_sha256, "%s", scenario->sha256);
  snprintf(results->profile, sizeof results->profile, "%s", scenario->profile_name);
  snprintf(results->crypto, sizeof results->crypto, "%s", scenario_crypto_name(scenario->crypto));
  snprintf(results->version_fleetsim, sizeof results->version_fleetsim, "%s", run->options->version);
  snprintf(results->version_mbedtls, sizeof results->version_mbedtls, "%s", device_builtin.tls_library);
  snprintf(results->version_libuv, sizeof results->version_libuv, "%s", uv_version_string());
  results->seed = scenario->seed;
  results->devices = scenario->devices;
  time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(results->started, sizeof results->started, "%Y-%m-%dT%H:%M:%SZ", &utc);

  results->phases = calloc(scenario->phase_count + 1, sizeof *results->phases);
  run->metrics = metrics_create();
  if (results->phases == NULL || run->metrics == NULL)
    return error_set(&run->error, EXIT_CODE_INTERNAL, "out of memory");
  results->metrics = run->metrics;
  if (files_make_folder(run->options->out, 0755, &run->error) != 0) return -1;
  return events_open(run->options->out, &run->events, &run->error);
}

/* The broker ------------------------------------------------------------------------------------------------------ */

static void on_broker_died(void *ctx, const char *how)
{
  struct run *run = ctx;
  struct error error;
  error_set(&error, EXIT_CODE_SETUP, "mosquitto ended without being asked to (%s); its log is mosquitto.log under %s",
            how, run->options->out);
  run_abort(run, &error);
}

static const char *text_or_null(const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

static int open_broker(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  char folder[FILES_PATH_MAX];
  if (files_join(folder, run->options->out, "broker", &run->error) != 0) return -1;
  struct broker_config config = {
      .folder = folder,
      .host = scenario->host,
      .port = {scenario->port, scenario->prove_port},
      .remote = scenario->remote,
      .address = {NULL, text_or_null(scenario->prove_host)},
      .hooks = {.present = text_or_null(scenario->hook_present),
                .trust_clients = text_or_null(scenario->hook_trust_clients),
                .reload = text_or_null(scenario->hook_reload),
                .restart = text_or_null(scenario->hook_restart),
                .publish_crl = text_or_null(scenario->hook_publish_crl),
                .kick = text_or_null(scenario->hook_kick)},
      .crl = scenario->crl,
      .tls_min = scenario->device.tls_min,
      .handshake_timeout_ms = scenario->broker_handshake_timeout_ms,
      .handshake_rate = scenario->broker_handshake_rate,
      .connections = scenario->devices,
      .operator_name = "operator",
      .died = on_broker_died,
      .ctx = run,
  };
  return broker_open(&run->loop, &config, &run->broker, &run->error);
}

static int first_chains(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct pki_chain chain = {.root = ""};
  memcpy(chain.root, scenario->broker_root, sizeof chain.root);
  char ca[FILES_PATH_MAX];
  if (run_write_chain(run, BROKER_MAIN, &chain) != 0 || run_write_chain(run, BROKER_PROVE, &chain) != 0) return -1;
  if (broker_path(run->broker, "clients.crt", ca) != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "the path of the broker's folder is too long; use a shorter --out");
  run->client_roots = scenario->client_roots;
  if (scenario->crl && run_write_crls(run, &(struct scenario_crl){.next_update_s = FIRST_CRL_S}) != 0) return -1;
  return pki_write_client_ca(run->pki, &scenario->client_roots, ca, &run->error);
}

/* A remote broker has its files already: what the scenario says of them is where a rollback leads back to. */
static void believe_first_chains(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  memcpy(run->presented[BROKER_MAIN].root, scenario->broker_root, sizeof run->presented[BROKER_MAIN].root);
  run->client_roots = scenario->client_roots;
}

static int start_broker(struct run *run)
{
  if (open_broker(run) != 0) return -1;
  if (run->scenario->remote) believe_first_chains(run);
  if (!run->scenario->remote && first_chains(run) != 0) return -1;
  if (run_wait_broker(run, broker_start, BROKER_START_MS) != 0) return -1;
  snprintf(run->results.version_broker, sizeof run->results.version_broker, "%s", broker_version(run->broker));
  return 0;
}

/* The operator ---------------------------------------------------------------------------------------------------- */

static void wake_from_any_thread(void *ctx)
{
  uv_async_send(&((struct run *) ctx)->wake);
}

static uint64_t operator_clock(void *ctx)
{
  return fleet_clock_us(((struct run *) ctx)->fleet);
}

static bool operator_is_online(struct run *run, void *ctx)
{
  (void) ctx;
  return run->operator_online;
}

static int start_operator(struct run *run)
{
  const char *folder = pki_folder(run->pki);
  if (files_join(run->operator_ca, folder, "operator-ca.crt", &run->error) != 0 ||
      files_join(run->operator_certificate, folder, "operator.crt", &run->error) != 0 ||
      files_join(run->operator_key, folder, "operator.key", &run->error) != 0)
    return -1;
  struct operator_config config = {.host = broker_host(run->broker),
                                   .port = broker_inner_port(run->broker, BROKER_MAIN),
                                   .ca_path = run->operator_ca,
                                   .certificate_path = run->operator_certificate,
                                   .key_path = run->operator_key,
                                   .device_count = run->scenario->devices,
                                   .ids = run->ids,
                                   .now_us = operator_clock,
                                   .clock = run,
                                   .wake = wake_from_any_thread,
                                   .ctx = run};
  if (operator_start(&config, &run->operator, & run->error) != 0) return -1;
  enum run_waited waited = run_wait(run, operator_is_online, NULL, OPERATOR_START_MS);
  if (waited == RUN_TIMED_OUT)
    return error_set(&run->error, EXIT_CODE_SETUP, "the operator cannot connect to %s port %u within %u s: %s",
                     config.host, config.port, OPERATOR_START_MS / 1000, run->operator_said);
  return waited == RUN_REACHED ? 0 : -1;
}

/* The fleet ------------------------------------------------------------------------------------------------------- */

static uint8_t *page_of(void *pki, size_t index)
{
  return pki_device_page(pki, index);
}

static uint32_t id_of(void *pki, size_t index)
{
  return pki_device_id(pki, index);
}

static int set_place(struct run *run, enum broker_listener listener, struct fleet_place *place)
{
  uint16_t port = broker_port(run->broker, listener);
  if (port == 0) return 0;
  place->host = broker_host(run->broker);
  place->address_count = 1;
  return run_resolve(run, broker_address(run->broker, listener), port, &place->address[0].at);
}

static int set_endpoints(struct run *run, struct fleet_config *config)
{
  config->place_count = 1;
  return set_place(run, BROKER_MAIN, &config->place[0]) != 0 ? -1 : set_place(run, BROKER_PROVE, &config->prove);
}

static int set_anchors(struct run *run, struct fleet_config *config)
{
  const struct pki_roots *roots = pki_roots(run->pki);
  config->root_count = roots->count;
  for (size_t r = 0; r < roots->count; r++)
    if (pki_anchor_id(run->pki, roots->name[r], config->anchor_id[r]) != 0)
      return error_set(&run->error, EXIT_CODE_INTERNAL, "root %s has no certificate in the fleet folder",
                       roots->name[r]);
  return 0;
}

/* Before the broker is started, which inherits the limit of descriptors. */
static int check_machine(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct preflight_need need = {.devices = scenario->devices,
                                .bytes_per_device = fleet_bytes_per_device(&device_builtin, &scenario->device),
                                .loopback = !scenario->remote || scenario_is_loopback(scenario->host),
                                .source_addresses = scenario->source_addresses};
  if (preflight(&need, &run->error) != 0) return -1;
  run->source_addresses = need.source_addresses;
  return 0;
}

static int start_fleet(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  p256_host_set_native(scenario->crypto == SCENARIO_NATIVE);
  struct fleet_config config = {.backend = run->backend,
                                .ops = &device_builtin,
                                .profile = &scenario->device,
                                .device_count = scenario->devices,
                                .page = page_of,
                                .page_size = DEVICE_NVM_PAGE_SIZE,
                                .id = id_of,
                                .pages = run->pki,
                                .source_addresses = run->source_addresses,
                                .reconnect = run_policy(&scenario->reconnect),
                                .timing = &run->timing,
                                .pace = scenario->pace,
                                .seed = scenario->seed,
                                .metrics = run->metrics,
                                .events = run->events};
  if (set_endpoints(run, &config) != 0 || set_anchors(run, &config) != 0) return -1;
  if (fleet_create(&config, &run->fleet, &run->error) != 0) return -1;
  int root = run_root_index(run, scenario->device_root);
  for (size_t i = 0; i < scenario->devices; i++) fleet_set_identity(run->fleet, i, root);
  return run_set_cohort_policies(run);
}

static uint64_t resident_bytes(void)
{
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

int run_setup(struct run *run)
{
  const struct run_options *options = run->options;
  bool ready = start_loop(run) == 0 && open_results(run) == 0 && run_load_timing(run) == 0 &&
               run_check_targets(run) == 0 && check_machine(run) == 0 && run_open_folder(run) == 0 &&
               start_broker(run) == 0 && run_count_budget(run) == 0;
  if (ready) {
    run->rss_before = resident_bytes();
    run->backend = backend_uv_create(&run->loop);
    ready = run->backend != NULL && start_fleet(run) == 0 && start_operator(run) == 0;
  }
  if (!options->quiet) run->progress = progress_create(stderr);
  if (!ready) run_abort(run, &run->error);
  return ready ? 0 : -1;
}
