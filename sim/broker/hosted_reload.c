/* A reload of a broker that is a child: SIGHUP, and its log is read until a line there says that it
 * has reloaded. Who connects after that meets what the files hold now. Where no such line comes it
 * is a sentence with the place of the log; where the broker ends meanwhile, its end is told by the
 * supervisor.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "broker/hosted.h"
#include "broker/internal.h"

enum { RELOAD_MS = 60000, LOOK_MS = 5, ASK_AGAIN_MS = 1000, LINE_MAX_BYTES = 1200 };

struct reload {
  struct task task;
  uv_timer_t timer;
  char log[FILES_PATH_MAX];
  long read; /* bytes of the log that have been looked at */
  uint64_t until_ms, ask_again_ms;
  broker_done done;
  void *ctx;
  bool failed;
  struct error error;
};

static void on_reload_closed(uv_handle_t *handle)
{
  struct reload *reload = handle->data;
  struct broker *broker = reload->task.broker;
  reload->done(reload->ctx, reload->failed ? &reload->error : NULL);
  free(reload);
  broker_release(broker);
}

static void end_reload(struct reload *reload)
{
  broker_task_end(&reload->task);
  uv_close((uv_handle_t *) &reload->timer, on_reload_closed);
}

static void interrupt(struct reload *reload)
{
  reload->failed = true;
  error_set(&reload->error, EXIT_CODE_INTERRUPTED, "%s was ended before it had reloaded",
            hosted_of(reload->task.broker)->program->name);
}

static void cancel_reload(struct task *task)
{
  struct reload *reload = (struct reload *) ((char *) task - offsetof(struct reload, task));
  interrupt(reload);
  uv_close((uv_handle_t *) &reload->timer, on_reload_closed);
}

/* A line that is not whole yet is looked at again. */
static bool has_reloaded(struct reload *reload)
{
  const struct broker *broker = reload->task.broker;
  char line[LINE_MAX_BYTES];
  bool seen = false;
  FILE *log = fopen(reload->log, "re");
  if (log == NULL) return false;
  fseek(log, reload->read, SEEK_SET);
  while (!seen && fgets(line, sizeof line, log) != NULL) {
    size_t size = strlen(line);
    if (size < sizeof line - 1 && (size == 0 || line[size - 1] != '\n')) break;
    reload->read += (long) size;
    /* the program's own: mosquitto_files.c's mosquitto_says_reloaded */
    seen = hosted_of(broker)->program->says_reloaded(broker, line);
  }
  fclose(log);
  return seen;
}

static void fail_late(struct reload *reload)
{
  reload->failed = true;
  error_set(&reload->error, EXIT_CODE_SETUP,
            "%s has not reloaded %d s after SIGHUP, by its log %s: if nothing there says why, this "
            "machine has too much to do: use fewer devices or a slower 'rate'",
            hosted_of(reload->task.broker)->program->name, RELOAD_MS / 1000, reload->log);
}

/* mosquitto forgets a signal that comes while it is reloading for an earlier one: it is sent again.
 * One signal too many does no harm, what it reads is what it has. */
static void on_look(uv_timer_t *timer)
{
  struct reload *reload = timer->data;
  struct supervisor *server = &hosted_of(reload->task.broker)->server;
  uint64_t now_ms = uv_now(timer->loop);
  if (has_reloaded(reload)) {
    end_reload(reload);
  } else if (!supervisor_is_up(server)) {
    interrupt(reload);
    end_reload(reload);
  } else if (now_ms >= reload->until_ms) {
    fail_late(reload);
    end_reload(reload);
  } else if (now_ms >= reload->ask_again_ms) {
    reload->ask_again_ms = now_ms + ASK_AGAIN_MS;
    child_kill(&server->child, SIGHUP);
  }
}

static long size_of(const char *path)
{
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
  fclose(file);
  return size > 0 ? size : 0;
}

void hosted_reload(struct broker *broker, broker_done done, void *ctx)
{
  struct hosted *h = hosted_of(broker);
  if (!supervisor_is_up(&h->server)) {
    hosted_refuse(broker, "reload", done, ctx);
    return;
  }
  struct reload *reload = calloc(1, sizeof *reload);
  if (reload == NULL) memory_gone("a reload of the broker");
  broker_task_begin(broker, &reload->task, cancel_reload);
  broker_file(broker, h->program->reload_log(broker), reload->log);
  reload->read = size_of(reload->log);
  reload->done = done;
  reload->ctx = ctx;
  uv_timer_init(broker->loop, &reload->timer);
  reload->timer.data = reload;
  uv_update_time(broker->loop);
  reload->until_ms = uv_now(broker->loop) + RELOAD_MS;
  reload->ask_again_ms = uv_now(broker->loop) + ASK_AGAIN_MS;
  child_kill(&h->server.child, SIGHUP);
  uv_timer_start(&reload->timer, on_look, 0, LOOK_MS);
}
