/* Hooks of a broker that is asked by them: a shell command in a process group of its own, or an HTTP POST. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/memory.h"
#include "broker/internal.h"

#define FACTS_PREFIX "FLEETSIM_"

enum { HOOK_MS = 60000, FACTS = 8, BODY_MAX = 240 };

struct hook {
  struct task task;
  enum hook_kind kind;
  struct hook_fact facts[FACTS];
  struct child process;
  uv_timer_t deadline;
  unsigned open; /* handles */
  bool timed_out;
  CURL *easy;
  struct curl_slist *headers;
  char *json;
  char curl_error[CURL_ERROR_SIZE];
  char host[PERMIT_HOST_MAX]; /* of the URL */
  bool not_permitted;         /* it led to an address beyond what may be sent to */
  char body[BODY_MAX + 1];
  size_t body_size;
  broker_done done;
  void *ctx;
  bool failed;
  struct error error;
};

static uint32_t timeout_ms(const struct hook *hook)
{
  uint32_t set = hook->task.broker->config.hook_timeout_ms;
  return set != 0 ? set : HOOK_MS;
}

static void fail_hook(struct hook *hook, const char *what)
{
  if (hook->failed) return;
  hook->failed = true;
  error_set(&hook->error, EXIT_CODE_SETUP, "the hook '%s' of the broker %s %s",
            hook_key(hook->kind), hook->task.broker->config.host, what);
}

static void finish(struct hook *hook)
{
  struct broker *broker = hook->task.broker;
  broker_task_end(&hook->task);
  hook->done(hook->ctx, hook->failed ? &hook->error : NULL);
  curl_easy_cleanup(hook->easy);
  curl_slist_free_all(hook->headers);
  free(hook->json);
  free(hook);
  broker_release(broker);
}

/* --- Commands --------------------------------------------------------------------------------- */

static void on_hook_part_closed(struct hook *hook)
{
  if (--hook->open == 0) finish(hook);
}

static void on_handle_closed(uv_handle_t *handle)
{
  on_hook_part_closed(handle->data);
}

static void on_process_closed(struct child *process)
{
  on_hook_part_closed(process->data);
}

/* A command that makes tokens may print them, and so may who answers a request for one. */
static bool prints_secrets(const struct hook *hook)
{
  return hook->kind == HOOK_RENEW_TOKEN;
}

/* How a command ended that did not end well. */
static void fail_command(struct hook *hook, int status, int signal_number)
{
  char how[64], what[FILES_PATH_MAX + 128], log[FILES_PATH_MAX];
  if (hook->timed_out)
    snprintf(how, sizeof how, "did not end within %.3g s and was killed",
             timeout_ms(hook) / 1000.0);
  else if (signal_number != 0)
    snprintf(how, sizeof how, "was ended by signal %d", signal_number);
  else
    snprintf(how, sizeof how, "ended with exit code %d", status);
  broker_file(hook->task.broker, hook->task.broker->ops->log, log);
  if (prints_secrets(hook))
    snprintf(what, sizeof what,
             "%s: mend the command; what it printed was not kept, as it may be a token", how);
  else
    snprintf(what, sizeof what, "%s: mend the command; what it printed is in %s", how, log);
  fail_hook(hook, what);
}

static void on_exit_seen(struct child *process, int status, int signal_number)
{
  struct hook *hook = process->data;
  if (hook->timed_out || signal_number != 0 || status != 0)
    fail_command(hook, status, signal_number);
  child_close(&hook->process, on_process_closed);
  uv_close((uv_handle_t *) &hook->deadline, on_handle_closed);
}

static void on_hook_deadline(uv_timer_t *timer)
{
  struct hook *hook = timer->data;
  hook->timed_out = true;
  child_kill(&hook->process, SIGKILL);
}

static void cancel_command(struct task *task)
{
  struct hook *hook = (struct hook *) task;
  hook->failed = true;
  error_set(&hook->error, EXIT_CODE_INTERRUPTED, "the hook '%s' was stopped", hook_key(hook->kind));
  child_kill(&hook->process, SIGKILL);
}

char **hook_environment(const struct hook_fact *facts, size_t fact_count)
{
  char *const *callers = environment_of_caller();
  size_t count = 0;
  while (callers[count] != NULL) count++;
  char **all = calloc(count + fact_count + 1, sizeof *all);
  if (all == NULL) memory_gone("the environment of a hook");
  for (size_t i = 0; i < fact_count; i++) {
    size_t size = strlen(facts[i].variable) + strlen(facts[i].value) + 2;
    all[i] = malloc(size);
    if (all[i] == NULL) memory_gone("the environment of a hook");
    snprintf(all[i], size, "%s=%s", facts[i].variable, facts[i].value);
  }
  for (size_t i = 0, used = fact_count; i < count; i++)
    if (strncmp(callers[i], FACTS_PREFIX, sizeof FACTS_PREFIX - 1) != 0) all[used++] = callers[i];
  return all;
}

