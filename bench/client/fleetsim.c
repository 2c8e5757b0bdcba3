#define _GNU_SOURCE
/* Our own client: the fleet as a run has it, on the libuv backend. Accelerated, with the device
 * library's own P-256, or paced: each device as slow as the processor of a timing profile.
 */
#include <stdlib.h>

#include "client.h"
#include "crypto/p256_host.h"
#include "fleet/fleet.h"
#include "fleet/preflight.h"
#include "fleetsim/nvm.h"
#include "net/backend_uv.h"
#include "pki/nvm_store.h"
#include "pki/pki.h"

static struct device_profile profile = {
    .name = "bench",
    .tls_min = 13,
    .tls_max = 13,
    .mqtt_version = 4,
    .clean_start = true,
    .keep_alive_s = CLIENT_KEEP_ALIVE_S,
    .tcp_timeout_ms = 20000,
    .handshake_timeout_ms = 20000,
    .connack_timeout_ms = 20000,
    .ack_timeout_ms = 20000,
    .byte_budget = 65536,
    .borrows = true,
};

/* The one fleet of this process; made by `prepare`, so that its memory counts as the
   connections'. */
static struct {
  struct fleet_config config;
  struct fleet *fleet;
  struct pki *pki;
  struct timing_profile timing; /* `fleetsim_paced` */
} own;

static uint8_t *page_of(void *ctx, size_t index)
{
  return pki_device_page(ctx, index);
}

static uint32_t id_of(void *ctx, size_t index)
{
  return pki_device_id(ctx, index);
}

static const char *version(void)
{
  return device_builtin.tls_library;
}

/* The other kinds have their devices' certificates in memory by now: so has ours its flash. */
static void touch_pages(size_t devices)
{
  volatile uint8_t sink = 0;
  for (size_t i = 0; i < devices; i++)
    for (size_t at = 0; at < DEVICE_NVM_PAGE_SIZE; at += 4096)
      sink ^= pki_device_page(own.pki, i)[at];
}

static int open_fleet(const struct client_config *client, struct error *error)
{
  struct preflight_need need = {.devices = client->devices,
                                .bytes_per_device =
                                    fleet_bytes_per_device(&device_builtin, &profile),
                                .loopback = true};
  if (preflight(&need, error) != 0 || pki_open(client->fleet, &own.pki, error) != 0) return -1;
  if (pki_device_count(own.pki) < client->devices)
    return error_set(error, EXIT_CODE_USAGE, "%s holds %zu devices, not %zu", client->fleet,
                     pki_device_count(own.pki), client->devices);
  own.config = (struct fleet_config){
      .backend = backend_uv_create(client->loop),
      .ops = &device_builtin,
      .profile = &profile,
      .place = {{.host = client->host, .address = {{.at = client->broker}}, .address_count = 1}},
      .place_count = 1,
      .device_count = client->devices,
      .page = page_of,
      .page_size = DEVICE_NVM_PAGE_SIZE,
      .page_read = pki_nvm_read,
      .page_write = pki_nvm_write,
      .id = id_of,
      .pages = own.pki,
      .source_addresses = need.source_addresses,
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 3600u * 1000u, .cap_ms = 3600u * 1000u},
      .seed = 1,
      .metrics = metrics_create(),
  };
  if (own.config.backend == NULL || own.config.metrics == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for a backend");
  own.config.began_us = backend_now_us(own.config.backend);
  touch_pages(client->devices);
  return events_open(client->peers, &own.config.events, error);
}

static int open_native(const struct client_config *client, struct error *error)
{
  p256_host_set_native(true);
  return open_fleet(client, error);
}

static int open_tickets(const struct client_config *client, struct error *error)
{
  profile.resume = DEVICE_RESUME_RAM;
  return open_fleet(client, error);
}

static int open_paced(const struct client_config *client, struct error *error)
{
  const char *named = getenv(CLIENT_TIMING);
  if (timing_load(named != NULL ? named : CLIENT_TIMING_DEFAULT, &own.timing, error) != 0 ||
      open_fleet(client, error) != 0)
    return -1;
  own.config.timing = &own.timing;
  own.config.pace = true;
  return 0;
}

