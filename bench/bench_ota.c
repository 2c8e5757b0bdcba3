/* What downloads over HTTPS cost: many of one image, from one nginx, each over a connection and a
 * handshake of its own; ours beside curl --parallel. Every kind is a process that lives for one
 * measurement, so that its CPU time and its peak memory are those of the downloads and nothing
 * else.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "lab/kinds.h"
#include "lab/lab.h"
#include "lab/process.h"
#include "lab/rehearsal.h"
#include "lab/report.h"
#include "lab/stats.h"
#include "net/fetch.h"
#include "pki/pki.h"
#include "updates/nginx.h"

#define HOST       "updates.test"
#define IMAGE_SIZE (256u * 1024u)
#define CURL_MOST  300 /* transfers at once: more of them curl's --parallel-max does not take */
#define TOTAL_S    300
#define TEXT_MAX   (64u << 20)

/* fleetsim: all at once. fleetsim_300: as many at once as curl. fleetsim_slow: all at once from a
 * slow server, so that all of them are really open together. curl: a connection for each file.
 * curl_reuse: as curl likes it. devices_https, devices_mqtt: a fleet that updates itself: download,
 * flash, hash, signature, restart, and the connection after it. */
static const char *const every_kind[] = {"fleetsim",   "fleetsim_300",  "fleetsim_slow", "curl",
                                         "curl_reuse", "devices_https", "devices_mqtt",  NULL};

struct bench {
  struct options options;
  struct kinds kinds;
  struct lab lab; /* of it only the folder */
  bool loop_open;
  uv_loop_t loop;
  struct pki *pki;
  struct nginx *nginx;
  char ca_path[FILES_PATH_MAX];
  json_t *report;
  struct stats mib_per_s, cpu_ms_per_mib, rss_mib;
  double rss_mib_of_one, cpu_s_of_connecting;
};

/* --- A process that downloads: bench-ota download CA PORT PATH COUNT AT_ONCE ------------------ */

struct downloads {
  size_t count, ended, whole;
};

struct download {
  struct downloads *all;
  uint64_t size;
};

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  (void) data;
  ((struct download *) user)->size += size;
}

static void on_ended(void *user, enum device_ota_status cause)
{
  const struct download *download = user;
  download->all->ended++;
  download->all->whole += cause == DEVICE_OTA_NONE && download->size == IMAGE_SIZE;
}

static void on_closed(void *ctx)
{
  *(bool *) ctx = true;
}

static int download_all(struct fetch *fetch, uv_loop_t *loop, const char *url,
                        struct downloads *all)
{
  static const struct fetch_handler handler = {on_bytes, on_ended};
  struct fetch_request request = {
      .url = url, .size_max = IMAGE_SIZE, .unix_s = (int64_t) time(NULL)};
  struct download *each = calloc(all->count, sizeof *each);
  bool closed = false;
  for (size_t i = 0; each != NULL && i < all->count; i++) {
    each[i].all = all;
    if (fetch_begin(fetch, &request, &handler, &each[i]) == NULL) abort();
  }
  while (each != NULL && all->ended < all->count) uv_run(loop, UV_RUN_ONCE);
  fetch_close(fetch, on_closed, &closed);
  while (!closed) uv_run(loop, UV_RUN_ONCE);
  free(each);
  return printf("%zu\n", all->whole) > 0 ? EXIT_CODE_PASS : EXIT_CODE_INTERNAL;
}

static int be_the_downloader(char **argument)
{
  uv_loop_t loop;
  char resolve[80], url[DEVICE_OTA_URL_MAX];
  struct error error = {.text = ""};
  struct downloads all = {.count = strtoul(argument[3], NULL, 10)};
  snprintf(resolve, sizeof resolve, HOST ":%s:127.0.0.1", argument[1]);
  snprintf(url, sizeof url, "https://" HOST ":%s/%s", argument[1], argument[2]);
  const char *const list[] = {resolve, NULL};
  uv_loop_init(&loop);
  struct fetch_config config = {.loop = &loop,
                                .ca_path = argument[0],
                                .resolve = list,
                                .connect_ms = TOTAL_S * 1000,
                                .total_ms = TOTAL_S * 1000,
                                .at_once = (uint32_t) strtoul(argument[4], NULL, 10)};
  struct fetch *fetch = fetch_open(&config, &error);
  if (fetch != NULL) return download_all(fetch, &loop, url, &all);
  fprintf(stderr, "bench ota: %s\n", error.text);
  return error.code;
}

/* --- The kinds -------------------------------------------------------------------------------- */

static int path_in(const struct bench *bench, const char *name, char out[FILES_PATH_MAX],
                   struct error *error)
{
  return files_join(out, bench->lab.folder, name, error);
}

