/* A broker of a run, of ours or elsewhere: opened, told what to serve, reloaded, restarted, closed. What
 * is asked is one operation at a time; each ends by `done`, with a sentence where it failed. */
#define _XOPEN_SOURCE 700
#include "broker/broker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host_port.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "child/ports.h"

struct later {
  struct task task;
  uv_timer_t handle;
  broker_done done;
  void *ctx;
  bool failed;
  struct error error;
};

void broker_task_begin(struct broker *broker, struct task *task, void (*cancel)(struct task *task))
{
  assert(!broker->closing);
  *task = (struct task){.next = broker->tasks, .broker = broker, .cancel = cancel};
  broker->tasks = task;
  broker->held++;
}

void broker_task_end(struct task *task)
{
  struct task **link = &task->broker->tasks;
  while (*link != NULL && *link != task) link = &(*link)->next;
  if (*link == task) *link = task->next;
}

static void on_front_closed(void *ctx)
{
  broker_release(ctx);
}

static void on_curl_closed(void *ctx)
{
  broker_release(ctx);
}

void broker_release(struct broker *broker)
{
  assert(broker->held > 0);
  if (--broker->held > 0 || !broker->closing) return;
  if (broker->curl != NULL) {
    struct curl_uv *curl = broker->curl;
    broker->curl = NULL;
    broker->held++;
    curl_uv_close(curl, on_curl_closed, broker);
    return;
  }
  void (*closed)(void *) = broker->closed;
  void *ctx = broker->closed_ctx;
  free(broker);
  if (closed != NULL) closed(ctx);
}

static void on_later(uv_handle_t *handle)
{
  struct later *later = handle->data;
  struct broker *broker = later->task.broker;
  if (later->done != NULL) later->done(later->ctx, later->failed ? &later->error : NULL);
  free(later);
  broker_release(broker);
}

/* A handle's close callback comes with the loop's next turn and cannot be cancelled: exactly what
   is needed. */
void broker_later(struct broker *broker, broker_done done, void *ctx, const struct error *error)
{
  struct later *later = calloc(1, sizeof *later);
  if (later == NULL) memory_gone("what comes next at the broker");
  later->task.broker = broker;
  broker->held++;
  later->done = done;
  later->ctx = ctx;
  later->failed = error != NULL;
  if (error != NULL) later->error = *error;
  uv_timer_init(broker->loop, &later->handle);
  later->handle.data = later;
  uv_close((uv_handle_t *) &later->handle, on_later);
}

/* mosquitto runs with the folder as its working directory and reads paths to the end of the
   line. */
static int open_folder(struct broker *broker, struct error *error)
{
  const char *folder = broker->config.folder;
  if (strpbrk(folder, "\r\n") != NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "the broker's folder has a line break in its name: choose another --out");
  if (files_make_folder(folder, 0700, error) != 0) return -1;
  char *absolute = realpath(folder, NULL);
  if (absolute == NULL)
    return error_set(error, EXIT_CODE_SETUP, "the broker's folder %.80s cannot be used: %s%s",
                     folder, strerror(errno), error_remedy(errno));
  if (strlen(absolute) > sizeof broker->folder - 32) {
    free(absolute);
    return error_set(error, EXIT_CODE_SETUP,
                     "the broker's folder %.80s cannot be used: use a shorter --out", folder);
  }
  snprintf(broker->folder, sizeof broker->folder, "%s", absolute);
  free(absolute);
  return 0;
}

static void on_front_died(void *ctx)
{
  const struct broker *broker = ctx;
  if (broker->config.died != NULL)
    broker->config.died(broker->config.ctx, "the gate before it has ended");
}

static int open_front(struct broker *broker, struct error *error)
{
  const struct broker_config *config = &broker->config;
  struct front_config front = {.timeout_ms = config->handshake_timeout_ms,
                               .rate = config->handshake_rate,
                               .connections = config->connections,
                               .died = on_front_died,
                               .ctx = broker};
  if (front.timeout_ms == 0 && front.rate <= 0) return 0;
  return front_open(broker->loop, &front, broker->port, &broker->front, error);
}

static int open_local(struct broker *broker, struct error *error)
{
  if (mosquitto_find(broker, error) != 0) return -1;
  for (int i = 0; i < BROKER_LISTENERS; i++)
    if (broker->port[i] == 0 &&
        ports_pick(broker->port, BROKER_LISTENERS, &broker->port[i], error) != 0)
      return -1;
  if (broker->port[BROKER_MAIN] == broker->port[BROKER_PROVE])
    return error_set(error, EXIT_CODE_USAGE,
                     "both of the broker's listeners have port %u: give them different ones",
                     broker->port[BROKER_MAIN]);
  return open_front(broker, error);
}

static int open_remote(struct broker *broker, struct error *error)
{
  if (broker->port[BROKER_MAIN] == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the remote broker %s has no port: write mqtts://host:8883",
                     broker->config.host);
  char place[HOST_PORT_MAX];
  snprintf(broker->version, sizeof broker->version, "remote %s",
           host_port(broker->config.host, broker->port[BROKER_MAIN], place));
  return 0;
}

