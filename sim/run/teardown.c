/* The end of everything a run holds, in the order in which things depend on each other. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdlib.h>

#include "run/operation.h"
#include "run/ota.h"

#define TEARDOWN_MS 8000u

static void turn_until(struct run *run, const bool *flag, uint64_t within_ms)
{
  uint64_t until_ms = uv_now(&run->loop) + within_ms;
  while (!*flag && uv_now(&run->loop) < until_ms) uv_run(&run->loop, UV_RUN_ONCE);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

void run_end_world(struct run *run)
{
  bool closed = false;
  loop_delay_stop(&run->delay);
  if (run->operator!= NULL) operator_stop(run->operator); /* first: its threads read the fleet's clock */
  run->operator= NULL;
  if (run->clones != NULL) {
    bool gone = false;
    fleet_close(run_clones_fleet(run), set_flag, &gone);
    turn_until(run, &gone, TEARDOWN_MS);
    assert(gone);
    run_release_clones(run);
  }
  if (run->fleet != NULL) {
    fleet_close(run->fleet, set_flag, &closed);
    turn_until(run, &closed, TEARDOWN_MS);
    assert(closed);
    run->fleet = NULL;
  }
  if (run->backend != NULL) backend_uv_destroy(run->backend);
}

static void turn_until_closed(struct run *run, const bool *flag)
{
  turn_until(run, flag, TEARDOWN_MS);
}

static void end_loop(struct run *run)
{
  if (!run->loop_open) return;
  uv_close((uv_handle_t *) &run->tick, NULL);
  uv_close((uv_handle_t *) &run->wake, NULL);
  for (size_t i = 0; i < 2; i++) uv_close((uv_handle_t *) &run->signals[i], NULL);
  uv_run(&run->loop, UV_RUN_DEFAULT);
  uv_loop_close(&run->loop);
  run_free_kept(run);
}

void run_teardown(struct run *run)
{
  if (run->loop_open) run_ota_end_server(run, turn_until_closed);
  if (run->loop_open) run_end_nodes(run, turn_until_closed);
  end_loop(run);
  if (run->pki != NULL) pki_close(run->pki);
  metrics_destroy(run->metrics);
  for (size_t p = 0; run->results.phases != NULL && p < run->results.phase_count; p++)
    free(run->results.phases[p].expectations);
  free(run->results.phases);
  free(run->results.expectations);
  run_ota_free(run);
  free(run->ids);
  free(run->revoked);
  free(run->acked_version);
  free(run->identity);
}
