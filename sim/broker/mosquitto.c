/* The local mosquitto: what it is started with, how it is asked, and what its gate learns of it. It
 * lives and ends as child/supervisor.h says; it answers once both of its ports, dialed in turn, take
 * a connection.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "broker/internal.h"

enum { READY_MS = 10000, POLL_MS = 20 };

/* --- Whether it answers ----------------------------------------------------------------------- */

static struct broker *broker_of_dial(struct dial *dial)
{
  return (struct broker *) ((char *) dial - offsetof(struct broker, mosquitto.dial));
}

static void on_dial_closed(struct dial *dial);

static void end_dial(struct mosquitto *m)
{
  if (!m->dial.closing) dial_close(&m->dial, on_dial_closed);
}

static void on_dial(struct dial *dial, int status)
{
  struct broker *broker = broker_of_dial(dial);
  struct mosquitto *m = &broker->mosquitto;
  int reason = status == UV_ETIMEDOUT && dial->last != 0 ? dial->last : status;
  m->unreachable = status != 0;
  if (status == UV_ETIMEDOUT && (reason == UV_ETIMEDOUT || reason == UV_ECONNREFUSED))
    snprintf(m->why, sizeof m->why,
             "mosquitto does not accept connections on port %u within %d s: see %s/%s",
             broker->port[m->dialed], READY_MS / 1000, broker->folder, "mosquitto.log");
  else if (status != 0)
    snprintf(m->why, sizeof m->why, "mosquitto's port %u cannot be tried (%s)%s",
             broker->port[m->dialed], uv_strerror(reason), error_remedy(-reason));
  end_dial(m);
}

static void dial_listener(struct broker *broker, enum broker_listener listener)
{
  struct mosquitto *m = &broker->mosquitto;
  m->dialed = listener;
  dial_start(&m->dial, broker->loop, broker->config.permit, "127.0.0.1", broker->port[listener],
             READY_MS, POLL_MS, on_dial);
}

static void on_dial_closed(struct dial *dial)
{
  struct broker *broker = broker_of_dial(dial);
  struct mosquitto *m = &broker->mosquitto;
  if (m->stops_dialing || m->unreachable || m->dialed == BROKER_PROVE)
    supervisor_probed(&m->server, m->unreachable ? m->why : NULL);
  else
    dial_listener(broker, BROKER_PROVE);
}

/* --- What the supervisor asks of it ----------------------------------------------------------- */

/* mosquitto, or the terminator that starts it and ends with it: signals are the same to both. Its
 * options are those of cli/terminator.c. */
static void write_command(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  const struct broker_config *config = &broker->config;
  char *plain[MOSQUITTO_ARGUMENTS] = {broker->mosquitto_path, "-c", m->conf};
  for (int l = 0; l < BROKER_LISTENERS; l++)
    snprintf(m->port[l], sizeof m->port[l], "%u", broker->port[l]);
  char *fronted[MOSQUITTO_ARGUMENTS] = {(char *) config->terminator,
                                        "terminator",
                                        broker->folder,
                                        "--mosquitto",
                                        broker->mosquitto_path,
                                        "--main-port",
                                        m->port[BROKER_MAIN],
                                        "--prove-port",
                                        m->port[BROKER_PROVE],
                                        "--tls-min",
                                        config->tls_min == 12 ? "12" : "13"};
  char **more = &fronted[11]; /* the first NULL of five */
  if (config->crl) *more++ = "--crl";
  if (config->operator_name != NULL) {
    *more++ = "--operator";
    *more = (char *) config->operator_name;
  }
  memcpy(m->argument, config->terminator != NULL ? fronted : plain, sizeof m->argument);
}

static char *const *prepare(void *ctx, struct error *error)
{
  struct broker *broker = ctx;
  struct mosquitto *m = &broker->mosquitto;
  if (mosquitto_write_files(broker, error) != 0 ||
      files_join(m->conf, broker->folder, "mosquitto.conf", error) != 0)
    return NULL;
  write_command(broker);
  /* they may have been picked anew */
  if (broker->front != NULL) front_move(broker->front, broker->port);
  return m->argument;
}

static void probe(void *ctx)
{
  struct broker *broker = ctx;
  broker->mosquitto.stops_dialing = broker->mosquitto.unreachable = false;
  dial_listener(broker, BROKER_MAIN);
}

static void probe_stop(void *ctx)
{
  struct mosquitto *m = &((struct broker *) ctx)->mosquitto;
  m->stops_dialing = true;
  end_dial(m);
}

static void log_words(void *ctx, long start, char *out, size_t capacity)
{
  mosquitto_log_tail(ctx, start, out, capacity);
}

static void on_answers(void *ctx)
{
  struct broker *broker = ctx;
  if (broker->front != NULL) front_resume(broker->front);
}

/* Who waited for it waits no more. */
static void on_gone(void *ctx)
{
  struct broker *broker = ctx;
  if (broker->front != NULL) front_drop(broker->front);
}

static void on_died(void *ctx, const char *how)
{
  struct broker *broker = ctx;
  if (broker->config.died != NULL) broker->config.died(broker->config.ctx, how);
}

/* --- What the broker asks of it --------------------------------------------------------------- */

void mosquitto_init(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  m->kind = (struct supervisor_server){
      .name = "mosquitto",
      .folder = broker->folder,
      .asked = broker->config.port,
      .port = broker->port,
      .ports = BROKER_LISTENERS,
      .ports_stay = true,
      .ports_where = "in the scenario",
      .interrupted = "mosquitto was asked for something else before it was ready",
      .prepare = prepare,
      .probe = probe,
      .probe_stop = probe_stop,
      .log_words = log_words,
      .unexplained = "see its log",
      .answers = on_answers,
      .gone = on_gone,
      .died = on_died,
      .server = broker};
  supervisor_init(&m->server, broker->loop, &m->kind);
  broker->held++;
}

void mosquitto_start(struct broker *broker, broker_done done, void *ctx)
{
  supervisor_start(&broker->mosquitto.server, done, ctx);
}

void mosquitto_stop(struct broker *broker, bool again, broker_done done, void *ctx)
{
  supervisor_stop(&broker->mosquitto.server, again, done, ctx);
}

static void refuse(struct broker *broker, const char *what, broker_done done, void *ctx)
{
  struct error error;
  error_set(&error, EXIT_CODE_SETUP,
            "mosquitto cannot %s because it is not running: start it first", what);
  broker_later(broker, done, ctx, &error);
}

void mosquitto_kill(struct broker *broker, broker_done done, void *ctx)
{
  if (supervisor_is_up(&broker->mosquitto.server))
    supervisor_kill(&broker->mosquitto.server, done, ctx);
  else
    refuse(broker, "be killed", done, ctx);
}

void mosquitto_signal(struct broker *broker, int number, const char *what, broker_done done,
                      void *ctx)
{
  struct supervisor *server = &broker->mosquitto.server;
  bool up = supervisor_is_up(server);
  if (up) child_kill(&server->child, number);
  if (up)
    broker_later(broker, done, ctx, NULL);
  else
    refuse(broker, what, done, ctx);
}

static void on_mosquitto_closed(void *ctx)
{
  broker_release(ctx);
}

void mosquitto_close(struct broker *broker)
{
  supervisor_close(&broker->mosquitto.server, on_mosquitto_closed, broker);
}
