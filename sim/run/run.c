/* A run from set-up to verdict, and the one way in which it waits. */
#define _GNU_SOURCE
#include "run/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/ota.h"

#define TICK_MS  20u
#define FLUSH_MS 1000u
#define SAME_MS  300u /* a terminal that closes sends its signal twice */

uint64_t run_elapsed_ms(const struct run *run)
{
  return uv_now(&run->loop) - run->began_ms;
}

double run_event_s(const struct run *run)
{
  return (double) (backend_now_us(run->backend) - run->began_ms * 1000) / 1e6;
}

void run_emit(struct run *run, struct event event)
{
  event.t_s = run_event_s(run);
  events_emit(run->events, &event);
}

int run_abort(struct run *run, const struct error *error)
{
  if (!run->aborted && error != &run->error) run->error = *error;
  run->aborted = true;
  return -1;
}

static void show_progress(struct run *run)
{
  if (run->progress == NULL || run->fleet == NULL || run->asking) return;
  struct fleet_census census;
  fleet_census(run->fleet, &census);
  const struct scenario *scenario = run->scenario;
  bool in_phase = run->phase < scenario->phase_count;
  const struct progress_state state = {
      .now_ms = run_elapsed_ms(run),
      .phase = run->phase + 1,
      .phase_count = scenario->phase_count,
      .phase_name = in_phase ? scenario->phases[run->phase].name : "verdict",
      .online = census.online,
      .wanted = census.wanted,
      .handshakes = (uint64_t) (metrics_value(run->metrics, METRIC_HANDSHAKE_FULL) +
                                metrics_value(run->metrics, METRIC_HANDSHAKE_RESUMED)),
      .failures = (uint64_t) metrics_value(run->metrics, METRIC_CONNECT_FAILED),
      .deadline_ms = scenario->run_limit_ms,
  };
  progress_update(run->progress, &state);
}

static void check_limit(struct run *run)
{
  if (run->aborted || run_elapsed_ms(run) < run->scenario->run_limit_ms) return;
  struct error error;
  error_set(&error, EXIT_CODE_FAIL,
            "the run reached its time limit of %.0f s; raise limits.run if that is intended",
            (double) run->scenario->run_limit_ms / 1000.0);
  run_abort(run, &error);
}

void run_on_tick(uv_timer_t *timer)
{
  struct run *run = timer->data;
  run->ticked = true;
  run_collect(run);
  run_ota_tick(run);
  check_limit(run);
  run_look_at_brake(run);
  show_progress(run);
  if (run->events == NULL || uv_now(&run->loop) < run->flush_at_ms) return;
  run->flush_at_ms = uv_now(&run->loop) + FLUSH_MS;
  events_flush(run->events);
}

void run_on_signal(uv_signal_t *handle, int number)
{
  struct run *run = handle->data;
  bool again = run->interrupted && uv_now(&run->loop) - run->interrupted_ms > SAME_MS;
  if (again) _Exit(EXIT_CODE_INTERRUPTED); /* asked twice: the children end with us */
  if (run->interrupted) return;
  run->interrupted = true;
  run->interrupted_ms = uv_now(&run->loop);
  struct error error;
  error_set(&error, EXIT_CODE_INTERRUPTED, "interrupted by %s%s; results up to here are written",
            number == SIGINT ? "Ctrl-C" : "SIG", number == SIGINT ? "" : sigabbrev_np(number));
  run_abort(run, &error);
}

enum run_waited run_wait(struct run *run, bool (*done)(struct run *run, void *ctx), void *ctx,
                         uint64_t within_ms)
{
  uint64_t now_ms = uv_now(&run->loop);
  uint64_t until_ms = within_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + within_ms;
  for (;;) {
    if (run->aborted) return RUN_ABORTED;
    if (done(run, ctx)) return RUN_REACHED;
    if (uv_now(&run->loop) >= until_ms) return RUN_TIMED_OUT;
    /* conditions look at every device: once a tick is often enough, once per packet is not
       affordable */
    for (run->ticked = false; !run->ticked;) uv_run(&run->loop, UV_RUN_ONCE);
  }
}

bool run_is_complete(struct run *run, void *ctx)
{
  (void) ctx;
  struct fleet_census census;
  fleet_census(run->fleet, &census);
  return census.online == census.wanted;
}

static bool never(struct run *run, void *ctx)
{
  (void) run;
  (void) ctx;
  return false;
}

bool run_pause(struct run *run, uint64_t ms)
{
  return run_wait(run, never, NULL, ms) != RUN_ABORTED;
}

bool run_yield(struct run *run)
{
  uv_run(&run->loop, UV_RUN_NOWAIT);
  return !run->aborted;
}

enum exit_code run_scenario(const struct scenario *scenario, const struct run_options *options,
                            bool *written, struct error *error)
{
  *written = false;
  if (run_check_steps(scenario, error) != 0) return EXIT_CODE_USAGE;
  struct run *run = calloc(1, sizeof *run);
  if (run == NULL) {
    error_set(error, EXIT_CODE_INTERNAL, "out of memory");
    return EXIT_CODE_INTERNAL;
  }
  run->scenario = scenario;
  run->options = options;
  run->out_fd = -1;
  if (run_setup(run) == 0) {
    run_phases(run);
    run_settle(run);
  }
  run_end_world(run);
  enum exit_code code = run_verdict(run);
  run_teardown(run);
  *error = run->error;
  *written = run->results_written;
  if (!run->stuck) free(run);
  return code;
}
