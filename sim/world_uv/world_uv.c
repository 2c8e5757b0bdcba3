/* A run's world on libuv: one loop, a timer for the beat, an async handle to be woken by, handles
 * for signals. It is settled by closing these and turning the loop until nothing is under way; what
 * is still under way when its time is over stays, and the loop with it. */
#define _GNU_SOURCE
#include "world_uv/world_uv.h"

#include <assert.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/process.h"
#include "net/backend_uv.h"
#include "net/loop_delay.h"

/* All that would end this process without results, and that somebody may mean as "end": a terminal,
 * a batch system before it kills, a limit of CPU time. */
static const int ending_signals[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                     SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM};
#define SIGNALS (sizeof ending_signals / sizeof *ending_signals)

struct world_uv {
  struct world world;
  uv_loop_t loop;
  const struct world_watcher *watcher; /* NULL: nobody hears, not yet or not any more */
  void *ctx;
  bool settled;
  uv_timer_t beat;
  uv_async_t wake;
  uv_signal_t signals[SIGNALS];
  size_t signal_count;
  struct loop_delay delay;
  struct backend *backend; /* NULL: not asked for, or gone */
  /* the question at the terminal */
  uv_poll_t input;
  bool asking;
  void (*answered)(void *ctx);
  void *answered_ctx;
};

static struct world_uv *self(struct world *world)
{
  return (struct world_uv *) world;
}

static const struct world_uv *self_const(const struct world *world)
{
  return (const struct world_uv *) world;
}

/* --- Time and chance -------------------------------------------------------------------------- */

static const char *loop_version(const struct world *world)
{
  (void) world;
  return uv_version_string();
}

static uint64_t now_ms(const struct world *world)
{
  return uv_now(&self_const(world)->loop);
}

static uint64_t now_us(const struct world *world)
{
  (void) world;
  return uv_hrtime() / 1000;
}

