/* The functions of world.h, each on the implementation's table: that of world_uv.c, or of a test's
 * virtual world. Only the caller's mistakes are looked at here. */
#include "world/world.h"

#include <assert.h>

const char *world_loop_version(const struct world *world)
{
  return world->ops->loop_version(world);
}

uint64_t world_now_ms(const struct world *world)
{
  return world->ops->now_ms(world);
}

uint64_t world_now_us(const struct world *world)
{
  return world->ops->now_us(world);
}

int64_t world_unix_s(const struct world *world)
{
  return world_unix_ms(world) / 1000;
}

int64_t world_unix_ms(const struct world *world)
{
  return world->ops->unix_ms(world);
}

int world_random(struct world *world, void *out, size_t size, struct error *error)
{
  return world->ops->random(world, out, size, error);
}

size_t world_resolve(struct world *world, const char *host, uint16_t port,
                     struct sockaddr_storage *out, size_t room, const char **why)
{
  assert(host != NULL && room > 0 && why != NULL);
  return world->ops->resolve(world, host, port, out, room, why);
}

int world_work(struct world *world, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
  assert(work != NULL && done != NULL);
  return world->ops->work(world, work, done, ctx);
}

void world_usage(const struct world *world, struct world_usage *out)
{
  world->ops->usage(world, out);
}

void world_watch(struct world *world, const struct world_watcher *watcher, uint32_t beat_ms,
                 void *ctx)
{
  assert(watcher->beat != NULL && watcher->woken != NULL && watcher->interrupted != NULL &&
         watcher->delayed != NULL && beat_ms > 0);
  world->ops->watch(world, watcher, beat_ms, ctx);
}

void world_measure_delay(struct world *world, bool on)
{
  world->ops->measure_delay(world, on);
}

void world_wake(struct world *world)
{
  world->ops->wake(world);
}

void world_turn(struct world *world, bool wait)
{
  world->ops->turn(world, wait);
}

bool world_settle(struct world *world, uint64_t within_ms)
{
  return world->ops->settle(world, within_ms);
}

int world_ask(struct world *world, void (*answered)(void *ctx), void *ctx)
{
  assert(answered != NULL);
  return world->ops->ask(world, answered, ctx);
}

void world_stop_asking(struct world *world)
{
  world->ops->stop_asking(world);
}

bool world_terminal(const struct world *world, int descriptor, struct terminal *out)
{
  return world->ops->terminal(world, descriptor, out);
}

struct backend *world_backend(struct world *world)
{
  return world->ops->backend(world);
}

struct uv_loop_s *world_loop(struct world *world)
{
  return world->ops->loop(world);
}
