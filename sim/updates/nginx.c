/* nginx as an update server: its files, and the question by which it is known to answer. It lives
 * and ends as child/supervisor.h says; it answers once a word that stands in this start's
 * nginx.conf comes back over TLS.
 *
 * One process (master_process off): a master that is killed leaves its workers behind, and they
 * would hold the port. */
#define _GNU_SOURCE
#include "updates/nginx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "child/ports.h"
#include "child/supervisor.h"
#include "net/curl_uv.h"

enum { READY_MS = 10000, ASK_MS = 2000, POLL_MS = 20, LOG_START = 4096, WORD = 33 };

struct nginx {
  uv_loop_t *loop;
  struct nginx_config config;
  char folder[FILES_PATH_MAX], keys[FILES_PATH_MAX], nginx_path[FILES_PATH_MAX];
  char version[64];
  uint16_t port;
  struct supervisor_server kind;
  struct supervisor server;
  char conf[FILES_PATH_MAX];
  char *command[6];
  uv_timer_t timer; /* when to ask again */
  struct curl_uv *curl;
  CURL *question;
  struct curl_slist *resolve;
  /* what this nginx must answer: another server on its port would not */
  char word[WORD], answer[WORD];
  size_t answer_size;
  uint64_t give_up_ms;
  unsigned open; /* the timer, curl and the supervisor: what must be gone before it is freed */
  void (*closed)(void *ctx);
  void *closed_ctx;
};

static void ask(struct nginx *n);

int nginx_path(const struct nginx *nginx, const char *name, char out[FILES_PATH_MAX])
{
  return files_join(out, nginx->folder, name, NULL);
}

int nginx_key_path(const struct nginx *nginx, const char *name, char out[FILES_PATH_MAX])
{
  return files_join(out, nginx->keys, name, NULL);
}

/* --- Its files -------------------------------------------------------------------------------- */

/* Paths are relative: to the prefix (-p), which is where it starts, or, those of certificate, key and
 * rules, to nginx.conf, which is in the folder for keys. No quoting can go wrong. */
static const char conf_head[] = "daemon off;\n"
                                "master_process off;\n"
                                "pid nginx.pid;\n"
                                "error_log stderr notice;\n";
static const char conf_http[] = "http {\n"
                                "  log_format fleet '$msec $remote_addr \"$request\" $status "
                                "$body_bytes_sent \"$http_range\" $request_time';\n"
                                "  access_log access.log fleet;\n"
                                "  client_body_temp_path tmp;\n"
                                "  proxy_temp_path tmp;\n"
                                "  fastcgi_temp_path tmp;\n"
                                "  uwsgi_temp_path tmp;\n"
                                "  scgi_temp_path tmp;\n"
                                "  default_type application/octet-stream;\n"
                                "  max_ranges 1;\n"
                                "  keepalive_timeout 10s;\n"
                                "  send_timeout 60s;\n"
                                "  client_header_timeout 20s;\n"
                                "  ssl_certificate server.crt;\n"
                                "  ssl_certificate_key server.key;\n"
                                "  ssl_protocols TLSv1.2 TLSv1.3;\n"
                                "  ssl_session_cache off;\n"
                                "  ssl_session_tickets off;\n";

static int write_conf(const struct nginx *n, struct error *error)
{
  char text[4096];
  size_t connections = n->config.connections == 0 ? 1024 : n->config.connections;
  size_t slots = connections + connections / 8 +
                 64; /* with a sixteenth left, nginx ends those that wait in handshakes */
  int size = snprintf(text, sizeof text,
                      "%sevents { worker_connections %zu; multi_accept on; }\n"
                      "%s  server {\n"
                      "    listen 127.0.0.1:%u ssl backlog=4096;\n"
                      "    root files;\n"
                      "    location = /fleetsim-ready { access_log off; return 200 %s; }\n"
                      "    include rules.con[f];\n" /* a pattern may match nothing */
                      "  }\n"
                      "}\n",
                      conf_head, slots, conf_http, n->port, n->word);
  return files_write(n->conf, text, (size_t) size, 0600, error);
}

