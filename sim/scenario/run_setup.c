/* From a checked scenario to a fleet at rest beside a running broker; and back to nothing. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "device/nvm.h"
#include "fleet/addresses.h"
#include "scenario/run_state.h"

#define BROKER_START_MS   15000u
#define OPERATOR_START_MS 15000u
#define TEARDOWN_MS       8000u

static int path(struct run *run, char out[FILES_PATH_MAX], const char *name)
{
  return files_join(out, run->options->out, name, &run->error);
}

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

/* Results -----------------------------------------------------------------------------------------------------------
 */

static int open_results(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct results *results = &run->results;
  snprintf(results->scenario_name, sizeof results->scenario_name, "%s", scenario->name);
  snprintf(results->scenario_file, sizeof results->scenario_file, "%s", scenario->file);
  snprintf(results->scenario_sha256, sizeof results->scenario_sha256, "%s", scenario->sha256);
  snprintf(results->timing_profile, sizeof results->timing_profile, "%s", scenario->profile_name);
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

/* Targets: nothing beyond loopback without the file's and the command line's word --------------------------------- */

static int check_host(struct run *run, const char *host)
{
  const struct scenario *scenario = run->scenario;
  if (host[0] == '\0' || scenario_is_loopback(host)) return 0;
  bool in_file = false, on_line = false;
  for (size_t t = 0; t < scenario->target_count; t++) in_file = in_file || strcmp(scenario->targets[t].host, host) == 0;
  for (size_t t = 0; t < run->options->allowed_count; t++)
    on_line = on_line || strcmp(run->options->allowed_targets[t], host) == 0;
  if (in_file && on_line) return 0;
  return error_set(&run->error, EXIT_CODE_SETUP,
                   "nothing was sent: %s is not this machine; to load it, name it in the scenario's targets: list%s "
                   "and pass --allow-target %s%s",
                   host, in_file ? " (done)" : "", host, on_line ? " (done)" : "");
}

/* A hook may be a URL: it is asked for as well. */
static int check_hook(struct run *run, const char *hook)
{
  if (strncmp(hook, "http://", 7) != 0 && strncmp(hook, "https://", 8) != 0) return 0;
  CURLU *url = curl_url();
  char *host = NULL;
  int result = -1;
  if (url == NULL || curl_url_set(url, CURLUPART_URL, hook, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
    error_set(&run->error, EXIT_CODE_USAGE, "the hook '%.200s' is no URL that can be used", hook);
  else
    result = check_host(run, host);
  curl_free(host);
  curl_url_cleanup(url);
  return result;
}

static int check_targets(struct run *run)
{
  const struct scenario *s = run->scenario;
  if (!s->remote) return 0;
  if (check_host(run, s->host) != 0 || check_host(run, s->prove_host) != 0) return -1;
  if (check_hook(run, s->hook_present) != 0 || check_hook(run, s->hook_trust_clients) != 0) return -1;
  return check_hook(run, s->hook_reload) == 0 ? check_hook(run, s->hook_restart) : -1;
}

static int resolve(struct run *run, const char *host, uint16_t port, struct sockaddr_storage *out)
{
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                           .ai_family = strcmp(host, "localhost") == 0 ? AF_INET : AF_UNSPEC};
  struct addrinfo *found = NULL;
  int failed = getaddrinfo(host, service, &hints, &found);
  if (failed != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "cannot find the address of %s: %s", host, gai_strerror(failed));
  memcpy(out, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return 0;
}

/* Keys and certificates ---------------------------------------------------------------------------------------------
 */

static int make_fleet_folder(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  char folder[FILES_PATH_MAX];
  if (path(run, folder, "fleet") != 0) return -1;
  if (pki_create(folder, &scenario->roots, &run->pki, &run->error) != 0) return -1;
  return pki_add_devices(run->pki, scenario->devices, scenario->device_root, &scenario->trusted, &run->error);
}

/* Refuses a step whose certificates cannot be made in this folder, before anything is sent. */
static int check_step_roots(struct run *run, const struct scenario_step *step)
{
  bool issues = step->kind == STEP_PRESENT || step->kind == STEP_PROVE || step->kind == STEP_REISSUE;
  if (!issues || pki_can_issue(run->pki, step->root)) return 0;
  return error_set(&run->error, EXIT_CODE_USAGE,
                   "%s:%d: '%s' needs a certificate under root '%s', and %s does not hold that root's key: leave the "
                   "step out, or use a root that 'fleetsim pki make' made",
                   run->scenario->file, step->line, scenario_step_name(step->kind), step->root, run->options->fleet);
}

static int check_folder_roots(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  for (size_t r = 0; r < scenario->roots.count; r++)
    if (!pki_has_root(run->pki, scenario->roots.name[r]))
      return error_set(&run->error, EXIT_CODE_USAGE,
                       "the scenario's pki.roots name '%s', which %s does not hold: 'fleetsim pki show %s' lists what "
                       "it holds",
                       scenario->roots.name[r], run->options->fleet, run->options->fleet);
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_roots(run, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

static int open_fleet_folder(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  if (pki_open(run->options->fleet, &run->pki, &run->error) != 0) return -1;
  if (pki_device_count(run->pki) < scenario->devices)
    return error_set(&run->error, EXIT_CODE_USAGE,
                     "%s holds %zu devices and the scenario asks for %zu: use --devices %zu", run->options->fleet,
                     pki_device_count(run->pki), scenario->devices, pki_device_count(run->pki));
  if (check_folder_roots(run) != 0) return -1;
  return pki_reset_devices(run->pki, scenario->device_root, &scenario->trusted, &run->error);
}

static int learn_fleet(struct run *run)
{
  size_t n = run->scenario->devices;
  run->ids = calloc(n, sizeof *run->ids);
  run->acked_version = calloc(n, sizeof *run->acked_version);
  run->identity_pushed = calloc(n, sizeof *run->identity_pushed);
  if (run->ids == NULL || run->acked_version == NULL || run->identity_pushed == NULL)
    return error_set(&run->error, EXIT_CODE_SETUP, "not enough memory for %zu devices", n);
  for (size_t i = 0; i < n; i++) {
    run->ids[i] = pki_device_id(run->pki, i);
    run->acked_version[i] = 1;
    run->identity_pushed[i] = -1;
  }
  run->bundle_version = 1;
  run->bundle[1] = run->scenario->trusted;
  return 0;
}

/* The broker --------------------------------------------------------------------------------------------------------
 */

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
  if (path(run, folder, "broker") != 0) return -1;
  struct broker_config config = {
      .folder = folder,
      .host = scenario->host,
      .port = {scenario->port, scenario->prove_port},
      .remote = scenario->remote,
      .address = {NULL, text_or_null(scenario->prove_host)},
      .hooks = {.present = text_or_null(scenario->hook_present),
                .trust_clients = text_or_null(scenario->hook_trust_clients),
                .reload = text_or_null(scenario->hook_reload),
                .restart = text_or_null(scenario->hook_restart)},
      .tls_min = scenario->device.tls_min,
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

/* The operator ------------------------------------------------------------------------------------------------------
 */

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
                                   .port = broker_port(run->broker, BROKER_MAIN),
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

/* The fleet ---------------------------------------------------------------------------------------------------------
 */

static uint8_t *page_of(void *pki, size_t index)
{
  return pki_device_page(pki, index);
}

static uint32_t id_of(void *pki, size_t index)
{
  return pki_device_id(pki, index);
}

static struct backoff_policy reconnect_policy(const struct scenario_reconnect *reconnect)
{
  static const enum backoff_kind kinds[] = {
      [SCENARIO_IMMEDIATE] = BACKOFF_IMMEDIATE,     [SCENARIO_FIXED] = BACKOFF_FIXED,
      [SCENARIO_EXPONENTIAL] = BACKOFF_EXPONENTIAL, [SCENARIO_EXPONENTIAL_20] = BACKOFF_EXPONENTIAL_20,
      [SCENARIO_FULL_JITTER] = BACKOFF_FULL_JITTER, [SCENARIO_DECORRELATED] = BACKOFF_DECORRELATED,
  };
  return (struct backoff_policy){
      .kind = kinds[reconnect->policy], .base_ms = reconnect->base_ms, .cap_ms = reconnect->cap_ms};
}

static int set_endpoints(struct run *run, struct fleet_config *config)
{
  for (int e = 0; e < FLEET_ENDPOINTS; e++) {
    uint16_t port = broker_port(run->broker, (enum broker_listener) e);
    if (port == 0) continue;
    config->host[e] = broker_host(run->broker);
    const char *address = broker_address(run->broker, (enum broker_listener) e);
    if (resolve(run, address, port, &config->address[e]) != 0) return -1;
  }
  return 0;
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

static int start_fleet(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  bool loopback = scenario_is_loopback(broker_address(run->broker, BROKER_MAIN));
  struct fleet_config config = {.backend = run->backend,
                                .ops = &device_builtin,
                                .profile = &scenario->device,
                                .device_count = scenario->devices,
                                .page = page_of,
                                .page_size = DEVICE_NVM_PAGE_SIZE,
                                .id = id_of,
                                .pages = run->pki,
                                .source_addresses = loopback ? addresses_needed(scenario->devices) : 0,
                                .reconnect = reconnect_policy(&scenario->reconnect),
                                .seed = scenario->seed,
                                .metrics = run->metrics,
                                .events = run->events};
  if (loopback && scenario->source_addresses > 0) config.source_addresses = scenario->source_addresses;
  if (set_endpoints(run, &config) != 0 || set_anchors(run, &config) != 0) return -1;
  if (fleet_create(&config, &run->fleet, &run->error) != 0) return -1;
  int root = run_root_index(run, scenario->device_root);
  for (size_t i = 0; i < scenario->devices; i++) fleet_set_identity(run->fleet, i, root);
  return 0;
}

static uint64_t resident_bytes(void)
{
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

int run_setup(struct run *run)
{
  const struct run_options *options = run->options;
  bool ready = start_loop(run) == 0 && open_results(run) == 0 && check_targets(run) == 0 &&
               addresses_preflight(run->scenario->devices, &run->error) == 0 &&
               (options->fleet != NULL ? open_fleet_folder(run) : make_fleet_folder(run)) == 0 &&
               learn_fleet(run) == 0 && start_broker(run) == 0;
  if (ready) {
    run->rss_before = resident_bytes();
    run->backend = backend_uv_create(&run->loop);
    ready = run->backend != NULL && start_fleet(run) == 0 && start_operator(run) == 0;
  }
  if (!options->quiet) run->progress = progress_create(stderr);
  if (!ready) run_abort(run, &run->error);
  return ready ? 0 : -1;
}

/* Teardown ----------------------------------------------------------------------------------------------------------
 */

static void turn_until(struct run *run, const bool *flag, uint64_t within_ms)
{
  uint64_t until_ms = uv_now(&run->loop) + within_ms;
  while (!*flag && uv_now(&run->loop) < until_ms) uv_run(&run->loop, UV_RUN_ONCE);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

void run_end_world(struct run *run)
{
  bool closed = false;
  if (run->operator!= NULL) operator_stop(run->operator); /* first: its threads read the fleet's clock */
  run->operator= NULL;
  if (run->fleet != NULL) {
    fleet_close(run->fleet, set_flag, &closed);
    turn_until(run, &closed, TEARDOWN_MS);
    assert(closed);
    run->fleet = NULL;
  }
  if (run->backend != NULL) backend_uv_destroy(run->backend);
}

static void end_broker(struct run *run)
{
  bool closed = false;
  if (run->broker == NULL) return;
  broker_close(run->broker, set_flag, &closed);
  turn_until(run, &closed, TEARDOWN_MS);
}

static void end_loop(struct run *run)
{
  if (!run->loop_open) return;
  uv_close((uv_handle_t *) &run->tick, NULL);
  uv_close((uv_handle_t *) &run->wake, NULL);
  for (size_t i = 0; i < 2; i++) uv_close((uv_handle_t *) &run->signals[i], NULL);
  uv_run(&run->loop, UV_RUN_DEFAULT);
  uv_loop_close(&run->loop);
}

void run_teardown(struct run *run)
{
  end_broker(run);
  end_loop(run);
  if (run->pki != NULL) pki_close(run->pki);
  metrics_destroy(run->metrics);
  for (size_t p = 0; run->results.phases != NULL && p < run->results.phase_count; p++)
    free(run->results.phases[p].expectations);
  free(run->results.phases);
  free(run->results.expectations);
  free(run->ids);
  free(run->acked_version);
  free(run->identity_pushed);
}
