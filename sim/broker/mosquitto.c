/* The local mosquitto: one child, one state.
 *
 * STOPPED -> start: files written, child spawned -> STARTING: both ports are dialed in turn ->
 * RUNNING. RUNNING -> stop or restart: SIGTERM, after 5 s SIGKILL -> ENDING -> child gone ->
 * STOPPED, or started once more.
 *
 * The child may end, and the caller may stop or close, in every state. All of them lead to
 * settle(), which does nothing until both the process handle and the dial are closed and then
 * decides from `again`, `failed` and `done` what is next.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/internal.h"
#include "child/ports.h"

enum { READY_MS = 10000, POLL_MS = 20, TERM_MS = 5000, PICKS = 3 };

static void launch(struct broker *broker);

static void finish(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  broker_done done = m->done;
  m->done = NULL;
  if (done != NULL) broker_later(broker, done, m->ctx, m->failed ? &m->error : NULL);
}

static void fail(struct mosquitto *m, const char *sentence)
{
  if (m->failed) return;
  m->failed = true;
  error_set(&m->error, EXIT_CODE_SETUP, "%s", sentence);
}

static void begin(struct broker *broker, broker_done done, void *ctx)
{
  struct mosquitto *m = &broker->mosquitto;
  if (m->done != NULL) {
    struct error interrupted;
    error_set(&interrupted, EXIT_CODE_INTERRUPTED,
              "mosquitto was asked for something else before it was ready");
    broker_later(broker, m->done, m->ctx, &interrupted);
  }
  m->done = done;
  m->ctx = ctx;
  m->failed = m->again = false;
}

static void settle(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  if (m->process_open || m->dialing) return;
  if (m->closing) {
    if (!m->timer_open) broker_release(broker);
    return;
  }
  bool died = m->state == MOSQUITTO_RUNNING;
  m->state = MOSQUITTO_STOPPED;
  if (m->again && !m->failed) {
    m->again = false;
    launch(broker);
    return;
  }
  finish(broker);
  if (died && broker->config.died != NULL) broker->config.died(broker->config.ctx, m->ended);
}

static void on_dial_closed(struct dial *dial);

static void end_dial(struct mosquitto *m)
{
  if (m->dialing && !m->dial.closing) dial_close(&m->dial, on_dial_closed);
}

/* Whether another try with other ports may help: a port that we picked ourselves was taken in the
   meantime. */
static bool pick_again(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  if (m->picks_left == 0) return false;
  m->picks_left--;
  bool picked = false;
  for (int i = 0; i < BROKER_LISTENERS; i++) {
    if (broker->config.port[i] != 0 || !ports_in_use(broker->port[i])) continue;
    if (ports_pick(broker->port, BROKER_LISTENERS, &broker->port[i], NULL) != 0) return false;
    picked = true;
  }
  return picked;
}

static void describe_end(struct broker *broker, int status, int signal_number)
{
  struct mosquitto *m = &broker->mosquitto;
  char tail[400];
  mosquitto_log_tail(broker, m->log_start, tail, sizeof tail);
  if (signal_number != 0)
    snprintf(m->ended, sizeof m->ended, "mosquitto was ended by signal %d (%s)", signal_number,
             strsignal(signal_number));
  else
    snprintf(m->ended, sizeof m->ended, "mosquitto ended by itself with exit code %d: %s", status,
             tail[0] == '\0' ? "see its log" : tail);
}

static void ended_while_starting(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  char tail[400], sentence[1024];
  mosquitto_log_tail(broker, m->log_start, tail, sizeof tail);
  if (strstr(tail, "Address already in use") != NULL && pick_again(broker)) {
    m->again = true;
    return;
  }
  snprintf(sentence, sizeof sentence,
           "mosquitto does not start: %s (all of it: %.300s/mosquitto.log)",
           tail[0] == '\0' ? m->ended : tail, broker->folder);
  fail(m, sentence);
}

static void on_process_closed(struct child *process)
{
  struct broker *broker = process->data;
  broker->mosquitto.process_open = false;
  settle(broker);
}

static void on_exit_seen(struct child *process, int status, int signal_number)
{
  struct broker *broker = process->data;
  struct mosquitto *m = &broker->mosquitto;
  if (!m->closing) {
    uv_timer_stop(&m->kill_timer);
    describe_end(broker, status, signal_number);
    if (m->state == MOSQUITTO_STARTING) {
      m->state = MOSQUITTO_ENDING;
      ended_while_starting(broker);
    }
  }
  end_dial(m);
  if (broker->front != NULL) front_drop(broker->front); /* who waited for it waits no more */
  child_close(process, on_process_closed);
}

