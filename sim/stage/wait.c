/* How a run waits: the loop is turned until a condition holds, its time is over, or the run is
 * aborted. */
#define _POSIX_C_SOURCE 200809L
#include "stage/wait.h"

uint64_t stage_elapsed_ms(const struct stage *stage)
{
  return world_now_ms(stage->world) - stage->began_ms;
}

double stage_event_s(const struct stage *stage)
{
  return (double) (world_now_us(stage->world) - stage->began_ms * 1000) / 1e6;
}

void stage_clear_terminal(const struct stage *stage)
{
  progress_hide(stage->progress);
}

enum stage_waited stage_wait(struct stage *stage, bool (*done)(struct stage *stage, void *ctx),
                             void *ctx, uint64_t within_ms)
{
  uint64_t now_ms = world_now_ms(stage->world);
  uint64_t until_ms = within_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + within_ms;
  for (;;) {
    if (stage->aborted) return STAGE_ABORTED;
    if (done(stage, ctx)) return STAGE_REACHED;
    if (world_now_ms(stage->world) >= until_ms) return STAGE_TIMED_OUT;
    /* conditions look at every device: once a tick is often enough, once per packet is not
       affordable */
    for (stage->ticked = false; !stage->ticked;) world_turn(stage->world, true);
  }
}

bool stage_is_complete(struct stage *stage, void *ctx)
{
  (void) ctx;
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  return census.online == census.wanted;
}

static bool never(struct stage *stage, void *ctx)
{
  (void) stage;
  (void) ctx;
  return false;
}

bool stage_pause(struct stage *stage, uint64_t ms)
{
  return stage_wait(stage, never, NULL, ms) != STAGE_ABORTED;
}

bool stage_yield(struct stage *stage)
{
  world_turn(stage->world, false);
  return !stage->aborted;
}
