/* The loop of a run: its beat, on which everything is looked at that is due, the signals that end a
 * run in order, and its end. What is still under way after TEARDOWN_MS is left as it is. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/parts.h"
#include "stage/firmware.h"
#include "stage/heard.h"
#include "stage/muster.h"
#include "stage/operation.h"
#include "stage/tokens.h"
#include "stage/wait.h"

#define TICK_MS     20u
#define FLUSH_MS    1000u
#define SAME_MS     300u /* a terminal that closes sends its signal twice */
#define TEARDOWN_MS 8000u

static void check_limit(struct stage *stage)
{
  uint64_t elapsed_ms = stage_elapsed_ms(stage) - run_held_ms(stage);
  if (stage->aborted || elapsed_ms < stage->scenario->run_limit_ms) return;
  struct error error;
  error_set(&error, EXIT_CODE_FAIL,
            "the run reached its time limit of %.0f s; raise limits.run if that is intended",
            (double) stage->scenario->run_limit_ms / 1000.0);
  stage_abort(stage, &error);
}

/* Once a second: how far the run is goes into its list of events, and the list to the disk. A run that
 * cannot keep its list has no verdict, so it need not go on. */
static void keep_events(struct stage *stage)
{
  struct fleet_census census;
  struct error error;
  if (stage->fleet != NULL) {
    fleet_census(stage->fleet, &census);
    stage_emit(stage, (struct event){.kind = EVENT_SECOND, .second = {census.online}});
  }
  if (events_check(stage->events, &error) != 0 && !stage->aborted) stage_abort(stage, &error);
}

static void on_tick(void *ctx)
{
  struct stage *stage = ctx;
  stage->ticked = true;
  run_hear(stage);
  if (stage->fleet_closed) return; /* freed in this very turn, in which a tick may be due as well */
  stage_collect(stage);
  stage_ota_tick(stage);
  stage_tick_tokens(stage);
  check_limit(stage);
  run_look_at_brake(stage);
  stage_muster_look(stage);
  run_show_progress(stage);
  run_show(stage);
  if (stage->events == NULL || world_now_ms(stage->world) < stage->flush_at_ms) return;
  stage->flush_at_ms = world_now_ms(stage->world) + FLUSH_MS;
  keep_events(stage);
}

static void on_interrupt(void *ctx, int number)
{
  struct stage *stage = ctx;
  uint64_t now_ms = world_now_ms(stage->world);
  bool again = stage->interrupted && now_ms - stage->interrupted_ms > SAME_MS;
  if (again) { /* asked twice: the children end with us */
    progress_hide(stage->progress);
    _Exit(EXIT_CODE_INTERRUPTED);
  }
  if (stage->interrupted) return;
  stage->interrupted = true;
  stage->interrupted_ms = now_ms;
  struct error error;
  error_set(&error, EXIT_CODE_INTERRUPTED, "interrupted by %s%s; results up to here are written",
            number == SIGINT ? "Ctrl-C" : "SIG", number == SIGINT ? "" : sigabbrev_np(number));
  stage_abort(stage, &error);
}

static void on_wake(void *ctx)
{
  stage_collect(ctx);
}

static void book_delay(void *ctx, uint64_t delay_ms)
{
  metrics_record_us(((struct stage *) ctx)->metrics, METRIC_PROCESS_LOOP_DELAY, delay_ms * 1000);
}

void run_start_loop(struct stage *stage)
{
  static const struct world_watcher watcher = {
      .beat = on_tick, .woken = on_wake, .interrupted = on_interrupt, .delayed = book_delay};
  stage->began_ms = world_now_ms(stage->world);
  stage->began_unix_ms = world_unix_ms(stage->world);
  world_watch(stage->world, &watcher, TICK_MS, stage);
}

void run_end_loop(struct stage *stage)
{
  stage->stuck = !world_settle(stage->world, TEARDOWN_MS);
  if (!stage->stuck) {
    stage_free_kept(stage);
    return;
  }
  fprintf(stderr, "fleetsim: something is still under way after %u s and is left as it is\n",
          TEARDOWN_MS / 1000);
}
