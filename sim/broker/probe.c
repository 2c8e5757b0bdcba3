/* A handshake without trust, to see the certificate that a broker serves: it is looked at and
 * given up. In TLS 1.2 the broker ends it because we show none, which is no failure once it was
 * seen. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "base/host_port.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "broker/tls_dial.h"

enum { PROBE_MS = 5000, ADDRESS_ROOM = 46 };

struct probe {
  struct task task;
  struct tls_dial dial;
  enum broker_listener listener;
  char from[ADDRESS_ROOM];
  broker_seen_done done;
  void *ctx;
  struct broker_seen seen;
  bool failed;
  struct error error;
};

static struct probe *probe_of_dial(struct tls_dial *dial)
{
  return (struct probe *) ((char *) dial - offsetof(struct probe, dial));
}

static void on_probe_closed(struct tls_dial *dial)
{
  struct probe *probe = probe_of_dial(dial);
  struct broker *broker = probe->task.broker;
  broker_task_end(&probe->task);
  if (probe->failed)
    probe->done(probe->ctx, NULL, &probe->error);
  else
    probe->done(probe->ctx, &probe->seen, NULL);
  free(probe);
  broker_release(broker);
}

static void fail_probe(struct probe *probe, const char *why)
{
  struct broker *broker = probe->task.broker;
  probe->failed = true;
  char place[HOST_PORT_MAX];
  error_set(&probe->error, EXIT_CODE_SETUP, "the certificate that %s serves cannot be seen: %s",
            host_port(broker_address(broker, probe->listener), broker_port(broker, probe->listener),
                      place),
            why);
  tls_dial_close(&probe->dial, on_probe_closed);
}

/* Called by the dial. In TLS 1.2 the broker refuses us, who have no certificate, before the
 * handshake ends: what it served has been seen all the same. */
static void on_probe_event(struct tls_dial *dial, enum tls_dial_event event, const char *why)
{
  struct probe *probe = probe_of_dial(dial);
  struct broker_seen *seen = &probe->seen;
  bool over = event == TLS_DIAL_READY || event == TLS_DIAL_ENDED;
  if (event == TLS_DIAL_UNUSABLE)
    fail_probe(probe, "OpenSSL cannot make a connection");
  else if (over && tls_dial_peer(dial, &seen->chain))
    tls_dial_close(dial, on_probe_closed);
  else
    fail_probe(probe, why != NULL ? why : "it shows no certificate");
}

static void on_probe_cancel(struct task *task)
{
  struct probe *probe = (struct probe *) task;
  if (!tls_dial_is_closing(&probe->dial)) fail_probe(probe, "stopped");
  probe->failed = true;
  probe->error.code = EXIT_CODE_INTERRUPTED;
}

void broker_probe(struct broker *broker, const struct broker_look *look, broker_seen_done done,
                  void *ctx)
{
  enum broker_listener listener = look->listener;
  bool bound = look->from != NULL;
  struct probe *probe = calloc(1, sizeof *probe);
  if (probe == NULL) memory_gone("a look at the broker");
  probe->done = done;
  probe->ctx = ctx;
  probe->listener = listener;
  if (bound) snprintf(probe->from, sizeof probe->from, "%s", look->from);
  error_set(&probe->error, EXIT_CODE_INTERRUPTED, "stopped");
  broker_task_begin(broker, &probe->task, on_probe_cancel);
  tls_dial_start(
      &probe->dial, broker->loop,
      &(struct tls_dial_config){.permit = broker->config.permit,
                                .address = broker_address(broker, listener),
                                .port = broker->port[listener],
                                .host = broker->config.host,
                                .alpn = broker->config.alpn,
                                .from = bound ? probe->from : NULL,
                                .turn = look->turn,
                                .timeout_ms = look->timeout_ms != 0 ? look->timeout_ms : PROBE_MS,
                                .event = on_probe_event});
}