static void on_dial(struct dial *dial, int status)
{
  struct mosquitto *m = (struct mosquitto *) ((char *) dial - offsetof(struct mosquitto, dial));
  struct broker *broker = m->process.data;
  if (status != 0) {
    char sentence[FILES_PATH_MAX + 200];
    int reason = status == UV_ETIMEDOUT && dial->last != 0 ? dial->last : status;
    if (status == UV_ETIMEDOUT && (reason == UV_ETIMEDOUT || reason == UV_ECONNREFUSED))
      snprintf(sentence, sizeof sentence,
               "mosquitto does not accept connections on port %u within %d s: see %s/%s",
               broker->port[m->dialed], READY_MS / 1000, broker->folder, "mosquitto.log");
    else
      snprintf(sentence, sizeof sentence, "mosquitto's port %u cannot be tried (%s)%s",
               broker->port[m->dialed], uv_strerror(reason), error_remedy(-reason));
    fail(m, sentence);
    m->state = MOSQUITTO_ENDING;
    child_kill(&m->process, SIGKILL);
  }
  end_dial(m);
}

static void dial_listener(struct broker *broker, enum broker_listener listener)
{
  struct mosquitto *m = &broker->mosquitto;
  m->dialed = listener;
  m->dialing = true;
  dial_start(&m->dial, broker->loop, broker->config.permit, "127.0.0.1", broker->port[listener],
             READY_MS, POLL_MS, on_dial);
}

static void on_dial_closed(struct dial *dial)
{
  struct mosquitto *m = (struct mosquitto *) ((char *) dial - offsetof(struct mosquitto, dial));
  struct broker *broker = m->process.data;
  m->dialing = false;
  if (m->closing || m->state != MOSQUITTO_STARTING) {
    settle(broker);
  } else if (m->dialed == BROKER_MAIN) {
    dial_listener(broker, BROKER_PROVE);
  } else {
    m->state = MOSQUITTO_RUNNING;
    if (broker->front != NULL) front_resume(broker->front);
    m->has_been = true;
    finish(broker);
  }
}

/* A broker needs one descriptor per device; the child inherits what this process may have. */
static void raise_file_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct command {
  char *argument[16];
  char port[BROKER_LISTENERS][8];
};

/* mosquitto, or the terminator that starts it and ends with it: signals are the same to both. Its
 * options are those of cli/terminator.c. */
static void command_of(struct broker *broker, char *conf, struct command *out)
{
  const struct broker_config *config = &broker->config;
  char *plain[] = {broker->mosquitto_path, "-c", conf, NULL};
  for (int l = 0; l < BROKER_LISTENERS; l++)
    snprintf(out->port[l], sizeof out->port[l], "%u", broker->port[l]);
  char *fronted[] = {(char *) config->terminator,
                     "terminator",
                     broker->folder,
                     "--mosquitto",
                     broker->mosquitto_path,
                     "--main-port",
                     out->port[BROKER_MAIN],
                     "--prove-port",
                     out->port[BROKER_PROVE],
                     "--tls-min",
                     config->tls_min == 12 ? "12" : "13",
                     NULL,
                     NULL,
                     NULL,
                     NULL};
  char **more = &fronted[11]; /* the first NULL */
  if (config->crl) *more++ = "--crl";
  if (config->operator_name != NULL) {
    *more++ = "--operator";
    *more = (char *) config->operator_name;
  }
  if (config->terminator != NULL)
    memcpy(out->argument, fronted, sizeof fronted);
  else
    memcpy(out->argument, plain, sizeof plain);
}

/* What mosquitto says before it has read its log settings goes to the same log. Its end is tied to
 * ours by SIGKILL, which also ends a child that a rehearsal has stopped with SIGSTOP. */