/* What its first "[emerg] 123#123: " line of this start says, or "". */
static void log_words(void *ctx, long start, char *out, size_t capacity)
{
  const struct nginx *n = ctx;
  char path[FILES_PATH_MAX], text[LOG_START + 1];
  out[0] = '\0';
  FILE *log = nginx_path(n, "nginx.log", path) == 0 ? fopen(path, "re") : NULL;
  if (log == NULL) return;
  fseek(log, start, SEEK_SET);
  text[fread(text, 1, LOG_START, log)] = '\0';
  fclose(log);
  const char *at = strstr(text, "[emerg] ");
  if (at == NULL) return;
  at += strlen("[emerg] ");
  at += strspn(at, "0123456789#: ");
  snprintf(out, capacity, "%.*s", (int) strcspn(at, "\n"), at);
}

/* --- Readiness -------------------------------------------------------------------------------- */

static size_t on_answer_bytes(char *data, size_t one, size_t size, void *ctx)
{
  struct nginx *n = ctx;
  (void) one;
  if (size >= sizeof n->answer - n->answer_size) return 0;
  memcpy(n->answer + n->answer_size, data, size);
  n->answer_size += size;
  n->answer[n->answer_size] = '\0';
  return size;
}

/* "nginx/1.22.1" */
static void note_version(struct nginx *n)
{
  struct curl_header *header = NULL;
  if (curl_easy_header(n->question, "Server", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return;
  snprintf(n->version, sizeof n->version, "%s", header->value);
  char *slash = strchr(n->version, '/');
  if (slash != NULL) *slash = ' ';
}

static void on_ask_again(uv_timer_t *timer)
{
  ask(timer->data);
}

static void give_up(struct nginx *n, CURLcode result)
{
  char sentence[FILES_PATH_MAX + 256];
  snprintf(sentence, sizeof sentence,
           "nginx does not answer over TLS on 127.0.0.1:%u within %d s (%s): see nginx.log in %s",
           n->port, READY_MS / 1000, curl_easy_strerror(result), n->folder);
  supervisor_probed(&n->server, sentence);
}

static void on_answer(void *ctx, CURL *easy, CURLcode result)
{
  struct nginx *n = ctx;
  bool ready = result == CURLE_OK && strcmp(n->answer, n->word) == 0;
  if (ready) note_version(n);
  curl_easy_cleanup(easy);
  n->question = NULL;
  if (ready)
    supervisor_probed(&n->server, NULL);
  else if (uv_now(n->loop) >= n->give_up_ms || result == CURLE_PEER_FAILED_VERIFICATION)
    give_up(n, result);
  else
    uv_timer_start(&n->timer, on_ask_again, POLL_MS, 0);
}

static void set_question(struct nginx *n, CURL *easy)
{
  char url[400], entry[400];
  snprintf(url, sizeof url, "https://%s:%u/fleetsim-ready", n->config.host, n->port);
  snprintf(entry, sizeof entry, "%s:%u:127.0.0.1", n->config.host, n->port);
  curl_slist_free_all(n->resolve);
  n->resolve = curl_slist_append(NULL, entry);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_RESOLVE, n->resolve);
  curl_easy_setopt(easy, CURLOPT_CAINFO, n->config.ca_path);
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) ASK_MS);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, n);
}

static void ask(struct nginx *n)
{
  n->answer_size = 0;
  n->answer[0] = '\0';
  n->question = curl_easy_init();
  if (n->question == NULL) memory_gone("a question to nginx");
  set_question(n, n->question);
  if (curl_uv_start(n->curl, n->question, on_answer, n) != 0) memory_gone("a question to nginx");
}

/* --- What the supervisor asks of it ----------------------------------------------------------- */

/* A word that only the child which reads this nginx.conf can know. */
static int new_word(struct nginx *n, struct error *error)
{
  uint8_t bytes[(WORD - 1) / 2];
  int status = uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL);
  if (status != 0)
    return error_set(error, EXIT_CODE_SETUP, "no random bytes for nginx: %s", uv_strerror(status));
  text_hex(bytes, sizeof bytes, n->word);
  return 0;
}

/* The prefix is its folder: nginx takes a $ in a path for a variable. */
static char *const *prepare(void *ctx, struct error *error)
{
  struct nginx *n = ctx;
  char *command[] = {n->nginx_path, "-p", "./", "-c", n->conf, NULL};
  if (new_word(n, error) != 0 || write_conf(n, error) != 0) return NULL;
  memcpy(n->command, command, sizeof command);
  return n->command;
}

static void probe(void *ctx)
{
  struct nginx *n = ctx;
  n->give_up_ms = uv_now(n->loop) + READY_MS;
  ask(n);
}