/* Lines of the output that begin so. */
static int count_lines(const char *path, const char *wanted, size_t *count, struct error *error)
{
  uint8_t *text = NULL;
  size_t size = 0;
  if (files_read(path, TEXT_MAX, &text, &size, error) != 0) return -1;
  char *rest = NULL;
  *count = 0;
  for (char *line = strtok_r((char *) text, "\n", &rest); line != NULL;
       line = strtok_r(NULL, "\n", &rest))
    *count += strcmp(line, wanted) == 0;
  free(text);
  return 0;
}

static int run_ours(struct bench *bench, const char *path, size_t count, size_t at_once,
                    struct process_cost *out, size_t *whole, struct error *error)
{
  char self[FILES_PATH_MAX], printed[FILES_PATH_MAX], number[3][24];
  uint8_t *text = NULL;
  size_t size = 0;
  snprintf(number[0], sizeof number[0], "%u", nginx_port(bench->nginx));
  snprintf(number[1], sizeof number[1], "%zu", count);
  snprintf(number[2], sizeof number[2], "%zu", at_once);
  char *arguments[] = {self,          "download", bench->ca_path, number[0],
                       (char *) path, number[1],  number[2],      NULL};
  if (process_beside("", self, error) != 0 || path_in(bench, "printed", printed, error) != 0 ||
      process_run(arguments, printed, false, NULL, out, error) != 0 ||
      files_read(printed, 100, &text, &size, error) != 0)
    return -1;
  *whole = strtoul((char *) text, NULL, 10);
  free(text);
  return 0;
}

/* The list of files to get: curl reads thousands of them from its -K file. */
static int write_list(const struct bench *bench, char path[FILES_PATH_MAX], struct error *error)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  for (size_t i = 0; i < bench->options.devices; i++)
    fprintf(out, "url = https://" HOST ":%u/image.bin\noutput = /dev/null\n",
            nginx_port(bench->nginx));
  int status = fclose(out) == 0 ? path_in(bench, "list", path, error)
                                : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (status == 0) status = files_write(path, text, size, 0600, error);
  free(text);
  return status;
}

static int run_curl(struct bench *bench, bool reuse, struct process_cost *out, size_t *whole,
                    struct error *error)
{
  char list[FILES_PATH_MAX], printed[FILES_PATH_MAX], resolve[80], most[24], total[24], line[64];
  snprintf(resolve, sizeof resolve, HOST ":%u:127.0.0.1", nginx_port(bench->nginx));
  snprintf(most, sizeof most, "%d", CURL_MOST);
  snprintf(total, sizeof total, "%d", TOTAL_S);
  char *arguments[] = {"curl",
                       "--disable",
                       "--silent",
                       "--no-progress-meter",
                       "--parallel",
                       "--parallel-immediate",
                       "--parallel-max",
                       most,
                       "--cacert",
                       bench->ca_path,
                       "--resolve",
                       resolve,
                       "--http1.1",
                       "--tlsv1.2",
                       "--fail",
                       "--max-time",
                       total,
                       "--noproxy",
                       "*",
                       "--write-out",
                       "%{http_code} %{size_download}\n",
                       "--config",
                       list,
                       "--header",
                       reuse ? "X-Reuse: yes" : "Connection: close",
                       NULL};
  if (write_list(bench, list, error) != 0 || path_in(bench, "printed", printed, error) != 0 ||
      process_run(arguments, printed, false, NULL, out, error) != 0)
    return -1;
  snprintf(line, sizeof line, "200 %u", IMAGE_SIZE);
  return count_lines(printed, line, whole, error);
}

/* Connects, and then updates unless `via` is NULL. */
static int run_devices(struct bench *bench, const char *via, struct rehearsal *out,
                       struct error *error)
{
  char text[2048], update[512] = "";
  if (via != NULL)
    snprintf(update, sizeof update,
             "  - name: update\n"
             "    do:\n"
             "      - ota.publish: {image: v2, version: 1.1.0, counter: 2, size: 256KiB, via: %s}\n"
             "      - ota.rollout: {image: v2, waves: [100%%], jitter: 1s, within: %ds}\n"
             "    until: updated(v2) >= 100%% within %ds\n",
             via, TOTAL_S, TOTAL_S);
  snprintf(text, sizeof text,
           "# What ./fleetsim bench ota measures.\n"
           "name: bench\n"
           "fleet: {devices: %zu, profile: nrf52-m4-64}\n"
           "pki: {roots: [A, spare], trusted: [A, spare], broker: A}\n"
           "broker: {local: mosquitto}\n"
           "%sphases:\n"
           "  - name: connect\n"
           "    do: [connect: {rate: 200/s}]\n"
           "    until: online >= 100%% within 120s\n"
           "%s",
           bench->options.devices,
           via == NULL ? "" : "ota: {factory: {version: 1.0.0, counter: 1, size: 16KiB}}\n",
           update);
  return rehearse(bench->lab.folder, text, NULL, out, error);
}

