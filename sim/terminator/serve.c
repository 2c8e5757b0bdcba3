/* The process: mosquitto as its child (child/supervisor.h), which answers once its unix socket does;
 * then the listeners, until SIGTERM or until mosquitto ends. What stops it from starting is a
 * sentence on stderr and an exit code.
 */
#define _POSIX_C_SOURCE 200809L
#include "terminator/terminator.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "terminator/context.h"
#include "terminator/internal.h"

enum { POLL_MS = 20, BACKLOG = 1024 };

static const char unanswered[] = "mosquitto does not answer on " TERMINATOR_SOCKET;

const char *const terminator_stem[TERMINATOR_LISTENERS] = {"main", "prove"};

void terminator_log(struct terminator *t, const char *format, ...)
{
  char stamp[32];
  time_t now = time(NULL);
  struct tm parts;
  va_list args;
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", localtime_r(&now, &parts));
  fprintf(t->log, "%s: ", stamp);
  va_start(args, format);
  vfprintf(t->log, format, args);
  va_end(args);
  fputc('\n', t->log);
  fflush(t->log);
}

static int fail(const char *sentence)
{
  fprintf(stderr, "Error: the terminator before mosquitto does not start: %s\n", sentence);
  return EXIT_CODE_SETUP;
}

static void on_stopped(void *ctx, const struct error *error)
{
  struct terminator *t = ctx;
  (void) error;
  uv_stop(&t->loop);
}

/* The end: mosquitto goes first. */
static void end(struct terminator *t, int exit_code)
{
  if (t->ending) return;
  t->ending = true;
  t->exit_code = exit_code;
  supervisor_stop(&t->mosquitto, false, on_stopped, t);
}

static void on_end(uv_signal_t *handle, int number)
{
  (void) number;
  struct terminator *t = handle->data;
  terminator_log(t, "asked to end, with %zu clients", t->client_count);
  end(t, EXIT_CODE_PASS);
}

/* It has ended by itself, or did not answer: its exit is ours. */
static void follow(struct terminator *t)
{
  const struct supervisor *m = &t->mosquitto;
  t->exit_code = m->exit_status != 0 ? m->exit_status : EXIT_CODE_SETUP;
  if (!t->unanswered)
    terminator_log(t, "mosquitto ended by itself: exit code %d, signal %d", m->exit_status,
                   m->exit_signal);
  t->ending = true;
  uv_stop(&t->loop);
}

/* Called by the supervisor. */
static void on_died(void *server, const char *how)
{
  (void) how;
  follow(server);
}

/* It works in its folder. */
static const char *keys_of(const struct terminator *t)
{
  return t->config->keys != NULL ? t->config->keys : ".";
}

/* All or none, listener by listener; what is in force stays so when a file cannot be read. */
static int load(struct terminator *t, struct error *error)
{
  unsigned crls = 0;
  for (int l = 0; l < TERMINATOR_LISTENERS; l++)
    if (context_load(t->context[l], terminator_stem[l], keys_of(t), t->config->crl, &crls, error) !=
        0)
      return -1;
  terminator_log(t, "certificates, keys and %u CRLs are in force", crls);
  return 0;
}

static void on_hangup(uv_signal_t *handle, int number)
{
  (void) number;
  struct terminator *t = handle->data;
  struct error error;
  if (load(t, &error) != 0) terminator_log(t, "not reloaded: %s", error.text);
}

/* --- Start ------------------------------------------------------------------------------------ */

static void on_connection(void *ctx, int fd)
{
  struct terminator_listener *at = ctx;
  struct terminator *t = at->terminator;
  if (t->ending)
    close(fd);
  else
    client_accept(t, (int) (at - t->listener), fd);
}

/* 0, or a code of libuv. */
static int listen_on(struct terminator *t, int l)
{
  struct terminator_listener *at = &t->listener[l];
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(t->config->port[l]),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = listener_bind(&address);
  if (fd < 0) return fd;
  int status = listen(fd, BACKLOG) == 0 ? 0 : -errno;
  at->terminator = t;
  if (status == 0) status = listener_open(&at->listener, &t->loop, fd, on_connection, at);
  if (status != 0) close(fd);
  return status;
}

static bool listen_all(struct terminator *t)
{
  for (int l = 0; l < TERMINATOR_LISTENERS; l++) {
    int status = listen_on(t, l);
    if (status == 0) continue;
    (void) fail(strerror(-status));
    return false;
  }
  t->listening = true;
  terminator_log(t, "listens on 127.0.0.1:%u and 127.0.0.1:%u", t->config->port[0],
                 t->config->port[1]);
  return true;
}

/* --- mosquitto -------------------------------------------------------------------------------- */

static void on_started(void *ctx, const struct error *error)
{
  struct terminator *t = ctx;
  if (t->ending) return;
  if (error != NULL && t->mosquitto.exit_status == 0 && t->mosquitto.exit_signal == 0)
    end(t, fail(error->text)); /* it never was there */
  else if (error != NULL)
    follow(t);
  else if (!listen_all(t))
    end(t, EXIT_CODE_SETUP);
}

static void on_poll(uv_timer_t *timer);

