/* STOPPED -> start: nginx.conf written, child spawned -> STARTING: a file is asked for again and
 * again -> RUNNING. STARTING, RUNNING -> stop, or a start that fails -> ENDING -> the child is gone
 * -> STOPPED.
 *
 * One process (master_process off): a master that is killed leaves its workers behind, and they
 * would hold the port. */
#define _GNU_SOURCE
#include "updates/nginx.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "child/child.h"
#include "child/ports.h"
#include "net/curl_uv.h"

enum {
  READY_MS = 10000,
  ASK_MS = 2000,
  POLL_MS = 20,
  TERM_MS = 5000,
  PICKS = 3,
  LOG_START = 4096,
  WORD = 33
};

enum state { STOPPED, STARTING, RUNNING, ENDING };

struct nginx {
  uv_loop_t *loop;
  struct nginx_config config;
  char folder[FILES_PATH_MAX], nginx_path[FILES_PATH_MAX];
  char version[64];
  uint16_t port;
  enum state state;
  struct child process;
  bool process_open;
  uv_timer_t timer; /* STARTING: when to ask again; ENDING: when to kill */
  /* calls `done` from the loop's next turn; not a timer: uv_run(UV_RUN_ONCE) would sleep on */
  uv_async_t report;
  struct curl_uv *curl;
  CURL *question;
  struct curl_slist *resolve;
  /* what this nginx must answer: another server on its port would not */
  char word[WORD], answer[WORD];
  size_t answer_size;
  uint64_t give_up_ms;
  unsigned picks_left;
  long log_start;
  nginx_done done;
  void *ctx;
  bool failed, again, reports;
  struct error error;
  char ended[600];
  bool closing;
  unsigned open; /* timers, curl and the process: what must be gone before it is freed */
  void (*closed)(void *ctx);
  void *closed_ctx;
};

static void launch(struct nginx *n);
static void ask(struct nginx *n);

int nginx_path(const struct nginx *nginx, const char *name, char out[FILES_PATH_MAX])
{
  return files_join(out, nginx->folder, name, NULL);
}

/* --- Its files -------------------------------------------------------------------------------- */

/* Paths are relative: to the prefix (-p), which is where it starts, or to nginx.conf, which is
 * there too. No quoting can go wrong. */
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
  char path[FILES_PATH_MAX], text[4096];
  if (files_join(path, n->folder, "nginx.conf", error) != 0) return -1;
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
  return files_write(path, text, (size_t) size, 0600, error);
}

static long log_size(const struct nginx *n)
{
  char path[FILES_PATH_MAX];
  struct stat st;
  return nginx_path(n, "nginx.log", path) == 0 && stat(path, &st) == 0 ? (long) st.st_size : 0;
}

/* What its first "[emerg] 123#123: " line of this start says, or "". */
static void log_reason(const struct nginx *n, char *out, size_t capacity)
{
  char path[FILES_PATH_MAX], text[LOG_START + 1];
  out[0] = '\0';
  FILE *log = nginx_path(n, "nginx.log", path) == 0 ? fopen(path, "re") : NULL;
  if (log == NULL) return;
  fseek(log, n->log_start, SEEK_SET);
  text[fread(text, 1, LOG_START, log)] = '\0';
  fclose(log);
  const char *at = strstr(text, "[emerg] ");
  if (at == NULL) return;
  at += strlen("[emerg] ");
  at += strspn(at, "0123456789#: ");
  snprintf(out, capacity, "%.*s", (int) strcspn(at, "\n"), at);
}

/* --- How things end --------------------------------------------------------------------------- */

static void on_report(uv_async_t *async)
{
  struct nginx *n = async->data;
  nginx_done done = n->done;
  if (!n->reports || n->closing) return;
  n->reports = false;
  n->done = NULL;
  if (done != NULL) done(n->ctx, n->failed ? &n->error : NULL);
}

static void finish(struct nginx *n)
{
  n->reports = true;
  uv_async_send(&n->report);
}

static void fail(struct nginx *n, const char *sentence)
{
  if (n->failed) return;
  n->failed = true;
  error_set(&n->error, EXIT_CODE_SETUP, "%s", sentence);
}