static int spawn(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  char conf[FILES_PATH_MAX], log[FILES_PATH_MAX];
  if (broker_path(broker, "mosquitto.conf", conf) != 0 ||
      broker_path(broker, "mosquitto.log", log) != 0)
    return UV_ENAMETOOLONG;
  int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return uv_translate_sys_error(errno);
  m->log_start = mosquitto_log_size(broker);

  struct command command;
  command_of(broker, conf, &command);
  const struct child_options options = {.file = command.argument[0],
                                        .arguments = command.argument,
                                        .folder = broker->folder,
                                        .output = fd};
  raise_file_limit();
  int status = child_spawn(broker->loop, &m->process, &options, on_exit_seen);
  m->process_open = status == 0;
  close(fd);
  return status;
}

static void launch(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  if (mosquitto_write_files(broker, &m->error) != 0) {
    m->failed = true;
    finish(broker);
    return;
  }
  m->process_open = false;
  /* they may have been picked anew */
  if (broker->front != NULL) front_move(broker->front, broker->port);
  int status = spawn(broker);
  if (status != 0) {
    char sentence[256];
    snprintf(sentence, sizeof sentence, "cannot start mosquitto: %s%s", uv_strerror(status),
             error_remedy(-status));
    fail(m, sentence);
    m->state = MOSQUITTO_ENDING;
    settle(broker);
    return;
  }
  m->state = MOSQUITTO_STARTING;
  dial_listener(broker, BROKER_MAIN);
}

/* Explicit ports that are taken are an error of the set-up; picked ones are picked anew. */
static int check_ports(struct broker *broker, struct error *error)
{
  for (int i = 0; i < BROKER_LISTENERS; i++)
    if (broker->config.port[i] != 0 && ports_in_use(broker->port[i]))
      return error_set(
          error, EXIT_CODE_SETUP,
          "port %u is already in use: end what listens there or set another port in the scenario",
          broker->port[i]);
  pick_again(broker);
  return 0;
}

void mosquitto_init(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  uv_timer_init(broker->loop, &m->kill_timer);
  m->timer_open = true;
  broker->held++;
  m->kill_timer.data = broker;
  m->process.data = broker;
}

void mosquitto_start(struct broker *broker, broker_done done, void *ctx)
{
  struct mosquitto *m = &broker->mosquitto;
  assert(m->state == MOSQUITTO_STOPPED && m->done == NULL);
  begin(broker, done, ctx);
  m->picks_left = m->has_been ? 0 : PICKS;
  if (check_ports(broker, &m->error) != 0) {
    m->failed = true;
    finish(broker);
    return;
  }
  launch(broker);
}

static void on_kill_timer(uv_timer_t *timer)
{
  struct broker *broker = timer->data;
  child_kill(&broker->mosquitto.process, SIGKILL);
}

/* A child that stands still acts on SIGTERM only when it goes on. */
void mosquitto_stop(struct broker *broker, bool again, broker_done done, void *ctx)
{
  struct mosquitto *m = &broker->mosquitto;
  begin(broker, done, ctx);
  m->again = again;
  m->picks_left = 0;
  m->state = MOSQUITTO_ENDING;
  end_dial(m);
  if (m->process.alive) {
    child_kill(&m->process, SIGTERM);
    child_kill(&m->process, SIGCONT);
    uv_timer_start(&m->kill_timer, on_kill_timer, TERM_MS, 0);
  }
  settle(broker);
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
  struct mosquitto *m = &broker->mosquitto;
  if (m->state != MOSQUITTO_RUNNING || !m->process.alive) {
    refuse(broker, "be killed", done, ctx);
    return;
  }
  begin(broker, done, ctx);
  m->state = MOSQUITTO_ENDING;
  child_kill(&m->process, SIGKILL);
}

void mosquitto_signal(struct broker *broker, int number, const char *what, broker_done done,
                      void *ctx)
{
  struct mosquitto *m = &broker->mosquitto;
  bool running = m->state == MOSQUITTO_RUNNING && m->process.alive;
  if (running) child_kill(&m->process, number);
  if (running)
    broker_later(broker, done, ctx, NULL);
  else
    refuse(broker, what, done, ctx);
}

static void on_kill_timer_closed(uv_handle_t *handle)
{
  struct broker *broker = handle->data;
  broker->mosquitto.timer_open = false;
  settle(broker);
}

void mosquitto_close(struct broker *broker)
{
  struct mosquitto *m = &broker->mosquitto;
  begin(broker, NULL, NULL);
  m->closing = true;
  end_dial(m);
  child_kill(&m->process, SIGKILL);
  uv_close((uv_handle_t *) &m->kill_timer, on_kill_timer_closed);
}
