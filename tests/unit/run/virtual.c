/* world/world.h on clock.h: turning the loop jumps to what is due next, a thread's work is done at
 * once and told of two milliseconds later, every name leads to 127.0.0.1. */
#define _POSIX_C_SOURCE 200809L
#include "virtual.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "net/backend.h"
#include "wire.h"

#define WORK_US   2000u
#define TURNS_MAX 1000000u

struct work {
  void (*done)(void *ctx);
  void *ctx;
};

static struct {
  struct world world;
  const struct world_watcher *watcher; /* NULL: nobody hears */
  void *ctx;
  uint64_t began_us, beat_us;
  bool waking, no_terminal;
  void (*answered)(void *ctx);
  void *answer_ctx;
  uint8_t next_random;
} the;

static const char *loop_version(const struct world *world)
{
  (void) world;
  return "virtual";
}

static uint64_t now_us(const struct world *world)
{
  (void) world;
  return clock_now_us();
}

static uint64_t now_ms(const struct world *world)
{
  return now_us(world) / 1000;
}

static int64_t unix_ms(const struct world *world)
{
  (void) world;
  return backend_unix_s(wire_backend()) * 1000 + (int64_t) (clock_now_us() / 1000 % 1000);
}

static int draw(struct world *world, void *out, size_t size, struct error *error)
{
  (void) world, (void) error;
  for (size_t i = 0; i < size; i++) ((uint8_t *) out)[i] = ++the.next_random;
  return 0;
}

static size_t resolve(struct world *world, const char *host, uint16_t port,
                      struct sockaddr_storage *out, size_t room, const char **why)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  (void) world, (void) host, (void) why;
  assert(room > 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memset(out, 0, sizeof *out);
  memcpy(out, &at, sizeof at);
  return 1;
}

static void end_work(void *ctx)
{
  struct work *work = ctx;
  work->done(work->ctx); /* stage/crls.c */
  free(work);
}

static int work(struct world *world, void (*call)(void *ctx), void (*done)(void *ctx), void *ctx)
{
  struct work *work = malloc(sizeof *work);
  (void) world;
  assert(work != NULL);
  *work = (struct work){done, ctx};
  call(ctx); /* stage/crls.c */
  clock_in(WORK_US, end_work, work);
  return 0;
}

static void usage(const struct world *world, struct world_usage *out)
{
  (void) world;
  *out = (struct world_usage){
      .cpu_s = 1.5, .resident_bytes = 32 * 1024 * 1024, .peak_bytes = 48 * 1024 * 1024};
}

static void beat(void *ctx)
{
  if (the.watcher == NULL) return;
  the.watcher->beat(the.ctx); /* run/loop.c */
  clock_in(the.beat_us, beat, ctx);
}

static void watch(struct world *world, const struct world_watcher *watcher, uint32_t beat_ms,
                  void *ctx)
{
  (void) world;
  the.watcher = watcher;
  the.ctx = ctx;
  the.beat_us = (uint64_t) beat_ms * 1000;
  clock_in(0, beat, NULL);
}

static void measure_delay(struct world *world, bool on)
{
  (void) world, (void) on;
}

static void be_woken(void *ctx)
{
  (void) ctx;
  the.waking = false;
  if (the.watcher != NULL) the.watcher->woken(the.ctx); /* run/loop.c */
}

static void wake(struct world *world)
{
  (void) world;
  if (the.waking) return;
  the.waking = true;
  clock_in(0, be_woken, NULL);
}

static void turn(struct world *world, bool wait)
{
  (void) world;
  bool turned = clock_turn(wait);
  assert(turned || !wait); /* else it would wait for ever */
  (void) turned;
}

static bool settle(struct world *world, uint64_t within_ms)
{
  (void) world, (void) within_ms;
  the.watcher = NULL;
  unsigned turns = 0;
  while (clock_turn(true)) assert(turns++ < TURNS_MAX);
  return true;
}

static int ask(struct world *world, void (*answered)(void *ctx), void *ctx)
{
  (void) world;
  the.answered = answered;
  the.answer_ctx = ctx;
  return the.no_terminal ? -1 : 0;
}

static void stop_asking(struct world *world)
{
  (void) world;
  the.answered = NULL;
}

static bool terminal(const struct world *world, int descriptor, struct terminal *out)
{
  (void) world, (void) descriptor, (void) out;
  return false;
}

static struct backend *backend(struct world *world)
{
  (void) world;
  return wire_backend();
}

static struct uv_loop_s *loop(struct world *world)
{
  (void) world;
  return NULL;
}

struct world *virtual_open(void)
{
  static const struct world_ops ops = {
      loop_version,  now_ms, now_us, unix_ms, draw, resolve,     work,     usage,   watch,
      measure_delay, wake,   turn,   settle,  ask,  stop_asking, terminal, backend, loop};
  clock_begin();
  memset(&the, 0, sizeof the);
  the.world.ops = &ops;
  the.began_us = clock_now_us();
  return &the.world;
}

void virtual_close(void)
{
  clock_end();
}

void virtual_interrupt(void)
{
  if (the.watcher != NULL) the.watcher->interrupted(the.ctx, SIGINT); /* run/loop.c */
}

void virtual_answer(void)
{
  if (the.answered != NULL) the.answered(the.answer_ctx); /* steps/prompt.c */
}

void virtual_without_terminal(void)
{
  the.no_terminal = true;
}

double virtual_s(void)
{
  return (double) (clock_now_us() - the.began_us) / 1e6;
}
