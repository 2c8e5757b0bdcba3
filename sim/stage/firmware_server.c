/* Images over HTTPS: the run's own nginx, the proxy before it that may go bad, and the devices' way
 * there. Its certificate is of the update CA, which is none of the brokers' roots. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/fetch.h"
#include "stage/firmware.h"
#include "stage/operation.h"
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

static int start_nginx(struct stage *stage)
{
  struct stage_operation *operation = stage_operation_new(stage);
  if (operation == NULL) return -1;
  nginx_start(stage->ota->server->nginx, stage_operation_ended, operation);
  return stage_operation_finish(stage, operation, "the start of nginx", START_WITHIN_MS);
}

static void on_nginx_died(void *ctx, const char *how)
{
  struct stage *stage = ctx;
  struct error error;
  error_set(&error, EXIT_CODE_SETUP,
            "nginx ended without being asked to (%s); its log is nginx.log under %s/updates", how,
            stage->options->out);
  stage_abort(stage, &error);
}

static int write_server_chain(struct stage *stage)
{
  struct ota_server *server = stage->ota->server;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  const struct pki_chain chain = {.host = HOST};
  if (nginx_key_path(server->nginx, "server.crt", certificate) != 0 ||
      nginx_key_path(server->nginx, "server.key", key) != 0)
    return error_set(&stage->error, EXIT_CODE_SETUP,
                     "the update server's folder has too long a path; use a shorter --out");
  return pki_write_update_chain(stage->pki, &chain, certificate, key, server->ca_path,
                                &stage->error);
}

static int open_nginx(struct stage *stage)
{
  struct ota_server *server = stage->ota->server;
  char folder[FILES_PATH_MAX], keys[FILES_PATH_MAX];
  if (files_join(folder, stage->options->out, "updates", &stage->error) != 0 ||
      files_join(keys, stage->keys, "updates", &stage->error) != 0)
    return -1;
  const struct nginx_config config = {.folder = folder,
                                      .keys = keys,
                                      .host = HOST,
                                      .ca_path = server->ca_path, /* written before it starts */
                                      .connections = stage_ota_downloads(stage) + CONNECTIONS_MORE,
                                      .died = on_nginx_died,
                                      .ctx = stage};
  if (nginx_open(world_loop(stage->world), &config, &server->nginx, &stage->error) != 0 ||
      write_server_chain(stage) != 0)
    return -1;
  return start_nginx(stage);
}

static int open_proxy(struct stage *stage)
{
  struct ota_server *server = stage->ota->server;
  const struct proxy_config config = {.to_port = nginx_port(server->nginx),
                                      .connections = stage_ota_downloads(stage) + CONNECTIONS_MORE,
                                      .seed = stage->scenario->seed};
  return proxy_open(world_loop(stage->world), &config, &server->proxy, &stage->error);
}

static int open_fetch(struct stage *stage)
{
  struct ota_server *server = stage->ota->server;
  char way[64];
  snprintf(way, sizeof way, HOST ":%u:127.0.0.1", proxy_port(server->proxy));
  const char *const resolve[] = {way, NULL};
  const struct fetch_config config = {.loop = world_loop(stage->world),
                                      .ca_path = server->ca_path,
                                      .resolve = resolve,
                                      .at_once = (uint32_t) stage_ota_downloads(stage)};
  server->fetch = fetch_open(&config, &stage->error);
  return server->fetch != NULL ? 0 : -1;
}

int stage_ota_start_server(struct stage *stage)
{
  struct stage_ota *ota = stage->ota;
  if (ota == NULL || !stage->scenario->ota.server) return 0;
  ota->server = calloc(1, sizeof *ota->server);
  if (ota->server == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "out of memory for the update server");
  if (open_nginx(stage) != 0 || open_proxy(stage) != 0 || open_fetch(stage) != 0) return -1;
  if (ota->profile.rescue_after == 0) return 0;
  if (stage_ota_url(stage, "rescue.manifest", ota->rescue_url) != 0) return -1;
  ota->profile.rescue_url = ota->rescue_url;
  return 0;
}

/* --- Ending ----------------------------------------------------------------------------------- */

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

void stage_ota_end_server(struct stage *stage, void (*turn)(struct stage *stage, const bool *flag))
{
  struct ota_server *server = stage->ota != NULL ? stage->ota->server : NULL;
  bool no_fetch = false, no_proxy = false, no_nginx = false;
  if (server == NULL) return;
  if (server->fetch != NULL) {
    fetch_close(server->fetch, set_flag, &no_fetch);
    turn(stage, &no_fetch);
  }
  if (server->proxy != NULL) {
    proxy_close(server->proxy, set_flag, &no_proxy);
    turn(stage, &no_proxy);
  }
  if (server->nginx != NULL) {
    nginx_close(server->nginx, set_flag, &no_nginx);
    turn(stage, &no_nginx);
  }
  if (stage->stuck) return;
  free(server);
  stage->ota->server = NULL;
}

/* --- What it serves --------------------------------------------------------------------------- */

struct fetch *stage_ota_fetch(const struct stage *stage)
{
  return stage->ota->server != NULL ? stage->ota->server->fetch : NULL;
}

int stage_ota_url(struct stage *stage, const char *name, char out[DEVICE_OTA_URL_MAX])
{
  int n = snprintf(out, DEVICE_OTA_URL_MAX, "https://" HOST ":%u/%s",
                   proxy_port(stage->ota->server->proxy), name);
  if (n > 0 && n < (int) DEVICE_OTA_URL_MAX) return 0;
  return error_set(&stage->error, EXIT_CODE_INTERNAL, "the URL of %s is too long for a manifest",
                   name);
}

int stage_ota_put(struct stage *stage, const char *name, const void *data, size_t size)
{
  char file[64], path[FILES_PATH_MAX];
  snprintf(file, sizeof file, "files/%s", name);
  if (nginx_path(stage->ota->server->nginx, file, path) != 0)
    return error_set(&stage->error, EXIT_CODE_SETUP,
                     "the update server's folder has too long a path; use a shorter --out");
  return files_write(path, data, size, 0644, &stage->error);
}

int stage_ota_disturb(struct stage *stage, const struct proxy_fault *fault)
{
  return proxy_set(stage->ota->server->proxy, fault, &stage->error);
}

/* Bytes are those of files: what arrived of them, once and again. */
void stage_ota_look_at_server(struct stage *stage)
{
  struct ota_server *server = stage->ota->server;
  struct fetch_totals files;
  struct proxy_totals line;
  if (server == NULL || server->fetch == NULL) return;
  fetch_totals(server->fetch, &files);
  proxy_totals(server->proxy, &line);
  metrics_add(stage->metrics, METRIC_OTA_REQUESTS, line.connections - server->connections_booked);
  metrics_add(stage->metrics, METRIC_OTA_SERVED_BYTES, files.bytes - server->bytes_booked);
  server->connections_booked = line.connections;
  server->bytes_booked = files.bytes;
  if (line.connections_peak_per_s > stage->ota->requests.most)
    stage->ota->requests.most = line.connections_peak_per_s;
  if (files.bytes_peak_per_s > stage->ota->served.most)
    stage->ota->served.most = files.bytes_peak_per_s;
}
