/* From a checked scenario to a fleet at rest beside a running broker. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/host_port.h"
#include "crypto/p256_host.h"
#include "crypto/records.h"
#include "device/nvm.h"
#include "fleet/preflight.h"
#include "run/ota.h"
#include "run/out.h"

#define OFFICE_START_MS       20000u /* time to find out about a broker that is silent, too */
#define FAILOVER_KEEP_ALIVE_S 5u

/* --- The loop --------------------------------------------------------------------------------- */

static void on_wake(uv_async_t *async)
{
  run_collect(async->data);
}

/* All that would end this process without results, and that somebody may mean as "end": a terminal,
 * a batch system before it kills, a limit of CPU time. SIGHUP stays ignored under nohup. */
static void watch_signals(struct run *run)
{
  static const int numbers[RUN_SIGNALS] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                           SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM};
  for (size_t i = 0; i < RUN_SIGNALS; i++) {
    struct sigaction before;
    bool ignored = sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    if (numbers[i] == SIGHUP && ignored) continue;
    uv_signal_t *handle = &run->signals[run->signal_count++];
    uv_signal_init(&run->loop, handle);
    handle->data = run;
    uv_signal_start(handle, run_on_signal, numbers[i]);
  }
  /* a write that fails is told where it fails */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

static int start_loop(struct run *run)
{
  int status = uv_loop_init(&run->loop);
  if (status != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "cannot make an event loop: %s%s",
                     uv_strerror(status), error_remedy(-status));
  run->loop_open = true;
  run->began_ms = uv_now(&run->loop);
  uv_timer_init(&run->loop, &run->tick);
  run->tick.data = run;
  uv_timer_start(&run->tick, run_on_tick, 0, 20);
  uv_async_init(&run->loop, &run->wake, on_wake);
  run->wake.data = run;
  watch_signals(run);
  return 0;
}

/* --- Results ---------------------------------------------------------------------------------- */

static int describe(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct results *results = &run->results;
  snprintf(results->scenario_name, sizeof results->scenario_name, "%s", scenario->name);
  snprintf(results->scenario_file, sizeof results->scenario_file, "%s", scenario->file);
  snprintf(results->scenario_sha256, sizeof results->scenario_sha256, "%s", scenario->sha256);
  snprintf(results->profile, sizeof results->profile, "%s", scenario->profile_name);
  snprintf(results->crypto, sizeof results->crypto, "%s", scenario_crypto_name(scenario->crypto));
  snprintf(results->version_fleetsim, sizeof results->version_fleetsim, "%s",
           run->options->version);
  snprintf(results->version_mbedtls, sizeof results->version_mbedtls, "%s",
           device_builtin.tls_library);
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
  return 0;
}

/* --- The operator ----------------------------------------------------------------------------- */

static void wake_from_any_thread(void *ctx)
{
  uv_async_send(&((struct run *) ctx)->wake);
}

/* Neither is 0, which is what nobody has, and they differ. */
uint32_t run_clones_mark(const struct run *run)
{
  return run->mark ^ 1;
}

static int draw_mark(struct run *run)
{
  int status = uv_random(NULL, NULL, &run->mark, sizeof run->mark, 0, NULL);
  run->mark |= 2;
  return status == 0
             ? 0
             : error_set(&run->error, EXIT_CODE_SETUP, "no random bytes: %s", uv_strerror(status));
}

static uint64_t office_clock(void *ctx)
{
  return fleet_clock_us(((struct run *) ctx)->fleet);
}

static bool office_is_settled(struct run *run, void *ctx)
{
  (void) ctx;
  return run->office_online || run->office_gave_up;
}

static int start_office(struct run *run)
{
  /* from the last to the first: the last one is where bridged brokers meet */
  const struct scenario *scenario = run->scenario;
  struct office_server servers[SCENARIO_NODES_MAX] = {{0}};
  size_t count = scenario->node_count;
  for (size_t n = 0; n < count; n++)
    servers[count - 1 - n] =
        (struct office_server){.host = broker_host(run->nodes[n].broker),
                               .port = broker_inner_port(run->nodes[n].broker, BROKER_MAIN)};
  struct office_config config = {.host = servers[0].host,
                                 .port = servers[0].port,
                                 .others = servers + 1,
                                 .other_count = count - 1,
                                 .permit = &run->permit,
                                 .keep_alive_s = count > 1 ? FAILOVER_KEEP_ALIVE_S : 0,
                                 .ca_path = run->operator_ca,
                                 .certificate_path = run->operator_certificate,
                                 .key_path = run->operator_key,
                                 .device_count = scenario->devices,
                                 .ids = run->ids,
                                 .mark = run->mark,
                                 .clones_mark = run_clones_mark(run),
                                 .now_us = office_clock,
                                 .clock = run,
                                 .wake = wake_from_any_thread,
                                 .ctx = run,
                                 .earlier = scenario->remote, /* a local broker's folder is new */
                                 .new_fleet = scenario->remote && run->options->fleet == NULL,
                                 .ota = scenario->ota.on};
  if (office_start(&config, &run->office, &run->error) != 0) return -1;
  enum run_waited waited = run_wait(run, office_is_settled, NULL, OFFICE_START_MS);
  if (run->office_online || waited == RUN_ABORTED) return run->office_online ? 0 : -1;
  char place[HOST_PORT_MAX];
  return error_set(&run->error, EXIT_CODE_SETUP, "the operator cannot connect to %s%s: %s",
                   host_port(config.host, config.port, place),
                   waited == RUN_TIMED_OUT ? " within 20 s" : "",
                   run->office_said[0] != '\0' ? run->office_said : "it was not answered");
}

