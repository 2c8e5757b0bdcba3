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
#include "stage/operation.h"
#include "stage/wait.h"

#define TICK_MS     20u
#define FLUSH_MS    1000u
#define SAME_MS     300u /* a terminal that closes sends its signal twice */
#define TEARDOWN_MS 8000u

static void show_progress(struct stage *stage)
{
  if (stage->progress == NULL || stage->fleet == NULL || stage->asking) return;
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  const struct scenario *scenario = stage->scenario;
  bool in_phase = stage->phase < scenario->phase_count;
  const struct progress_state state = {
      .now_ms = stage_elapsed_ms(stage),
      .phase = stage->phase + 1,
      .phase_count = scenario->phase_count,
      .phase_name = in_phase ? scenario->phases[stage->phase].name : "verdict",
      .online = census.online,
      .wanted = census.wanted,
      .handshakes = (uint64_t) (metrics_value(stage->metrics, METRIC_HANDSHAKE_FULL) +
                                metrics_value(stage->metrics, METRIC_HANDSHAKE_RESUMED)),
      .failures = (uint64_t) metrics_value(stage->metrics, METRIC_CONNECT_FAILED),
      .deadline_ms = scenario->run_limit_ms,
  };
  progress_update(stage->progress, &state);
}

static void check_limit(struct stage *stage)
{
  if (stage->aborted || stage_elapsed_ms(stage) < stage->scenario->run_limit_ms) return;
  struct error error;
  error_set(&error, EXIT_CODE_FAIL,
            "the run reached its time limit of %.0f s; raise limits.run if that is intended",
            (double) stage->scenario->run_limit_ms / 1000.0);
  stage_abort(stage, &error);
}

static void on_tick(uv_timer_t *timer)
{
  struct stage *stage = timer->data;
  stage->ticked = true;
  if (stage->fleet_closed) return; /* freed in this very turn: libuv runs timers after closing */
  stage_collect(stage);
  stage_ota_tick(stage);
  check_limit(stage);
  run_look_at_brake(stage);
  show_progress(stage);
  if (stage->events == NULL || uv_now(&stage->loop) < stage->flush_at_ms) return;
  stage->flush_at_ms = uv_now(&stage->loop) + FLUSH_MS;
  events_flush(stage->events);
}

static void on_signal(uv_signal_t *handle, int number)
{
  struct stage *stage = handle->data;
  bool again = stage->interrupted && uv_now(&stage->loop) - stage->interrupted_ms > SAME_MS;
  if (again) _Exit(EXIT_CODE_INTERRUPTED); /* asked twice: the children end with us */
  if (stage->interrupted) return;
  stage->interrupted = true;
  stage->interrupted_ms = uv_now(&stage->loop);
  struct error error;
  error_set(&error, EXIT_CODE_INTERRUPTED, "interrupted by %s%s; results up to here are written",
            number == SIGINT ? "Ctrl-C" : "SIG", number == SIGINT ? "" : sigabbrev_np(number));
  stage_abort(stage, &error);
}

static void on_wake(uv_async_t *async)
{
  stage_collect(async->data);
}

/* All that would end this process without results, and that somebody may mean as "end": a terminal,
 * a batch system before it kills, a limit of CPU time. SIGHUP stays ignored under nohup. */
static void watch_signals(struct stage *stage)
{
  static const int numbers[STAGE_SIGNALS] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                             SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM};
  for (size_t i = 0; i < STAGE_SIGNALS; i++) {
    struct sigaction before;
    bool ignored = sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    if (numbers[i] == SIGHUP && ignored) continue;
    uv_signal_t *handle = &stage->signals[stage->signal_count++];
    uv_signal_init(&stage->loop, handle);
    handle->data = stage;
    uv_signal_start(handle, on_signal, numbers[i]);
  }
  /* a write that fails is told where it fails */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

int run_start_loop(struct stage *stage)
{
  int status = uv_loop_init(&stage->loop);
  if (status != 0)
    return error_set(&stage->error, EXIT_CODE_SETUP, "cannot make an event loop: %s%s",
                     uv_strerror(status), error_remedy(-status));
  stage->loop_open = true;
  stage->began_ms = uv_now(&stage->loop);
  uv_timer_init(&stage->loop, &stage->tick);
  stage->tick.data = stage;
  uv_timer_start(&stage->tick, on_tick, 0, TICK_MS);
  uv_async_init(&stage->loop, &stage->wake, on_wake);
  stage->wake.data = stage;
  watch_signals(stage);
  return 0;
}

static void turn_while_alive(struct stage *stage)
{
  uint64_t until_ms = uv_now(&stage->loop) + TEARDOWN_MS;
  while (uv_loop_alive(&stage->loop) && uv_now(&stage->loop) < until_ms)
    uv_run(&stage->loop, UV_RUN_ONCE);
  if (!uv_loop_alive(&stage->loop)) return;
  stage->stuck = true;
  fprintf(stderr, "fleetsim: something is still under way after %u s and is left as it is\n",
          TEARDOWN_MS / 1000);
}

void run_end_loop(struct stage *stage)
{
  if (!stage->loop_open) return;
  uv_unref((uv_handle_t *) &stage->tick); /* beats on, so that no turn waits for ever */
  uv_close((uv_handle_t *) &stage->wake, NULL);
  for (size_t i = 0; i < stage->signal_count; i++)
    uv_close((uv_handle_t *) &stage->signals[i], NULL);
  turn_while_alive(stage);
  if (stage->stuck) return;
  uv_close((uv_handle_t *) &stage->tick, NULL);
  uv_run(&stage->loop, UV_RUN_NOWAIT);
  uv_loop_close(&stage->loop);
  stage_free_kept(stage);
}