static int run_update(struct bench *bench, const char *via, struct process_cost *out, size_t *whole,
                      struct error *error)
{
  struct rehearsal r;
  if (run_devices(bench, via, &r, error) != 0) return -1;
  *out = (struct process_cost){.wall_s = r.last_phase_s,
                               .cpu_s = r.cpu_s - bench->cpu_s_of_connecting,
                               .rss_mib = r.rss_mib};
  *whole = (size_t) r.updated;
  return 0;
}

static int run_kind(struct bench *bench, const char *kind, struct process_cost *out, size_t *whole,
                    struct error *error)
{
  size_t count = bench->options.devices;
  if (strncmp(kind, "curl", 4) == 0)
    return run_curl(bench, strcmp(kind, "curl_reuse") == 0, out, whole, error);
  if (strncmp(kind, "devices_", 8) == 0) return run_update(bench, kind + 8, out, whole, error);
  size_t at_once = strcmp(kind, "fleetsim_300") == 0 ? CURL_MOST : count;
  return run_ours(bench, strcmp(kind, "fleetsim_slow") == 0 ? "slow.bin" : "image.bin", count,
                  at_once, out, whole, error);
}

static int measure_kind(struct bench *bench, const char *kind, struct error *error)
{
  struct process_cost m = {0};
  size_t whole = 0, count = bench->options.devices;
  if (run_kind(bench, kind, &m, &whole, error) != 0) return -1;
  double mib = (double) count * IMAGE_SIZE / (1024 * 1024);
  stats_add(&bench->mib_per_s, kind, mib / m.wall_s);
  stats_add(&bench->cpu_ms_per_mib, kind, m.cpu_s * 1000 / mib);
  stats_add(&bench->rss_mib, kind, m.rss_mib);
  report_failures(bench->report, kind, count - whole);
  fprintf(stderr, "  %-14s %8.1f MiB/s, %6.2f CPU ms per MiB, %6.1f MiB resident at most\n", kind,
          mib / m.wall_s, m.cpu_s * 1000 / mib, m.rss_mib);
  return 0;
}

static int measure_round(struct bench *bench, size_t round, struct error *error)
{
  fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
  for (size_t turn = 0; turn < bench->kinds.count; turn++) {
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    if (measure_kind(bench, kinds_turn(&bench->kinds, round, turn), error) != 0) return -1;
  }
  return 0;
}

/* --- The server ------------------------------------------------------------------------------- */

struct started {
  bool ended, failed;
  struct error error;
};

static void on_started(void *ctx, const struct error *error)
{
  struct started *started = ctx;
  started->ended = true;
  started->failed = error != NULL;
  if (error != NULL) started->error = *error;
}

/* 64 KiB/s for each: long enough for all of them to be open together. */
static int write_files(const struct bench *bench, struct error *error)
{
  static const char rules[] = "location = /slow.bin { alias files/image.bin; limit_rate 64k; }\n";
  static uint8_t image[IMAGE_SIZE];
  char path[FILES_PATH_MAX];
  uint64_t random = 1;
  for (size_t i = 0; i < sizeof image; i++) image[i] = (uint8_t) random_next(&random);
  if (nginx_path(bench->nginx, "files/image.bin", path) != 0 ||
      files_write(path, image, sizeof image, 0600, error) != 0 ||
      nginx_path(bench->nginx, "rules.conf", path) != 0)
    return -1;
  return files_write(path, rules, sizeof rules - 1, 0600, error);
}

static int start_server(struct bench *bench, struct error *error)
{
  static const struct pki_roots roots = {1, {"A"}};
  const struct pki_chain chain = {.host = HOST};
  char folder[FILES_PATH_MAX], certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  struct started started = {.ended = false};
  if (path_in(bench, "fleet", folder, error) != 0 ||
      pki_create(folder, &roots, &bench->pki, error) != 0 ||
      path_in(bench, "server", folder, error) != 0)
    return -1;
  struct nginx_config config = {.folder = folder,
                                .host = HOST,
                                .ca_path = bench->ca_path,
                                .connections = bench->options.devices};
  if (nginx_open(&bench->loop, &config, &bench->nginx, error) != 0 ||
      nginx_path(bench->nginx, "server.crt", certificate) != 0 ||
      nginx_path(bench->nginx, "server.key", key) != 0 ||
      pki_write_update_chain(bench->pki, &chain, certificate, key, bench->ca_path, error) != 0 ||
      write_files(bench, error) != 0)
    return -1;
  nginx_start(bench->nginx, on_started, &started);
  while (!started.ended) uv_run(&bench->loop, UV_RUN_ONCE);
  if (started.failed) *error = started.error;
  return started.failed ? -1 : 0;
}

