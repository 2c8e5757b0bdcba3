/* Whether a broker elsewhere listens: a TCP connection to each of its ports, tried again for
 * seconds, as one that is just starting needs. The sentence names the place and what the system
 * said. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "base/host_port.h"
#include "base/memory.h"
#include "broker/internal.h"

enum { REACH_MS = 10000, REACH_RETRY_MS = 250 };

struct reach {
  struct task task;
  struct dial dial;
  enum broker_listener listener;
  broker_done done;
  void *ctx;
  bool failed;
  struct error error;
};

static bool dial_from(struct reach *reach, unsigned listener);

static void on_reach_closed(struct dial *dial)
{
  struct reach *reach = (struct reach *) ((char *) dial - offsetof(struct reach, dial));
  if (!reach->failed && dial_from(reach, reach->listener + 1)) return;
  struct broker *broker = reach->task.broker;
  broker_task_end(&reach->task);
  reach->done(reach->ctx, reach->failed ? &reach->error : NULL);
  free(reach);
  broker_release(broker);
}

static void on_reach_event(struct dial *dial, int status)
{
  struct reach *reach = (struct reach *) ((char *) dial - offsetof(struct reach, dial));
  char place[HOST_PORT_MAX];
  int why = dial->last != 0 ? dial->last : status;
  const char *remedy = error_remedy(-why);
  if (status != 0) {
    reach->failed = true;
    error_set(&reach->error, EXIT_CODE_SETUP, "the broker at %s cannot be reached (%s)%s",
              host_port(broker_address(reach->task.broker, reach->listener),
                        broker_port(reach->task.broker, reach->listener), place),
              uv_strerror(why),
              *remedy != '\0' ? remedy : ": check the address and that it listens");
  }
  dial_close(dial, on_reach_closed);
}

static bool dial_from(struct reach *reach, unsigned listener)
{
  struct broker *broker = reach->task.broker;
  while (listener < BROKER_LISTENERS && broker->port[listener] == 0) listener++;
  if (listener >= BROKER_LISTENERS) return false;
  reach->listener = (enum broker_listener) listener;
  dial_start(&reach->dial, broker->loop, broker->config.permit,
             broker_address(broker, reach->listener), broker->port[listener], NULL, 0, REACH_MS,
             REACH_RETRY_MS, on_reach_event);
  return true;
}

static void on_reach_cancel(struct task *task)
{
  struct reach *reach = (struct reach *) task;
  if (reach->dial.closing && reach->failed) return;
  reach->failed = true;
  error_set(&reach->error, EXIT_CODE_INTERRUPTED, "stopped before the broker was reached");
  if (!reach->dial.closing) dial_close(&reach->dial, on_reach_closed);
}

void reach_run(struct broker *broker, broker_done done, void *ctx)
{
  struct reach *reach = calloc(1, sizeof *reach);
  if (reach == NULL) memory_gone("a way to the broker");
  reach->done = done;
  reach->ctx = ctx;
  broker_task_begin(broker, &reach->task, on_reach_cancel);
  dial_from(reach, BROKER_MAIN);
}