static void probe_stop(void *ctx)
{
  struct nginx *n = ctx;
  uv_timer_stop(&n->timer);
  if (n->question != NULL) {
    curl_uv_abort(n->curl, n->question);
    curl_easy_cleanup(n->question);
    n->question = NULL;
  }
  supervisor_probed(&n->server, NULL);
}

static void on_died(void *ctx, const char *how)
{
  struct nginx *n = ctx;
  if (n->config.died != NULL) n->config.died(n->config.ctx, how);
}

/* --- The interface ---------------------------------------------------------------------------- */

static int open_folder(const char *folder, char out[FILES_PATH_MAX], struct error *error)
{
  if (files_make_folder(folder, 0700, error) != 0) return -1;
  char *absolute = realpath(folder, NULL);
  if (absolute == NULL || strlen(absolute) > FILES_PATH_MAX - 32) {
    free(absolute);
    return error_set(error, EXIT_CODE_SETUP,
                     "the update server's folder %.80s cannot be used: use a shorter --out",
                     folder);
  }
  strcpy(out, absolute);
  free(absolute);
  return 0;
}

static int open_folders(struct nginx *n, struct error *error)
{
  const struct nginx_config *config = &n->config;
  char files[FILES_PATH_MAX];
  if (open_folder(config->folder, n->folder, error) != 0 ||
      open_folder(config->keys != NULL ? config->keys : config->folder, n->keys, error) != 0 ||
      files_join(n->conf, n->keys, "nginx.conf", error) != 0 ||
      files_join(files, n->folder, "files", error) != 0)
    return -1;
  return files_make_folder(files, 0700, error);
}

static int find(struct nginx *n, struct error *error)
{
  if (!files_find_executable("nginx", n->nginx_path))
    return error_set(
        error, EXIT_CODE_SETUP,
        "nginx is not installed, and updates over HTTPS need it: apt-get install nginx");
  n->port = n->config.port;
  return n->port != 0 ? 0 : ports_pick(NULL, 0, &n->port, error);
}

static void supervise(struct nginx *n)
{
  n->kind = (struct supervisor_server){.name = "nginx",
                                       .folder = n->folder,
                                       .asked = &n->config.port,
                                       .port = &n->port,
                                       .ports = 1,
                                       .ports_where = "for the update server",
                                       .interrupted = "nginx was stopped before it was ready",
                                       .prepare = prepare,
                                       .probe = probe,
                                       .probe_stop = probe_stop,
                                       .log_words = log_words,
                                       .died = on_died,
                                       .closes_silently = true,
                                       .server = n};
  supervisor_init(&n->server, n->loop, &n->kind);
}

int nginx_open(uv_loop_t *loop, const struct nginx_config *config, struct nginx **out,
               struct error *error)
{
  struct nginx *n = calloc(1, sizeof *n);
  if (n == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  n->loop = loop;
  n->config = *config;
  strcpy(n->version, "nginx");
  if (open_folders(n, error) != 0 || find(n, error) != 0) {
    free(n);
    return -1;
  }
  if ((n->curl = curl_uv_open(loop)) == NULL) {
    free(n);
    return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  }
  uv_timer_init(loop, &n->timer);
  n->timer.data = n;
  supervise(n);
  n->open = 3;
  *out = n;
  return 0;
}

void nginx_start(struct nginx *n, nginx_done done, void *ctx)
{
  supervisor_start(&n->server, done, ctx);
}

void nginx_stop(struct nginx *n, nginx_done done, void *ctx)
{
  supervisor_stop(&n->server, false, done, ctx);
}

static void release(struct nginx *n)
{
  if (--n->open > 0) return;
  void (*closed)(void *) = n->closed;
  void *ctx = n->closed_ctx;
  curl_slist_free_all(n->resolve);
  free(n);
  if (closed != NULL) closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
  release(handle->data);
}

static void on_part_closed(void *ctx)
{
  release(ctx);
}

void nginx_close(struct nginx *n, void (*closed)(void *ctx), void *ctx)
{
  n->closed = closed;
  n->closed_ctx = ctx;
  supervisor_close(&n->server, on_part_closed, n);
  uv_close((uv_handle_t *) &n->timer, on_timer_closed);
  curl_uv_close(n->curl, on_part_closed, n);
}

uint16_t nginx_port(const struct nginx *nginx)
{
  return nginx->port;
}

const char *nginx_version(const struct nginx *nginx)
{
  return nginx->version;
}
