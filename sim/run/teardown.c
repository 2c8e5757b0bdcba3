/* The end of everything a run holds, in the order in which things depend on each other. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "run/operation.h"
#include "run/ota.h"
#include "run/out.h"

#define TEARDOWN_MS 8000u

static void turn_until(struct run *run, const bool *flag, uint64_t within_ms)
{
  uint64_t until_ms = uv_now(&run->loop) + within_ms;
  while (!*flag && uv_now(&run->loop) < until_ms) uv_run(&run->loop, UV_RUN_ONCE);
}

/* What has not closed may still write to what we would free: then nothing is, and the process ends
   with its verdict. */
static void must_be_closed(struct run *run, const bool *flag, const char *what)
{
  if (!run->stuck) turn_until(run, flag, TEARDOWN_MS);
  if (*flag || run->stuck) return;
  run->stuck = true;
  fprintf(stderr,
          "fleetsim: %s did not end within %u s and is left as it is; the results are not touched "
          "by that\n",
          what, TEARDOWN_MS / 1000);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

void run_end_world(struct run *run)
{
  loop_delay_stop(&run->delay);
  /* first: its threads read the fleet's clock */
  if (run->office != NULL) office_stop(run->office);
  run->office = NULL;
  if (run->clones != NULL) {
    fleet_close(run_clones_fleet(run), set_flag, &run->clones_closed);
    must_be_closed(run, &run->clones_closed, "the clones' connections");
    if (!run->stuck) run_release_clones(run);
  }
  if (run->fleet != NULL) {
    fleet_close(run->fleet, set_flag, &run->fleet_closed);
    must_be_closed(run, &run->fleet_closed, "the fleet's connections");
    run->fleet = NULL;
  }
  if (run->backend != NULL && !run->stuck) backend_uv_destroy(run->backend);
}

static void turn_until_closed(struct run *run, const bool *flag)
{
  must_be_closed(run, flag, "a broker or server");
}

static void turn_while_alive(struct run *run)
{
  uint64_t until_ms = uv_now(&run->loop) + TEARDOWN_MS;
  while (uv_loop_alive(&run->loop) && uv_now(&run->loop) < until_ms)
    uv_run(&run->loop, UV_RUN_ONCE);
  if (!uv_loop_alive(&run->loop)) return;
  run->stuck = true;
  fprintf(stderr, "fleetsim: something is still under way after %u s and is left as it is\n",
          TEARDOWN_MS / 1000);
}

static void end_loop(struct run *run)
{
  if (!run->loop_open) return;
  uv_unref((uv_handle_t *) &run->tick); /* beats on, so that no turn waits for ever */
  uv_close((uv_handle_t *) &run->wake, NULL);
  for (size_t i = 0; i < run->signal_count; i++) uv_close((uv_handle_t *) &run->signals[i], NULL);
  turn_while_alive(run);
  if (run->stuck) return;
  uv_close((uv_handle_t *) &run->tick, NULL);
  uv_run(&run->loop, UV_RUN_NOWAIT);
  uv_loop_close(&run->loop);
  run_free_kept(run);
}

void run_teardown(struct run *run)
{
  if (run->loop_open && !run->stuck) run_ota_end_server(run, turn_until_closed);
  if (run->loop_open && !run->stuck) run_end_nodes(run, turn_until_closed);
  if (!run->stuck) end_loop(run);
  if (run->stuck) return;
  run_out_close(run);
  if (run->pki != NULL) pki_close(run->pki);
  pki_crl_history_free(&run->crl_history);
  metrics_destroy(run->metrics);
  for (size_t p = 0; run->results.phases != NULL && p < run->results.phase_count; p++)
    free(run->results.phases[p].expectations);
  free(run->results.phases);
  free(run->results.expectations);
  run_ota_free(run);
  free(run->ids);
  free(run->acked_version);
  free(run->identity);
}
