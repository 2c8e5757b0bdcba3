/* A broker of a run, of whatever kind: opened, told what to serve, reloaded, restarted, closed. What is
 * asked is one operation of its kind at a time; each ends by `done`, with a sentence where it failed. */
#define _XOPEN_SOURCE 700
#include "broker/broker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "broker/internal.h"

static const struct broker_ops *const kinds[BROKER_KINDS_COUNT] = {
#define X(symbol, name, word, traits) &broker_##name,
    BROKER_KINDS(X)
#undef X
};

const struct broker_names broker_names_usual = {
    .chain = {"main.crt", "prove.crt"},
    .key = {"main.key", "prove.key"},
    .material = {[BROKER_CLIENT_CA] = "clients.crt",
                 [BROKER_CRLS] = "crl.pem",
                 [BROKER_TICKET_KEYS] = "tickets.key",
                 [BROKER_PROBE_CA] = "probe-ca.crt"},
    .probe_chain = "probe.crt",
    .probe_key = "probe.key",
    .device_chain = "device.crt",
    .device_key = "device.key",
};

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
  free(broker->own);
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

/* A broker may run with the folder as its working directory, and mosquitto reads paths to the end of
   the line. */
static int open_folder(const char *folder, char out[FILES_PATH_MAX - BROKER_FILE_NAME_MAX],
                       struct error *error)
{
  if (strpbrk(folder, "\r\n") != NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "the broker's folder has a line break in its name: choose another --out");
  if (files_make_folder(folder, 0700, error) != 0) return -1;
  char *absolute = realpath(folder, NULL);
  if (absolute == NULL)
    return error_set(error, EXIT_CODE_SETUP, "the broker's folder %.80s cannot be used: %s%s",
                     folder, strerror(errno), error_remedy(errno));
  if (strlen(absolute) >= FILES_PATH_MAX - BROKER_FILE_NAME_MAX) {
    free(absolute);
    return error_set(error, EXIT_CODE_SETUP,
                     "the broker's folder %.80s cannot be used: use a shorter --out", folder);
  }
  strcpy(out, absolute);
  free(absolute);
  return 0;
}

static int open_folders(struct broker *broker, struct error *error)
{
  const struct broker_config *config = &broker->config;
  if (open_folder(config->folder, broker->folder, error) != 0) return -1;
  return open_folder(config->keys != NULL ? config->keys : config->folder, broker->keys, error);
}