static void begin(struct nginx *n, nginx_done done, void *ctx)
{
  n->reports = false;
  if (n->done != NULL) {
    struct error interrupted;
    error_set(&interrupted, EXIT_CODE_INTERRUPTED, "nginx was stopped before it was ready");
    nginx_done before = n->done;
    n->done = NULL;
    before(n->ctx, &interrupted);
  }
  n->done = done;
  n->ctx = ctx;
  n->failed = n->again = false;
}

static void release(struct nginx *n)
{
  if (--n->open > 0 || !n->closing) return;
  void (*closed)(void *) = n->closed;
  void *ctx = n->closed_ctx;
  curl_slist_free_all(n->resolve);
  free(n);
  if (closed != NULL) closed(ctx);
}

static void end_question(struct nginx *n)
{
  if (n->question == NULL) return;
  curl_uv_abort(n->curl, n->question);
  curl_easy_cleanup(n->question);
  n->question = NULL;
}

static void kill_child(struct nginx *n, int number)
{
  child_kill(&n->process, number);
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
           "nginx does not answer over TLS on 127.0.0.1:%u within %d s (%s): see nginx.log and "
           "server.crt in %s",
           n->port, READY_MS / 1000, curl_easy_strerror(result), n->folder);
  fail(n, sentence);
  n->state = ENDING;
  kill_child(n, SIGKILL);
}