void hook_environment_free(char **all, size_t fact_count)
{
  for (size_t i = 0; i < fact_count; i++) free(all[i]);
  free(all);
}

static int spawn(struct hook *hook, const char *command, int log)
{
  char *text = strdup(command);
  if (text == NULL) memory_gone("a hook");
  char *arguments[] = {"/bin/sh", "-c", text, NULL};
  char **environment = hook_environment(hook->facts, FACTS);
  const struct child_options options = {.file = "/bin/sh",
                                        .arguments = arguments,
                                        .environment = environment,
                                        .output = log,
                                        .group = true,
                                        .keeps_umask = true};
  int status = child_spawn(hook->task.broker->loop, &hook->process, &options, on_exit_seen);
  hook_environment_free(environment, FACTS);
  free(text);
  return status;
}

static void run_command(struct hook *hook, const char *command)
{
  struct broker *broker = hook->task.broker;
  char path[FILES_PATH_MAX];
  if (prints_secrets(hook))
    strcpy(path, "/dev/null");
  else
    broker_file(broker, broker->ops->log, path);
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  uv_timer_init(broker->loop, &hook->deadline);
  int status = spawn(hook, command, log < 0 ? STDERR_FILENO : log);
  if (log >= 0) close(log);
  hook->process.data = hook->deadline.data = hook;
  hook->open = status == 0 ? 2 : 1;
  if (status == 0) {
    uv_timer_start(&hook->deadline, on_hook_deadline, timeout_ms(hook), 0);
    return;
  }
  char what[200];
  snprintf(what, sizeof what, "cannot be started: %s%s", uv_strerror(status),
           error_remedy(-status));
  fail_hook(hook, what);
  uv_close((uv_handle_t *) &hook->deadline, on_handle_closed);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t unit, size_t count, void *ctx)
{
  struct hook *hook = ctx;
  size_t size = unit * count, room = BODY_MAX - hook->body_size, kept = size < room ? size : room;
  if (prints_secrets(hook)) return size;
  for (size_t i = 0; i < kept; i++)
    hook->body[hook->body_size + i] = data[i] < ' ' || data[i] > '~' ? ' ' : data[i];
  hook->body_size += kept;
  return size;
}

static void on_answer(void *ctx, CURL *easy, CURLcode result)
{
  struct hook *hook = ctx;
  char what[CURL_ERROR_SIZE + BODY_MAX + 128];
  long status = 0;
  while (hook->body_size > 0 && hook->body[hook->body_size - 1] == ' ') hook->body_size--;
  hook->body[hook->body_size] = '\0';
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (hook->not_permitted)
    snprintf(what, sizeof what,
             "was not called: %.200s leads beyond this machine; name it in the scenario's targets: "
             "list and pass --allow-target, or write 127.0.0.1",
             hook->host);
  else if (result != CURLE_OK)
    snprintf(what, sizeof what, "was not answered: %s; mend the URL or what should answer there",
             hook->curl_error[0] == '\0' ? curl_easy_strerror(result) : hook->curl_error);
  else
    snprintf(what, sizeof what,
             "was answered with HTTP status %ld%s%s%s: mend the URL or what answers there; 2xx is "
             "success",
             status, hook->body_size > 0 ? " (" : "", hook->body, hook->body_size > 0 ? ")" : "");
  if (result != CURLE_OK || status < 200 || status > 299) fail_hook(hook, what);
  finish(hook);
}

/* finish() through the loop, as a cancelled task's `done` must not come from inside
   broker_close. */
static void finish_later(void *ctx, const struct error *error)
{
  (void) error;
  finish(ctx);
}

static void cancel_request(struct task *task)
{
  struct hook *hook = (struct hook *) task;
  hook->failed = true;
  error_set(&hook->error, EXIT_CODE_INTERRUPTED, "the hook '%s' was stopped", hook_key(hook->kind));
  curl_uv_abort(task->broker->curl, hook->easy);
  broker_later(task->broker, finish_later, hook, NULL);
}

