/* Images over HTTPS: the run's own nginx, the proxy before it that may go bad, and the devices' way
 * there. Its certificate is of the update CA, which is none of the brokers' roots. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/fetch.h"
#include "run/operation.h"
#include "run/ota.h"
#include "updates/nginx.h"
#include "updates/proxy.h"

#define HOST             "localhost"
#define START_WITHIN_MS  15000u
#define CONNECTIONS_MORE 64u /* for the probe, and for connections that are still closing */

struct ota_server {
  struct nginx *nginx;
  struct proxy *proxy; /* what devices take for the server */
  struct fetch *fetch;
  char ca_path[FILES_PATH_MAX];
  uint64_t connections_booked, bytes_booked;
};

/* --- Starting --------------------------------------------------------------------------------- */

static int start_nginx(struct run *run)
{
  struct run_operation *operation = run_operation_new(run);
  if (operation == NULL) return -1;
  nginx_start(run->ota->server->nginx, run_operation_ended, operation);
  return run_operation_finish(run, operation, "the start of nginx", START_WITHIN_MS);
}

static void on_nginx_died(void *ctx, const char *how)
{
  struct run *run = ctx;
  struct error error;
  error_set(&error, EXIT_CODE_SETUP,
            "nginx ended without being asked to (%s); its log is nginx.log under %s/updates", how,
            run->options->out);
  run_abort(run, &error);
}

static int write_chain(struct run *run)
{
  struct ota_server *server = run->ota->server;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  const struct pki_chain chain = {.host = HOST};
  if (nginx_path(server->nginx, "server.crt", certificate) != 0 ||
      nginx_path(server->nginx, "server.key", key) != 0)
    return error_set(&run->error, EXIT_CODE_SETUP,
                     "the update server's folder has too long a path; use a shorter --out");
  return pki_write_update_chain(run->pki, &chain, certificate, key, server->ca_path, &run->error);
}

static int open_nginx(struct run *run)
{
  struct ota_server *server = run->ota->server;
  char folder[FILES_PATH_MAX];
  if (files_join(folder, run->options->out, "updates", &run->error) != 0) return -1;
  const struct nginx_config config = {.folder = folder,
                                      .host = HOST,
                                      .ca_path = server->ca_path, /* written before it starts */
                                      .connections = run_ota_downloads(run) + CONNECTIONS_MORE,
                                      .died = on_nginx_died,
                                      .ctx = run};
  if (nginx_open(&run->loop, &config, &server->nginx, &run->error) != 0 || write_chain(run) != 0)
    return -1;
  return start_nginx(run);
}

static int open_proxy(struct run *run)
{
  struct ota_server *server = run->ota->server;
  const struct proxy_config config = {.to_port = nginx_port(server->nginx),
                                      .connections = run_ota_downloads(run) + CONNECTIONS_MORE,
                                      .seed = run->scenario->seed};
  return proxy_open(&run->loop, &config, &server->proxy, &run->error);
}

static int open_fetch(struct run *run)
{
  struct ota_server *server = run->ota->server;
  char way[64];
  snprintf(way, sizeof way, HOST ":%u:127.0.0.1", proxy_port(server->proxy));
  const char *const resolve[] = {way, NULL};
  const struct fetch_config config = {.loop = &run->loop,
                                      .ca_path = server->ca_path,
                                      .resolve = resolve,
                                      .at_once = (uint32_t) run_ota_downloads(run)};
  server->fetch = fetch_open(&config, &run->error);
  return server->fetch != NULL ? 0 : -1;
}

int run_ota_start_server(struct run *run)
{
  struct run_ota *ota = run->ota;
  if (ota == NULL || !run->scenario->ota.server) return 0;
  ota->server = calloc(1, sizeof *ota->server);
  if (ota->server == NULL)
    return error_set(&run->error, EXIT_CODE_SETUP, "out of memory for the update server");
  if (open_nginx(run) != 0 || open_proxy(run) != 0 || open_fetch(run) != 0) return -1;
  if (ota->profile.rescue_after == 0) return 0;
  if (run_ota_url(run, "rescue.manifest", ota->rescue_url) != 0) return -1;
  ota->profile.rescue_url = ota->rescue_url;
  return 0;
}

/* --- Ending ----------------------------------------------------------------------------------- */

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

void run_ota_end_server(struct run *run, void (*turn)(struct run *run, const bool *flag))
{
  struct ota_server *server = run->ota != NULL ? run->ota->server : NULL;
  bool no_fetch = false, no_proxy = false, no_nginx = false;
  if (server == NULL) return;
  if (server->fetch != NULL) {
    fetch_close(server->fetch, set_flag, &no_fetch);
    turn(run, &no_fetch);
  }
  if (server->proxy != NULL) {
    proxy_close(server->proxy, set_flag, &no_proxy);
    turn(run, &no_proxy);
  }
  if (server->nginx != NULL) {
    nginx_close(server->nginx, set_flag, &no_nginx);
    turn(run, &no_nginx);
  }
  if (run->stuck) return;
  free(server);
  run->ota->server = NULL;
}

/* --- What it serves --------------------------------------------------------------------------- */

struct fetch *run_ota_fetch(const struct run *run)
{
  return run->ota->server != NULL ? run->ota->server->fetch : NULL;
}

int run_ota_url(struct run *run, const char *name, char out[DEVICE_OTA_URL_MAX])
{
  int n = snprintf(out, DEVICE_OTA_URL_MAX, "https://" HOST ":%u/%s",
                   proxy_port(run->ota->server->proxy), name);
  if (n > 0 && n < (int) DEVICE_OTA_URL_MAX) return 0;
  return error_set(&run->error, EXIT_CODE_INTERNAL, "the URL of %s is too long for a manifest",
                   name);
}

int run_ota_put(struct run *run, const char *name, const void *data, size_t size)
{
  char file[64], path[FILES_PATH_MAX];
  snprintf(file, sizeof file, "files/%s", name);
  if (nginx_path(run->ota->server->nginx, file, path) != 0)
    return error_set(&run->error, EXIT_CODE_SETUP,
                     "the update server's folder has too long a path; use a shorter --out");
  return files_write(path, data, size, 0644, &run->error);
}

int run_ota_disturb(struct run *run, const struct proxy_fault *fault)
{
  return proxy_set(run->ota->server->proxy, fault, &run->error);
}

/* Bytes are those of files: what arrived of them, once and again. */
void run_ota_look_at_server(struct run *run)
{
  struct ota_server *server = run->ota->server;
  struct fetch_totals files;
  struct proxy_totals line;
  if (server == NULL || server->fetch == NULL) return;
  fetch_totals(server->fetch, &files);
  proxy_totals(server->proxy, &line);
  metrics_add(run->metrics, METRIC_OTA_REQUESTS, line.connections - server->connections_booked);
  metrics_add(run->metrics, METRIC_OTA_SERVED_BYTES, files.bytes - server->bytes_booked);
  server->connections_booked = line.connections;
  server->bytes_booked = files.bytes;
  if (line.connections_peak_per_s > run->ota->requests.most)
    run->ota->requests.most = line.connections_peak_per_s;
  if (files.bytes_peak_per_s > run->ota->served.most)
    run->ota->served.most = files.bytes_peak_per_s;
}
