/* A broker that is a child: how it is asked whether it answers, what its gate learns of it, its
 * signals. It lives and ends as child/supervisor.h says; it answers once both of its ports, dialed
 * in turn, take a connection. A port that takes none is a sentence with the place of its log.
 */
#define _GNU_SOURCE
#include "broker/hosted.h"

#include <signal.h>
#include <stdio.h>

#include "broker/internal.h"
#include "child/ports.h"

enum { READY_MS = 10000, POLL_MS = 20 };

struct hosted *hosted_of(const struct broker *broker)
{
  return broker->own; /* which begins with it */
}

/* --- Whether it answers ----------------------------------------------------------------------- */

static struct hosted *hosted_of_dial(struct dial *dial)
{
  return (struct hosted *) ((char *) dial - offsetof(struct hosted, dial));
}

static void on_dial_closed(struct dial *dial);

static void end_dial(struct hosted *h)
{
  if (!h->dial.closing) dial_close(&h->dial, on_dial_closed);
}

/* Called by the dial. */
static void on_dial(struct dial *dial, int status)
{
  struct hosted *h = hosted_of_dial(dial);
  const struct broker *broker = h->broker;
  int reason = status == UV_ETIMEDOUT && dial->last != 0 ? dial->last : status;
  h->unreachable = status != 0;
  if (status == UV_ETIMEDOUT && (reason == UV_ETIMEDOUT || reason == UV_ECONNREFUSED))
    snprintf(h->why, sizeof h->why,
             "%s does not accept connections on port %u within %d s: see %s/%s.log",
             h->program->name, broker->port[h->dialed], READY_MS / 1000, broker->folder,
             h->program->name);
  else if (status != 0)
    snprintf(h->why, sizeof h->why, "%s's port %u cannot be tried (%s)%s", h->program->name,
             broker->port[h->dialed], uv_strerror(reason), error_remedy(-reason));
  end_dial(h);
}

static void dial_listener(struct hosted *h, enum broker_listener listener)
{
  const struct broker *broker = h->broker;
  h->dialed = listener;
  dial_start(&h->dial, broker->loop, broker->config.permit, broker->address[listener],
             broker->port[listener], NULL, 0, READY_MS, POLL_MS, on_dial);
}

static void on_dial_closed(struct dial *dial)
{
  struct hosted *h = hosted_of_dial(dial);
  if (h->stops_dialing || h->unreachable || h->dialed == BROKER_PROVE)
    supervisor_probed(&h->server, h->unreachable ? h->why : NULL);
  else
    dial_listener(h, BROKER_PROVE);
}

/* --- What the supervisor asks of it ----------------------------------------------------------- */

/* The program's own: mosquitto.c's write_command. */
static char *const *prepare(void *ctx, struct error *error)
{
  struct broker *broker = ctx;
  char *const *command = hosted_of(broker)->program->prepare(broker, error);
  /* the ports may have been picked anew */
  if (command != NULL && broker->front != NULL) front_move(broker->front, broker->port);
  return command;
}

static void probe(void *ctx)
{
  struct hosted *h = hosted_of(ctx);
  h->stops_dialing = h->unreachable = false;
  dial_listener(h, BROKER_MAIN);
}

static void probe_stop(void *ctx)
{
  struct hosted *h = hosted_of(ctx);
  h->stops_dialing = true;
  end_dial(h);
}