static int64_t unix_ms(const struct world *world)
{
  (void) world;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int random_bytes(struct world *world, void *out, size_t size, struct error *error)
{
  (void) world;
  int status = uv_random(NULL, NULL, out, size, 0, NULL);
  return status == 0
             ? 0
             : error_set(error, EXIT_CODE_SETUP, "no random bytes: %s", uv_strerror(status));
}

/* --- Names and threads ------------------------------------------------------------------------ */

static size_t resolve(struct world *world, const char *host, uint16_t port,
                      struct sockaddr_storage *out, size_t room, const char **why)
{
  (void) world;
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL;
  int failed = getaddrinfo(host, service, &hints, &found);
  if (failed != 0) {
    *why = gai_strerror(failed);
    return 0;
  }
  size_t count = 0;
  for (const struct addrinfo *a = found; a != NULL && count < room; a = a->ai_next)
    memcpy(&out[count++], a->ai_addr, a->ai_addrlen);
  freeaddrinfo(found);
  return count;
}

struct job {
  uv_work_t request;
  void (*work)(void *ctx), (*done)(void *ctx);
  void *ctx;
};

static void on_thread(uv_work_t *request)
{
  const struct job *job = request->data;
  job->work(job->ctx); /* the caller's of world_work: make_list of stage/crls.c */
}

static void on_job_done(uv_work_t *request, int status)
{
  struct job job = *(struct job *) request->data;
  (void) status; /* nobody cancels */
  free(request->data);
  job.done(job.ctx); /* as above: on_made */
}

static int work_on_thread(struct world *world, void (*work)(void *ctx), void (*done)(void *ctx),
                          void *ctx)
{
  struct job *job = malloc(sizeof *job);
  if (job == NULL) return -1;
  *job = (struct job){.work = work, .done = done, .ctx = ctx};
  job->request.data = job;
  if (uv_queue_work(&self(world)->loop, &job->request, on_thread, on_job_done) == 0) return 0;
  free(job);
  return -1;
}

/* --- This process ----------------------------------------------------------------------------- */

static void usage_of(const struct world *world, struct world_usage *out)
{
  (void) world;
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  *out = (struct world_usage){
      .cpu_s = (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
      .resident_bytes = process_resident_bytes(),
      .peak_bytes = (uint64_t) usage.ru_maxrss * 1024,
  };
}

/* --- The loop --------------------------------------------------------------------------------- */

/* The watcher of all four: sim/run/loop.c. */
static void on_beat(uv_timer_t *timer)
{
  const struct world_uv *w = timer->data;
  if (w->watcher != NULL) w->watcher->beat(w->ctx);
}

static void on_wake(uv_async_t *async)
{
  const struct world_uv *w = async->data;
  if (w->watcher != NULL) w->watcher->woken(w->ctx);
}

static void on_signal(uv_signal_t *handle, int number)
{
  const struct world_uv *w = handle->data;
  if (w->watcher != NULL) w->watcher->interrupted(w->ctx, number);
}

static void on_delay(void *ctx, uint64_t delay_ms)
{
  const struct world_uv *w = ctx;
  if (w->watcher != NULL) w->watcher->delayed(w->ctx, delay_ms);
}

/* SIGHUP stays ignored under nohup. */
static void watch_signals(struct world_uv *w)
{
  for (size_t i = 0; i < SIGNALS; i++) {
    struct sigaction before;
    bool ignored = sigaction(ending_signals[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    if (ending_signals[i] == SIGHUP && ignored) continue;
    uv_signal_t *handle = &w->signals[w->signal_count++];
    uv_signal_init(&w->loop, handle);
    handle->data = w;
    uv_signal_start(handle, on_signal, ending_signals[i]);
  }
  /* a write that fails is told where it fails */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

static void watch(struct world *world, const struct world_watcher *watcher, uint32_t beat_ms,
                  void *ctx)
{
  struct world_uv *w = self(world);
  assert(w->watcher == NULL && !w->settled);
  w->watcher = watcher;
  w->ctx = ctx;
  uv_timer_start(&w->beat, on_beat, 0, beat_ms);
  watch_signals(w);
}

static void measure_delay(struct world *world, bool on)
{
  struct world_uv *w = self(world);
  if (on)
    loop_delay_start(&w->delay, &w->loop, on_delay, w);
  else
    loop_delay_stop(&w->delay);
}

static void wake(struct world *world)
{
  struct world_uv *w = self(world);
  if (!w->settled) uv_async_send(&w->wake);
}

static void turn(struct world *world, bool wait)
{
  uv_run(&self(world)->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* The beat goes on, unheard, so that no turn waits for ever. */
static bool settle(struct world *world, uint64_t within_ms)
{
  struct world_uv *w = self(world);
  uint64_t until_ms = uv_now(&w->loop) + within_ms;
  assert(!w->settled && !w->asking);
  w->settled = true;
  w->watcher = NULL;
  loop_delay_stop(&w->delay);
  backend_uv_destroy(w->backend);
  w->backend = NULL;
  uv_unref((uv_handle_t *) &w->beat);
  uv_close((uv_handle_t *) &w->wake, NULL);
  for (size_t i = 0; i < w->signal_count; i++) uv_close((uv_handle_t *) &w->signals[i], NULL);
  while (uv_loop_alive(&w->loop) && uv_now(&w->loop) < until_ms) uv_run(&w->loop, UV_RUN_ONCE);
  return !uv_loop_alive(&w->loop);
}

/* --- The terminal ----------------------------------------------------------------------------- */

static void on_input(uv_poll_t *poll, int status, int events)
{
  struct world_uv *w = poll->data;
  char line[256];
  (void) events;
  if (status == 0 && read(STDIN_FILENO, line, sizeof line) < 0) return;
  uv_poll_stop(poll);
  w->answered(w->answered_ctx); /* the caller's of world_ask: on_answer of steps/prompt.c */
}

static int ask(struct world *world, void (*answered)(void *ctx), void *ctx)
{
  struct world_uv *w = self(world);
  assert(!w->asking);
  if (!isatty(STDIN_FILENO) || uv_poll_init(&w->loop, &w->input, STDIN_FILENO) != 0) return -1;
  w->asking = true;
  w->answered = answered;
  w->answered_ctx = ctx;
  w->input.data = w;
  uv_poll_start(&w->input, UV_READABLE, on_input);
  return 0;
}

static void on_input_closed(uv_handle_t *handle)
{
  ((struct world_uv *) handle->data)->asking = false;
}

static void stop_asking(struct world *world)
{
  struct world_uv *w = self(world);
  assert(w->asking);
  uv_close((uv_handle_t *) &w->input, on_input_closed);
  while (w->asking) uv_run(&w->loop, UV_RUN_ONCE);
}

static bool terminal_of(const struct world *world, int descriptor, struct terminal *out)
{
  (void) world;
  return terminal_look(descriptor, out);
}

/* --- What is beyond it ------------------------------------------------------------------------ */

static struct backend *backend_of(struct world *world)
{
  struct world_uv *w = self(world);
  assert(!w->settled);
  if (w->backend == NULL) w->backend = backend_uv_create(&w->loop);
  return w->backend;
}

static struct uv_loop_s *loop_of(struct world *world)
{
  return &self(world)->loop;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static const struct world_ops ops = {
    .loop_version = loop_version,
    .now_ms = now_ms,
    .now_us = now_us,
    .unix_ms = unix_ms,
    .random = random_bytes,
    .resolve = resolve,
    .work = work_on_thread,
    .usage = usage_of,
    .watch = watch,
    .measure_delay = measure_delay,
    .wake = wake,
    .turn = turn,
    .settle = settle,
    .ask = ask,
    .stop_asking = stop_asking,
    .terminal = terminal_of,
    .backend = backend_of,
    .loop = loop_of,
};

int world_uv_open(struct world **out, struct error *error)
{
  struct world_uv *w = calloc(1, sizeof *w);
  if (w == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  int status = uv_loop_init(&w->loop);
  if (status != 0) {
    free(w);
    return error_set(error, EXIT_CODE_SETUP, "cannot make an event loop: %s%s", uv_strerror(status),
                     error_remedy(-status));
  }
  w->world.ops = &ops;
  uv_timer_init(&w->loop, &w->beat);
  uv_async_init(&w->loop, &w->wake, on_wake);
  w->beat.data = w->wake.data = w;
  *out = &w->world;
  return 0;
}

void world_uv_close(struct world *world)
{
  struct world_uv *w = self(world);
  if (!w->settled || uv_loop_alive(&w->loop)) return;
  uv_close((uv_handle_t *) &w->beat, NULL);
  uv_run(&w->loop, UV_RUN_NOWAIT);
  uv_loop_close(&w->loop);
  free(w);
}