static void on_probe_closed(uv_handle_t *handle)
{
  struct terminator *t = handle->data;
  if (t->probed)
    supervisor_probed(&t->mosquitto, t->unanswered ? unanswered : NULL);
  else
    uv_timer_start(&t->poll, on_poll, POLL_MS, 0);
}

static void on_probed(uv_connect_t *request, int status)
{
  struct terminator *t = request->data;
  if (t->probed) return; /* it is closed already */
  t->unanswered = status != 0 && uv_now(&t->loop) > t->give_up_ms;
  t->probed = status == 0 || t->unanswered;
  if (t->unanswered) (void) fail(unanswered);
  uv_close((uv_handle_t *) &t->probe, on_probe_closed);
}

static void on_poll(uv_timer_t *timer)
{
  struct terminator *t = timer->data;
  uv_pipe_init(&t->loop, &t->probe, 0);
  t->probe.data = t;
  t->probing.data = t;
  uv_pipe_connect(&t->probing, &t->probe, TERMINATOR_SOCKET, on_probed);
}

/* Called by the supervisor, as the others of its kind. */
static void probe(void *server)
{
  struct terminator *t = server;
  t->probed = t->unanswered = false;
  t->give_up_ms = uv_now(&t->loop) + TERMINATOR_BROKER_MS;
  on_poll(&t->poll);
}

/* What is closing already tells of its end itself. */
static void probe_stop(void *server)
{
  struct terminator *t = server;
  bool waits = uv_is_active((uv_handle_t *) &t->poll);
  if (t->probed) return;
  t->probed = true;
  uv_timer_stop(&t->poll);
  if (waits)
    supervisor_probed(&t->mosquitto, NULL);
  else if (!uv_is_closing((uv_handle_t *) &t->probe))
    uv_close((uv_handle_t *) &t->probe, on_probe_closed);
}

static char *const *prepare_mosquitto(void *server, struct error *error)
{
  struct terminator *t = server;
  char *command[] = {(char *) t->config->mosquitto, "-c", "mosquitto.conf", NULL};
  (void) error;
  memcpy(t->command, command, sizeof command);
  return t->command;
}

/* They are the broker's to read, in the log that both processes write. */
static void no_words(void *server, long start, char *out, size_t capacity)
{
  (void) server, (void) start;
  assert(capacity > 0);
  out[0] = '\0';
}

static void supervise(struct terminator *t)
{
  t->kind = (struct supervisor_server){.name = "mosquitto",
                                       .folder = ".",
                                       .interrupted = "the terminator ends",
                                       .prepare = prepare_mosquitto,
                                       .probe = probe,
                                       .probe_stop = probe_stop,
                                       .log_words = no_words,
                                       .died = on_died,
                                       .server = t};
  supervisor_init(&t->mosquitto, &t->loop, &t->kind);
}

/* --- The whole -------------------------------------------------------------------------------- */

static int prepare(struct terminator *t)
{
  struct error error;
  if (chdir(t->config->folder) != 0) return fail("its folder is gone");
  t->log = fopen("terminator.log", "ae");
  if (t->log == NULL) return fail("terminator.log cannot be written");
  for (int l = 0; l < TERMINATOR_LISTENERS; l++) {
    t->context[l] = context_make(terminator_stem[l], keys_of(t), t->config->tls_min, &error);
    if (t->context[l] == NULL) return fail(error.text);
  }
  if (t->config->roster && roster_load(TERMINATOR_ROSTER, &t->roster, &error) != 0)
    return fail(error.text);
  if (load(t, &error) != 0) return fail(error.text);
  (void) unlink(TERMINATOR_SOCKET); /* of a mosquitto that was killed */
  return 0;
}

static int run(struct terminator *t)
{
  supervisor_start(&t->mosquitto, on_started, t);
  uv_signal_start(&t->hangup, on_hangup, SIGHUP);
  uv_signal_start(&t->end, on_end, SIGTERM);
  uv_run(&t->loop, UV_RUN_DEFAULT);
  return t->exit_code;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
  (void) ctx;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

int terminator_run(const struct terminator_config *config)
{
  struct terminator t = {.config = config};
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&t.loop) != 0) return fail("there is no event loop");
  uv_signal_init(&t.loop, &t.hangup);
  uv_signal_init(&t.loop, &t.end);
  uv_timer_init(&t.loop, &t.poll);
  t.hangup.data = t.end.data = t.poll.data = &t;
  supervise(&t);
  int exit_code = prepare(&t);
  if (exit_code == 0) exit_code = run(&t);
  client_close_all(&t);
  for (int l = 0; t.listening && l < TERMINATOR_LISTENERS; l++)
    listener_close(&t.listener[l].listener, NULL);
  supervisor_close(&t.mosquitto, NULL, NULL);
  uv_walk(&t.loop, close_handle, NULL);
  uv_run(&t.loop, UV_RUN_DEFAULT);
  (void) uv_loop_close(&t.loop);
  for (int l = 0; l < TERMINATOR_LISTENERS; l++) SSL_CTX_free(t.context[l]);
  roster_free(t.roster);
  if (t.log != NULL) fclose(t.log);
  return exit_code;
}