/* The program's own: mosquitto_files.c's mosquitto_log_tail. */
static void log_words(void *ctx, long start, char *out, size_t capacity)
{
  hosted_of(ctx)->program->log_words(ctx, start, out, capacity);
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

/* Told to the owner: stage/start_nodes.c. */
static void tell_died(const struct broker *broker, const char *how)
{
  if (broker->config.died != NULL) broker->config.died(broker->config.ctx, how);
}

static void on_died(void *ctx, const char *how)
{
  tell_died(ctx, how);
}

static void on_front_died(void *ctx)
{
  tell_died(ctx, "the gate before it has ended");
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static int pick_ports(struct broker *broker, struct error *error)
{
  for (int i = 0; i < BROKER_LISTENERS; i++)
    if (broker->port[i] == 0 &&
        ports_pick(broker->port, BROKER_LISTENERS, &broker->port[i], error) != 0)
      return -1;
  if (broker->port[BROKER_MAIN] != broker->port[BROKER_PROVE]) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "both of the broker's listeners have port %u: give them different ones",
                   broker->port[BROKER_MAIN]);
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

int hosted_open(struct broker *broker, const struct hosted_program *program, struct error *error)
{
  struct hosted *h = hosted_of(broker);
  h->broker = broker;
  h->program = program;
  for (int l = 0; l < BROKER_LISTENERS; l++) broker->address[l] = "127.0.0.1";
  if (pick_ports(broker, error) != 0 || open_front(broker, error) != 0) return -1;
  snprintf(h->interrupted, sizeof h->interrupted,
           "%s was asked for something else before it was ready", program->name);
  h->kind = (struct supervisor_server){.name = program->name,
                                       .folder = broker->folder,
                                       .asked = broker->config.port,
                                       .port = broker->port,
                                       .ports = BROKER_LISTENERS,
                                       .ports_stay = true,
                                       .ports_where = "in the scenario",
                                       .interrupted = h->interrupted,
                                       .prepare = prepare,
                                       .probe = probe,
                                       .probe_stop = probe_stop,
                                       .log_words = log_words,
                                       .unexplained = "see its log",
                                       .answers = on_answers,
                                       .gone = on_gone,
                                       .died = on_died,
                                       .server = broker};
  supervisor_init(&h->server, broker->loop, &h->kind);
  broker->held++;
  return 0;
}

static void on_supervisor_closed(void *ctx)
{
  broker_release(ctx);
}

void hosted_close(struct broker *broker)
{
  supervisor_close(&hosted_of(broker)->server, on_supervisor_closed, broker);
}

bool hosted_running(const struct broker *broker)
{
  return hosted_of(broker)->server.state == SUPERVISOR_RUNNING;
}

/* --- Its life --------------------------------------------------------------------------------- */

void hosted_start(struct broker *broker, broker_done done, void *ctx)
{
  supervisor_start(&hosted_of(broker)->server, done, ctx);
}

void hosted_stop(struct broker *broker, broker_done done, void *ctx)
{
  supervisor_stop(&hosted_of(broker)->server, false, done, ctx);
}

void hosted_restart(struct broker *broker, broker_done done, void *ctx)
{
  supervisor_stop(&hosted_of(broker)->server, true, done, ctx);
}

void hosted_refuse(struct broker *broker, const char *what, broker_done done, void *ctx)
{
  struct error error;
  error_set(&error, EXIT_CODE_SETUP, "%s cannot %s because it is not running: start it first",
            hosted_of(broker)->program->name, what);
  broker_later(broker, done, ctx, &error);
}

void hosted_kill(struct broker *broker, broker_done done, void *ctx)
{
  struct supervisor *server = &hosted_of(broker)->server;
  if (supervisor_is_up(server))
    supervisor_kill(server, done, ctx);
  else
    hosted_refuse(broker, "be killed", done, ctx);
}

static void send_signal(struct broker *broker, int number, const char *what, broker_done done,
                        void *ctx)
{
  struct supervisor *server = &hosted_of(broker)->server;
  if (!supervisor_is_up(server)) {
    hosted_refuse(broker, what, done, ctx);
    return;
  }
  child_kill(&server->child, number);
  broker_later(broker, done, ctx, NULL);
}

void hosted_freeze(struct broker *broker, broker_done done, void *ctx)
{
  send_signal(broker, SIGSTOP, "be frozen", done, ctx);
}

void hosted_thaw(struct broker *broker, broker_done done, void *ctx)
{
  send_signal(broker, SIGCONT, "be thawed", done, ctx);
}