static void on_answer(void *ctx, CURL *easy, CURLcode result)
{
  struct nginx *n = ctx;
  bool ready = result == CURLE_OK && strcmp(n->answer, n->word) == 0;
  if (ready) note_version(n);
  curl_easy_cleanup(easy);
  n->question = NULL;
  if (ready) {
    n->state = RUNNING;
    finish(n);
  } else if (uv_now(n->loop) >= n->give_up_ms || result == CURLE_PEER_FAILED_VERIFICATION) {
    give_up(n, result);
  } else {
    uv_timer_start(&n->timer, on_ask_again, POLL_MS, 0);
  }
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

/* --- The child -------------------------------------------------------------------------------- */

/* Whether another port may help: one that was picked, and that somebody took in the meantime. */
static bool pick_again(struct nginx *n)
{
  if (n->config.port != 0 || n->picks_left == 0 || !ports_in_use(n->port)) return false;
  n->picks_left--;
  return ports_pick(NULL, 0, &n->port, NULL) == 0;
}

static void ended_while_starting(struct nginx *n)
{
  char reason[400], sentence[FILES_PATH_MAX + 1100];
  log_reason(n, reason, sizeof reason);
  if (strstr(reason, "in use") != NULL && pick_again(n)) {
    n->again = true;
    return;
  }
  snprintf(sentence, sizeof sentence, "nginx does not start: %s (all of it: %s/nginx.log)",
           reason[0] == '\0' ? n->ended : reason, n->folder);
  fail(n, sentence);
}

static void on_process_closed(struct child *process)
{
  struct nginx *n = process->data;
  n->process_open = false;
  bool died = n->state == RUNNING, again = n->again && !n->failed;
  n->state = STOPPED;
  n->again = false;
  if (!n->closing && again) launch(n);
  if (!n->closing && !again) finish(n);
  if (!n->closing && died && n->config.died != NULL) n->config.died(n->config.ctx, n->ended);
  release(n);
}

static void on_exit_seen(struct child *process, int status, int signal_number)
{
  struct nginx *n = process->data;
  uv_timer_stop(&n->timer);
  end_question(n);
  if (signal_number != 0)
    snprintf(n->ended, sizeof n->ended, "nginx was ended by signal %d (%s)", signal_number,
             strsignal(signal_number));
  else
    snprintf(n->ended, sizeof n->ended, "nginx ended by itself with exit code %d", status);
  if (n->state == STARTING && !n->closing) {
    n->state = ENDING;
    ended_while_starting(n);
  }
  child_close(process, on_process_closed);
}

/* A server needs a descriptor or two per download; the child inherits what this process may
   have. */
static void raise_file_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static int spawn(struct nginx *n)
{
  char log[FILES_PATH_MAX],
      prefix[] = "./"; /* its folder: nginx takes a $ in a path for a variable */
  if (nginx_path(n, "nginx.log", log) != 0) return UV_ENAMETOOLONG;
  int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return uv_translate_sys_error(errno);
  n->log_start = log_size(n);
  char *arguments[] = {n->nginx_path, "-p", prefix, "-c", "nginx.conf", NULL};
  const struct child_options options = {
      .file = n->nginx_path, .arguments = arguments, .folder = n->folder, .output = fd};
  raise_file_limit();
  int status = child_spawn(n->loop, &n->process, &options, on_exit_seen);
  n->process_open = status == 0;
  n->open += n->process_open;
  close(fd);
  return status;
}

/* A word that only the child which reads this nginx.conf can know. */
static int new_word(struct nginx *n)
{
  uint8_t bytes[(WORD - 1) / 2];
  int status = uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL);
  if (status != 0)
    return error_set(&n->error, EXIT_CODE_SETUP, "no random bytes for nginx: %s",
                     uv_strerror(status));
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(n->word + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

static void launch(struct nginx *n)
{
  if (new_word(n) != 0 || write_conf(n, &n->error) != 0) {
    n->failed = true;
    finish(n);
    return;
  }
  int status = spawn(n);
  if (status != 0) {
    char sentence[256];
    snprintf(sentence, sizeof sentence, "cannot start nginx: %s%s", uv_strerror(status),
             error_remedy(-status));
    fail(n, sentence);
    finish(n);
    return;
  }
  n->state = STARTING;
  n->give_up_ms = uv_now(n->loop) + READY_MS;
  ask(n);
}

/* --- The interface ---------------------------------------------------------------------------- */

static int open_folder(struct nginx *n, struct error *error)
{
  char files[FILES_PATH_MAX];
  if (files_make_folder(n->config.folder, 0700, error) != 0) return -1;
  char *absolute = realpath(n->config.folder, NULL);
  if (absolute == NULL || strlen(absolute) > sizeof n->folder - 32) {
    free(absolute);
    return error_set(error, EXIT_CODE_SETUP,
                     "the update server's folder %.80s cannot be used: use a shorter --out",
                     n->config.folder);
  }
  strcpy(n->folder, absolute);
  free(absolute);
  return files_join(files, n->folder, "files", error) == 0 ? files_make_folder(files, 0700, error)
                                                           : -1;
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

int nginx_open(uv_loop_t *loop, const struct nginx_config *config, struct nginx **out,
               struct error *error)
{
  struct nginx *n = calloc(1, sizeof *n);
  if (n == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  n->loop = loop;
  n->config = *config;
  strcpy(n->version, "nginx");
  if (open_folder(n, error) != 0 || find(n, error) != 0) {
    free(n);
    return -1;
  }
  if ((n->curl = curl_uv_open(loop)) == NULL) {
    free(n);
    return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  }
  uv_timer_init(loop, &n->timer);
  uv_async_init(loop, &n->report, on_report);
  n->timer.data = n->report.data = n->process.data = n;
  n->open = 3;
  *out = n;
  return 0;
}

void nginx_start(struct nginx *n, nginx_done done, void *ctx)
{
  assert(n->state == STOPPED && n->done == NULL);
  begin(n, done, ctx);
  n->picks_left = PICKS;
  pick_again(n);
  if (n->config.port == 0 || !ports_in_use(n->port)) {
    launch(n);
    return;
  }
  char sentence[200];
  snprintf(
      sentence, sizeof sentence,
      "port %u is already in use: end what listens there or set another port for the update server",
      n->port);
  fail(n, sentence);
  finish(n);
}

static void on_kill(uv_timer_t *timer)
{
  kill_child(timer->data, SIGKILL);
}

void nginx_stop(struct nginx *n, nginx_done done, void *ctx)
{
  begin(n, done, ctx);
  end_question(n);
  if (!n->process_open) {
    finish(n);
    return;
  }
  n->state = ENDING;
  kill_child(n, SIGTERM);
  kill_child(n, SIGCONT); /* one that stands still acts on SIGTERM only when it goes on */
  uv_timer_start(&n->timer, on_kill, TERM_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
  release(handle->data);
}

static void on_curl_closed(void *ctx)
{
  release(ctx);
}

void nginx_close(struct nginx *n, void (*closed)(void *ctx), void *ctx)
{
  n->closing = true;
  n->closed = closed;
  n->closed_ctx = ctx;
  end_question(n);
  kill_child(n, SIGKILL);
  uv_close((uv_handle_t *) &n->timer, on_closed);
  uv_close((uv_handle_t *) &n->report, on_closed);
  curl_uv_close(n->curl, on_curl_closed, n);
}

uint16_t nginx_port(const struct nginx *nginx)
{
  return nginx->port;
}

const char *nginx_version(const struct nginx *nginx)
{
  return nginx->version;
}