int broker_open(uv_loop_t *loop, const struct broker_config *config, struct broker **out,
                struct error *error)
{
  assert(config->folder != NULL && config->host != NULL);
  struct broker *broker = calloc(1, sizeof *broker);
  if (broker == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  broker->loop = loop;
  broker->config = *config;
  memcpy(broker->port, config->port, sizeof broker->port);
  if (open_folder(broker, error) != 0 ||
      (config->remote ? open_remote(broker, error) : open_local(broker, error)) != 0) {
    free(broker);
    return -1;
  }
  if (!config->remote) mosquitto_init(broker);
  *out = broker;
  return 0;
}

void broker_start(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    reach_run(broker, done, ctx);
  else
    mosquitto_start(broker, done, ctx);
}

void broker_reload(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    hook_run(broker, HOOK_RELOAD, BROKER_MAIN, done, ctx);
  else
    mosquitto_signal(broker, SIGHUP, "reload", done, ctx);
}

void broker_restart(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    hook_run(broker, HOOK_RESTART, BROKER_MAIN, done, ctx);
  else
    mosquitto_stop(broker, true, done, ctx);
}

void broker_presented(struct broker *broker, enum broker_listener listener, broker_done done,
                      void *ctx)
{
  if (broker->config.remote)
    hook_run(broker, HOOK_PRESENT, listener, done, ctx);
  else
    broker_later(broker, done, ctx, NULL);
}

void broker_clients_trusted(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    hook_run(broker, HOOK_TRUST_CLIENTS, BROKER_MAIN, done, ctx);
  else
    broker_later(broker, done, ctx, NULL);
}

void broker_crl_published(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    hook_run(broker, HOOK_PUBLISH_CRL, BROKER_MAIN, done, ctx);
  else
    broker_later(broker, done, ctx, NULL);
}

void broker_kick(struct broker *broker, const struct broker_kick *kick, broker_done done, void *ctx)
{
  if (broker->config.remote)
    hook_run_on(broker, HOOK_KICK, BROKER_MAIN, kick->client_id, done, ctx);
  else
    broker_kick_run(broker, kick, done, ctx);
}

void broker_stop(struct broker *broker, broker_done done, void *ctx)
{
  if (broker->config.remote)
    broker_later(broker, done, ctx, NULL);
  else
    mosquitto_stop(broker, false, done, ctx);
}

void broker_kill(struct broker *broker, broker_done done, void *ctx)
{
  assert(!broker->config.remote);
  mosquitto_kill(broker, done, ctx);
}

void broker_freeze(struct broker *broker, broker_done done, void *ctx)
{
  assert(!broker->config.remote);
  mosquitto_signal(broker, SIGSTOP, "be frozen", done, ctx);
}

void broker_thaw(struct broker *broker, broker_done done, void *ctx)
{
  assert(!broker->config.remote);
  mosquitto_signal(broker, SIGCONT, "be thawed", done, ctx);
}

/* Held once more throughout, so that a task that ends at once does not free the broker under the
   list. */
void broker_close(struct broker *broker, void (*closed)(void *ctx), void *ctx)
{
  assert(!broker->closing);
  broker_later(broker, NULL, NULL, NULL);
  while (broker->tasks != NULL) {
    struct task *task = broker->tasks;
    broker_task_end(task);
    task->cancel(task);
  }
  if (!broker->config.remote) mosquitto_close(broker);
  struct front *front = broker->front;
  broker->front = NULL; /* mosquitto may end later than its gate: nobody is told then */
  if (front != NULL) {
    broker->held++;
    front_close(front, on_front_closed, broker);
  }
  broker->closing = true;
  broker->closed = closed;
  broker->closed_ctx = ctx;
}

int broker_path(const struct broker *broker, const char *name, char out[FILES_PATH_MAX])
{
  return files_join(out, broker->folder, name, NULL);
}

const char *broker_host(const struct broker *broker)
{
  return broker->config.host;
}

const char *broker_address(const struct broker *broker, enum broker_listener listener)
{
  if (!broker->config.remote) return "127.0.0.1";
  return broker->config.address[listener] != NULL ? broker->config.address[listener]
                                                  : broker->config.host;
}

uint16_t broker_port(const struct broker *broker, enum broker_listener listener)
{
  return broker->front != NULL ? front_port(broker->front, (int) listener) : broker->port[listener];
}

uint16_t broker_inner_port(const struct broker *broker, enum broker_listener listener)
{
  return broker->port[listener];
}

uint64_t broker_timed_out(const struct broker *broker)
{
  return broker->front != NULL ? front_timed_out(broker->front) : 0;
}

bool broker_is_local(const struct broker *broker)
{
  return !broker->config.remote;
}

bool broker_running(const struct broker *broker)
{
  return broker->config.remote || broker->mosquitto.server.state == SUPERVISOR_RUNNING;
}

const char *broker_version(const struct broker *broker)
{
  return broker->version;
}