static int open_bench(struct bench *bench, struct error *error)
{
  if (lab_make_folder(&bench->lab, error) != 0) return -1;
  if (uv_loop_init(&bench->loop) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot make an event loop");
  bench->loop_open = true;
  return start_server(bench, error);
}

static void close_bench(struct bench *bench)
{
  bool closed = bench->nginx == NULL;
  if (bench->nginx != NULL) nginx_close(bench->nginx, on_closed, &closed);
  while (!closed) uv_run(&bench->loop, UV_RUN_ONCE);
  if (bench->loop_open) uv_loop_close(&bench->loop);
  pki_close(bench->pki);
  lab_close(&bench->lab);
}

/* --- The results ------------------------------------------------------------------------------ */

/* The process with one download only, and a rehearsal without an update: what is more in the others
 * is what they are measured for. */
static int measure_idle(struct bench *bench, struct error *error)
{
  struct rehearsal connecting = {.cpu_s = 0};
  struct process_cost m = {0};
  size_t whole = 0;
  if (run_ours(bench, "image.bin", 1, 1, &m, &whole, error) != 0) return -1;
  bench->rss_mib_of_one = m.rss_mib;
  report_failures(bench->report, "fleetsim", 1 - whole);
  bool devices = strstr(bench->options.kinds, "devices_") != NULL;
  if (devices && run_devices(bench, NULL, &connecting, error) != 0) return -1;
  bench->cpu_s_of_connecting = connecting.cpu_s;
  return 0;
}

static void set(struct bench *bench, const char *key, const struct stats *stats)
{
  json_object_set_new(bench->report, key, stats_medians(stats));
  json_object_set_new(json_object_get(bench->report, "rounds_of"), key, stats_rounds(stats));
}

static void conclude(struct bench *bench)
{
  double slow_mib = stats_median_of(&bench->rss_mib, "fleetsim_slow");
  json_object_set_new(bench->report, "rounds_of", json_object());
  set(bench, "mib_per_s", &bench->mib_per_s);
  set(bench, "cpu_ms_per_mib", &bench->cpu_ms_per_mib);
  set(bench, "rss_mib", &bench->rss_mib);
  json_object_set_new(bench->report, "rss_mib_of_one", json_real(bench->rss_mib_of_one));
  json_object_set_new(bench->report, "cpu_s_of_connecting", json_real(bench->cpu_s_of_connecting));
  if (slow_mib > 0) /* not NAN: it was measured */
    json_object_set_new(
        bench->report, "kib_per_transfer",
        json_real((slow_mib - bench->rss_mib_of_one) * 1024 / (double) bench->options.devices));
  json_object_set_new(bench->report, "cpu_ratio_to_curl",
                      stats_ratio(&bench->cpu_ms_per_mib, "fleetsim_300", "curl"));
  json_object_set_new(bench->report, "throughput_ratio_to_curl",
                      stats_ratio(&bench->mib_per_s, "fleetsim_300", "curl"));
  report_version(bench->report, "nginx", nginx_version(bench->nginx));
  char libcurl[40]; /* "libcurl/7.88.1 OpenSSL/3.0.22 ..." */
  snprintf(libcurl, sizeof libcurl, "%.*s", (int) strcspn(curl_version(), " "), curl_version());
  report_version(bench->report, "libcurl", libcurl);
  printf("%-16s %10s %16s %12s\n", "medians", "MiB/s", "CPU ms per MiB", "MiB at most");
  for (size_t i = 0; i < bench->kinds.count; i++) {
    const char *kind = bench->kinds.name[i];
    printf("%-16s %10.1f %16.2f %12.1f\n", kind, stats_median_of(&bench->mib_per_s, kind),
           stats_median_of(&bench->cpu_ms_per_mib, kind), stats_median_of(&bench->rss_mib, kind));
  }
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {
          .bench = "ota",
          .purpose = "Downloads of one 256 KiB image over HTTPS, each over its own connection, "
                     "beside curl --parallel; and updates of whole devices.",
          .rounds = 5,
          .devices = 1000,
          .kinds =
              "fleetsim,fleetsim_300,fleetsim_slow,curl,curl_reuse,devices_https,devices_mqtt"}};
  struct error error;
  if (argc == 7 && strcmp(argv[1], "download") == 0) return be_the_downloader(argv + 2);
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  kinds_choose(&bench.options, every_kind, &bench.kinds);
  bench.report = report_begin(&bench.options, argc, argv);
  int status = open_bench(&bench, &error);
  if (status == 0) status = measure_idle(&bench, &error);
  for (size_t round = 0; status == 0 && round < bench.options.rounds; round++)
    status = measure_round(&bench, round, &error);
  if (status == 0) conclude(&bench);
  close_bench(&bench);
  return report_end(bench.report, &bench.options, status, &error);
}