static int prepare(struct error *error)
{
  return fleet_create(&own.config, &own.fleet, error);
}

static void connect_device(size_t index)
{
  uint32_t device = (uint32_t) index;
  fleet_connect(own.fleet, &device, 1, 0, false);
}

static bool publish(size_t index, int qos)
{
  return fleet_publish(own.fleet, index, CLIENT_PAYLOAD, (uint8_t) qos);
}

static void counts(struct client_counts *out)
{
  *out = (struct client_counts){
      .failed = (size_t) metrics_value(own.config.metrics, METRIC_CONNECT_FAILED),
      .confirmed = (uint64_t) metrics_value(own.config.metrics, METRIC_TELEMETRY_ACKED)};
  if (own.fleet == NULL) return;
  struct fleet_census census;
  fleet_census(own.fleet, &census);
  out->online = census.online;
  out->lost = (size_t) metrics_value(own.config.metrics, METRIC_CONNECT_OK) - census.online;
}

/* Verification is never off: what was not computed again was found among those that had been, byte
   for byte. */
static void describe(json_t *out)
{
  struct p256_host_memory memory = p256_host_memory();
  json_object_set_new(out, "verifications_remembered", json_integer((json_int_t) memory.hits));
  json_object_set_new(out, "verifications_computed", json_integer((json_int_t) memory.misses));
  json_t *names = json_object();
  for (int i = 0; i < DEVICE_FAIL_COUNT; i++) {
    const struct metrics_failure *failure =
        metrics_failure(own.config.metrics, (enum device_failure) i);
    if (failure->count > 0)
      json_object_set_new(names, device_failure_name((enum device_failure) i),
                          json_integer((json_int_t) failure->count));
  }
  json_object_set_new(out, "failures", names);
}

static void describe_histogram(json_t *out, const char *key, enum metric histogram)
{
  struct metrics_stats stats;
  metrics_stats(own.config.metrics, histogram, &stats);
  json_object_set_new(out, key,
                      json_pack("{s:f, s:f, s:f, s:f}", "min", stats.min, "p50", stats.p50, "p99",
                                stats.p99, "max", stats.max));
}

/* Modelled times, how late they were kept, and by which profile. */
static void describe_paced(json_t *out)
{
  describe(out);
  describe_histogram(out, "device_ms", METRIC_HANDSHAKE_DEVICE);
  describe_histogram(out, "lateness_ms", METRIC_PACE_LATENESS);
  json_object_set_new(out, "timing", json_string(own.timing.name));
  json_object_set_new(out, "clock_hz", json_real(own.timing.clock_hz));
  json_object_set_new(out, "k_nominal", json_real(own.timing.k_nominal));
}

const struct client_kind client_fleetsim = {.name = "fleetsim",
                                            .version = version,
                                            .open = open_fleet,
                                            .prepare = prepare,
                                            .connect = connect_device,
                                            .publish = publish,
                                            .counts = counts,
                                            .describe = describe};
const struct client_kind client_fleetsim_native = {.name = "fleetsim_native",
                                                   .version = version,
                                                   .open = open_native,
                                                   .prepare = prepare,
                                                   .connect = connect_device,
                                                   .publish = publish,
                                                   .counts = counts,
                                                   .describe = describe};
const struct client_kind client_fleetsim_tickets = {.name = "fleetsim_tickets",
                                                    .version = version,
                                                    .open = open_tickets,
                                                    .prepare = prepare,
                                                    .connect = connect_device,
                                                    .publish = publish,
                                                    .counts = counts,
                                                    .describe = describe};
const struct client_kind client_fleetsim_paced = {.name = "fleetsim_paced",
                                                  .version = version,
                                                  .open = open_paced,
                                                  .prepare = prepare,
                                                  .connect = connect_device,
                                                  .publish = publish,
                                                  .counts = counts,
                                                  .describe = describe_paced};