static char *facts_as_json(const struct hook *hook)
{
  json_t *object = json_object();
  for (size_t i = 0; i < FACTS; i++)
    json_object_set_new(object, hook->facts[i].key, json_string(hook->facts[i].value));
  char *text = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return text;
}

/* Whatever a name was resolved to: nothing is sent to an address that was not permitted. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct hook *hook = ctx;
  if (purpose != CURLSOCKTYPE_IPCXN ||
      !permit_address(hook->task.broker->config.permit, hook->host, &address->addr)) {
    hook->not_permitted = true;
    return CURL_SOCKET_BAD;
  }
  hook->not_permitted = false;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int set_up_request(struct hook *hook, const char *url)
{
  if (permit_url_host(url, hook->host) != 0) return -1;
  hook->easy = curl_easy_init();
  hook->json = facts_as_json(hook);
  hook->headers = curl_slist_append(NULL, "Content-Type: application/json");
  if (hook->easy == NULL || hook->json == NULL || hook->headers == NULL) return -1;
  curl_easy_setopt(hook->easy, CURLOPT_URL, url);
  curl_easy_setopt(hook->easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(hook->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(hook->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  curl_easy_setopt(hook->easy, CURLOPT_OPENSOCKETDATA, hook);
  curl_easy_setopt(hook->easy, CURLOPT_POSTFIELDS, hook->json);
  curl_easy_setopt(hook->easy, CURLOPT_HTTPHEADER, hook->headers);
  curl_easy_setopt(hook->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(hook->easy, CURLOPT_WRITEDATA, hook);
  curl_easy_setopt(hook->easy, CURLOPT_ERRORBUFFER, hook->curl_error);
  curl_easy_setopt(hook->easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms(hook));
  return curl_uv_start(hook->task.broker->curl, hook->easy, on_answer, hook);
}

static void run_request(struct hook *hook, const char *url)
{
  struct broker *broker = hook->task.broker;
  if (broker->curl == NULL) broker->curl = curl_uv_open(broker->loop);
  if (broker->curl != NULL && set_up_request(hook, url) == 0) return;
  fail_hook(hook, "cannot be called: libcurl does not take its URL");
  broker_task_end(&hook->task);
  broker_later(broker, finish_later, hook, NULL);
}

static void gather_facts(struct hook *hook, enum broker_listener listener, const char *device,
                         const char *token)
{
  static const struct hook_fact names[FACTS] = {
#define X(variable, key, line) {variable, key, ""},
      HOOK_FACTS(X)
#undef X
  };
  const struct broker *broker = hook->task.broker;
  bool prove = listener == BROKER_PROVE;
  memcpy(hook->facts, names, sizeof names);
  snprintf(hook->facts[0].value, FILES_PATH_MAX, "%s", hook_action(hook->kind));
  struct broker_pair chain = broker_chain_place(broker, listener);
  memcpy(hook->facts[1].value, chain.certificate, FILES_PATH_MAX);
  bool keyless = hook->kind == HOOK_PRESENT && access(chain.key, F_OK) != 0;
  if (!keyless) memcpy(hook->facts[2].value, chain.key, FILES_PATH_MAX);
  broker_place(broker, BROKER_CLIENT_CA, hook->facts[3].value);
  snprintf(hook->facts[4].value, FILES_PATH_MAX, "%s", prove ? "prove" : "main");
  broker_place(broker, BROKER_CRLS, hook->facts[5].value);
  snprintf(hook->facts[6].value, FILES_PATH_MAX, "%s", device);
  snprintf(hook->facts[7].value, FILES_PATH_MAX, "%s", token);
}

void hook_run(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
              broker_done done, void *ctx)
{
  hook_run_on(broker, kind, listener, "", "", done, ctx);
}

void hook_run_on(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
                 const char *device, const char *token, broker_done done, void *ctx)
{
  const char *text = broker->config.hooks.of[kind];
  if (text == NULL) {
    struct error error;
    error_set(&error, EXIT_CODE_SETUP,
              "the broker %s has no hook '%s': give a command or URL for it under broker: hooks: "
              "in the scenario",
              broker->config.host, hook_key(kind));
    broker_later(broker, done, ctx, &error);
    return;
  }
  struct hook *hook = calloc(1, sizeof *hook);
  if (hook == NULL) memory_gone("a hook");
  hook->kind = kind;
  hook->done = done;
  hook->ctx = ctx;
  broker_task_begin(broker, &hook->task, hook_is_url(text) ? cancel_request : cancel_command);
  gather_facts(hook, listener, device, token);
  if (hook_is_url(text))
    run_request(hook, text);
  else
    run_command(hook, text);
}