/* --- The fleet -------------------------------------------------------------------------------- */

static uint8_t *page_of(void *pki, size_t index)
{
  return pki_device_page(pki, index);
}

static uint32_t id_of(void *pki, size_t index)
{
  return pki_device_id(pki, index);
}

static int set_anchors(struct run *run, struct fleet_config *config)
{
  const struct pki_roots *roots = pki_roots(run->pki);
  config->root_count = roots->count;
  for (size_t r = 0; r < roots->count; r++)
    if (pki_anchor_id(run->pki, roots->name[r], config->anchor_id[r]) != 0)
      return error_set(&run->error, EXIT_CODE_INTERNAL,
                       "root %s has no certificate in the fleet folder", roots->name[r]);
  return 0;
}

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
  size_t brokers = scenario->remote ? 0 : scenario->node_count + scenario->has_false;
  return (unsigned) (THREADS + BROKER * brokers + (scenario->ota.server ? SERVER : 0) +
                     (scenario->remote ? HOOK : 0));
}

/* Before the broker is started, which inherits the limit of descriptors. */
static int check_machine(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  crypto_set_record_bytes(scenario->record_bytes); /* a part of what a device weighs */
  struct preflight_need need = {
      .devices = scenario->devices,
      .bytes_per_device = fleet_bytes_per_device(&device_builtin, run_device_profile(run)),
      .loopback = is_loopback(scenario),
      .downloads = run_ota_downloads(run),
      .descriptors_per_download = RUN_DESCRIPTORS_PER_DOWNLOAD,
      .disk_bytes_per_device = run_ota_flash_bytes(run),
      .disk_folder = scenario->ota.on ? run->options->out : NULL,
      .threads = threads_of(scenario),
      .source_addresses = scenario->source_addresses};
  if (preflight(&need, &run->error) != 0) return -1;
  run->source_addresses = need.source_addresses;
  return 0;
}

int run_fleet_config(struct run *run, struct fleet_config *out)
{
  const struct scenario *scenario = run->scenario;
  *out = (struct fleet_config){.backend = run->backend,
                               .mark = run->mark,
                               .began_us = run->began_ms * 1000,
                               .ops = &device_builtin,
                               .profile = run_device_profile(run),
                               .device_count = scenario->devices,
                               .page = page_of,
                               .page_size = DEVICE_NVM_PAGE_SIZE,
                               .id = id_of,
                               .pages = run->pki,
                               .source_addresses = run->source_addresses,
                               .endpoints =
                                   scenario->shuffled_endpoints ? FLEET_SHUFFLED : FLEET_ORDERED,
                               .reconnect = run_policy(&scenario->reconnect),
                               .timing = &run->timing,
                               .pace = scenario->pace,
                               .seed = scenario->seed,
                               .metrics = run->metrics,
                               .events = run->events};
  run_ota_lend(run, out);
  return run_set_places(run, out) != 0 ? -1 : set_anchors(run, out);
}

/* A local broker has begun with the chain that was written for it; what one elsewhere serves is
 * somebody else's until a step presents something. Nobody proves anything at a false one. */
static void note_served(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  for (size_t n = 0; n < scenario->node_count && !scenario->remote; n++) {
    fleet_serves(run->fleet, (int) n, run->nodes[n].fingerprint[BROKER_MAIN]);
    memset(run->nodes[n].waiting, 0, sizeof run->nodes[n].waiting);
  }
  if (scenario->has_false) fleet_serves(run->fleet, (int) scenario->node_count, NULL);
}

static int start_fleet(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  struct fleet_config config;
  p256_host_set_native(scenario->crypto == SCENARIO_NATIVE);
  if (run_fleet_config(run, &config) != 0) return -1;
  if (scenario_names(scenario, "identified"))
    config.roots_of = run_roots_of, config.roots_ctx = run;
  if (fleet_create(&config, &run->fleet, &run->error) != 0) return -1;
  note_served(run);
  return run_set_cohort_policies(run);
}

static uint64_t resident_bytes(void)
{
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

static void book_delay(void *ctx, uint64_t delay_ms)
{
  metrics_record_us(((struct run *) ctx)->metrics, METRIC_PROCESS_LOOP_DELAY, delay_ms * 1000);
}

int run_setup(struct run *run)
{
  const struct run_options *options = run->options;
  bool given = options->fleet != NULL; /* else the fleet is made in the folder for results */
  bool ready = start_loop(run) == 0 && draw_mark(run) == 0 && describe(run) == 0 &&
               run_out_open(run) == 0 && run_set_brake(run) == 0 && run_load_timing(run) == 0 &&
               run_check_targets(run) == 0 && run_ota_begin(run) == 0 && check_machine(run) == 0 &&
               (!given || run_open_folder(run) == 0) && run_out_begin(run) == 0 &&
               (given || run_open_folder(run) == 0) && run_ota_prepare(run) == 0 &&
               run_start_nodes(run) == 0 && run_ota_start_server(run) == 0 &&
               run_count_budget(run) == 0;
  if (ready) {
    run->rss_before = resident_bytes();
    run->backend = backend_uv_create(&run->loop);
    ready = run->backend != NULL && start_fleet(run) == 0 && start_office(run) == 0 &&
            run_ota_withdraw(run, true) == 0;
  }
  if (ready) loop_delay_start(&run->delay, &run->loop, book_delay, run);
  if (!options->quiet) run->progress = progress_create(stderr);
  if (!ready) run_out_begin_refused(run);
  if (!ready) run_abort(run, &run->error);
  return ready ? 0 : -1;
}