int broker_open(uv_loop_t *loop, const struct broker_config *config, struct broker **out,
                struct error *error)
{
  assert(config->folder != NULL && config->host != NULL && config->kind < BROKER_KINDS_COUNT);
  struct broker *broker = calloc(1, sizeof *broker);
  if (broker == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  broker->loop = loop;
  broker->config = *config;
  broker->ops = kinds[config->kind];
  broker->own = calloc(1, broker->ops->own_size + 1);
  memcpy(broker->port, config->port, sizeof broker->port);
  int result = broker->own != NULL ? open_folders(broker, error)
                                   : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (result == 0) result = broker->ops->open(broker, error); /* sim/broker/KIND.c, as all below */
  if (result != 0) {
    free(broker->own);
    free(broker);
    return -1;
  }
  *out = broker;
  return 0;
}

void broker_start(struct broker *broker, broker_done done, void *ctx)
{
  broker->ops->start(broker, done, ctx);
}

void broker_reload(struct broker *broker, broker_done done, void *ctx)
{
  broker->ops->reload(broker, done, ctx);
}

void broker_restart(struct broker *broker, broker_done done, void *ctx)
{
  broker->ops->restart(broker, done, ctx);
}

void broker_stop(struct broker *broker, broker_done done, void *ctx)
{
  broker->ops->stop(broker, done, ctx);
}

void broker_presented(struct broker *broker, enum broker_listener listener, broker_done done,
                      void *ctx)
{
  if (broker->ops->presented != NULL)
    broker->ops->presented(broker, listener, done, ctx);
  else
    broker_later(broker, done, ctx, NULL);
}

/* What a kind may have no need of. */
static void do_or_agree(struct broker *broker, broker_operation *operation, broker_done done,
                        void *ctx)
{
  if (operation != NULL)
    operation(broker, done, ctx);
  else
    broker_later(broker, done, ctx, NULL);
}

void broker_clients_trusted(struct broker *broker, broker_done done, void *ctx)
{
  do_or_agree(broker, broker->ops->clients_trusted, done, ctx);
}

void broker_crl_published(struct broker *broker, broker_done done, void *ctx)
{
  do_or_agree(broker, broker->ops->crl_published, done, ctx);
}

void broker_kick(struct broker *broker, const struct broker_kick *kick, broker_done done, void *ctx)
{
  broker->ops->kick(broker, kick, done, ctx);
}

void broker_renew_token(struct broker *broker, const char *device, const char *path,
                        broker_done done, void *ctx)
{
  assert(broker_is(broker, BROKER_HOOKED));
  broker->ops->renew_token(broker, device, path, done, ctx);
}

void broker_kill(struct broker *broker, broker_done done, void *ctx)
{
  assert(broker_is(broker, BROKER_OWNED));
  broker->ops->kill(broker, done, ctx);
}

void broker_freeze(struct broker *broker, broker_done done, void *ctx)
{
  assert(broker_is(broker, BROKER_OWNED));
  broker->ops->freeze(broker, done, ctx);
}

void broker_thaw(struct broker *broker, broker_done done, void *ctx)
{
  assert(broker_is(broker, BROKER_OWNED));
  broker->ops->thaw(broker, done, ctx);
}

static void on_front_closed(void *ctx)
{
  broker_release(ctx);
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
  if (broker->ops->close != NULL) broker->ops->close(broker);
  struct front *front = broker->front;
  broker->front = NULL; /* it may end later than its gate: nobody is told then */
  if (front != NULL) {
    broker->held++;
    front_close(front, on_front_closed, broker);
  }
  broker->closing = true;
  broker->closed = closed;
  broker->closed_ctx = ctx;
}

void broker_file(const struct broker *broker, const char *name, char out[FILES_PATH_MAX])
{
  assert(strlen(name) < BROKER_FILE_NAME_MAX - 1); /* open_folder has left room for it */
  snprintf(out, FILES_PATH_MAX, "%s/%s", broker->folder, name);
}

void broker_key_file(const struct broker *broker, const char *name, char out[FILES_PATH_MAX])
{
  assert(strlen(name) < BROKER_FILE_NAME_MAX - 1);
  snprintf(out, FILES_PATH_MAX, "%s/%s", broker->keys, name);
}

static struct broker_pair place_pair(const struct broker *broker, const char *chain,
                                     const char *key)
{
  struct broker_pair pair;
  broker_file(broker, chain, pair.certificate);
  broker_key_file(broker, key, pair.key);
  return pair;
}

struct broker_pair broker_chain_place(const struct broker *broker, enum broker_listener listener)
{
  const struct broker_names *names = broker->ops->names;
  return place_pair(broker, names->chain[listener], names->key[listener]);
}

struct broker_pair broker_probe_place(const struct broker *broker)
{
  return place_pair(broker, broker->ops->names->probe_chain, broker->ops->names->probe_key);
}

struct broker_pair broker_device_place(const struct broker *broker, unsigned number)
{
  char chain[64], key[64];
  snprintf(chain, sizeof chain, "%u-%s", number, broker->ops->names->device_chain);
  snprintf(key, sizeof key, "%u-%s", number, broker->ops->names->device_key);
  return place_pair(broker, chain, key);
}

void broker_place(const struct broker *broker, enum broker_material what, char out[FILES_PATH_MAX])
{
  const char *name = broker->ops->names->material[what];
  if (what == BROKER_TICKET_KEYS)
    broker_key_file(broker, name, out);
  else
    broker_file(broker, name, out);
}

bool broker_is(const struct broker *broker, enum broker_trait trait)
{
  assert(broker != NULL);
  return broker_kind_is(broker->config.kind, trait);
}

const char *broker_name(const struct broker *broker)
{
  const char *word = broker_kind_word(broker->config.kind);
  return word != NULL ? word : "the broker";
}

const char *broker_log_name(const struct broker *broker)
{
  return broker->ops->log;
}

bool broker_trusts_at_start_only(const struct broker *broker)
{
  return broker->ops->trusts_at_start_only != NULL && broker->ops->trusts_at_start_only(broker);
}

const char *broker_host(const struct broker *broker)
{
  return broker->config.host;
}

const char *broker_address(const struct broker *broker, enum broker_listener listener)
{
  return broker->address[listener];
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

bool broker_running(const struct broker *broker)
{
  return broker->ops->running(broker);
}

const char *broker_version(const struct broker *broker)
{
  return broker->version;
}
