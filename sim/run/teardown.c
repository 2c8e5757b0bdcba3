/* The end of everything a run holds, in the order in which things depend on each other. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "run/out.h"
#include "run/parts.h"
#include "stage/apply.h"
#include "stage/clones.h"
#include "stage/firmware.h"
#include "stage/folder.h"
#include "stage/mitm.h"
#include "stage/muster.h"
#include "stage/nodes.h"
#include "stage/tokens.h"
#include "stage/wait.h"

#define TEARDOWN_MS 8000u

static void turn_until(struct stage *stage, const bool *flag, uint64_t within_ms)
{
  uint64_t until_ms = world_now_ms(stage->world) + within_ms;
  while (!*flag && world_now_ms(stage->world) < until_ms) world_turn(stage->world, true);
}

/* What has not closed may still write to what we would free: then nothing is, and the process ends
   with its verdict. */
static void must_be_closed(struct stage *stage, const bool *flag, const char *what)
{
  if (!stage->stuck) turn_until(stage, flag, TEARDOWN_MS);
  if (*flag || stage->stuck) return;
  stage->stuck = true;
  stage_clear_terminal(stage);
  fprintf(stderr,
          "fleetsim: %s did not end within %u s and is left as it is; the results are not touched "
          "by that\n",
          what, TEARDOWN_MS / 1000);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

/* It is freed already: the tick, which may beat once more in this turn of the loop, must not see
   it. */
static void on_fleet_closed(void *ctx)
{
  struct stage *stage = ctx;
  stage->fleet = NULL;
  stage->fleet_closed = true;
}

void run_end_world(struct stage *stage)
{
  world_measure_delay(stage->world, false);
  stage_end_tokens(stage);
  /* first: its threads read the fleet's clock */
  if (stage->office != NULL) office_stop(stage->office);
  stage->office = NULL;
  if (stage->clones != NULL) {
    fleet_close(stage_clones_fleet(stage), set_flag, &stage->clones_closed);
    must_be_closed(stage, &stage->clones_closed, "the clones' connections");
    if (!stage->stuck) stage_release_clones(stage);
  }
  if (stage->fleet != NULL) {
    fleet_close(stage->fleet, on_fleet_closed, stage);
    must_be_closed(stage, &stage->fleet_closed, "the fleet's connections");
    stage->fleet = NULL;
  }
  stage_forget_own_keys(stage);
}

static void turn_until_closed(struct stage *stage, const bool *flag)
{
  must_be_closed(stage, flag, "a broker or server");
}

void run_teardown(struct stage *stage)
{
  if (!stage->stuck) stage_ota_end_server(stage, turn_until_closed);
  if (!stage->stuck) stage_end_nodes(stage, turn_until_closed);
  if (!stage->stuck) run_end_loop(stage);
  if (stage->stuck) return;
  run_out_close(stage);
  stage_mitm_forget(stage);
  if (stage->pki != NULL) pki_close(stage->pki);
  pki_crl_history_free(&stage->crl_history);
  metrics_destroy(stage->metrics);
  series_destroy(stage->series);
  stage_muster_free(stage);
  for (size_t p = 0; stage->results.phases != NULL && p < stage->results.phase_count; p++)
    free(stage->results.phases[p].expectations);
  free(stage->results.phases);
  free(stage->results.expectations);
  run_free_plan(stage);
  stage_ota_free(stage);
  run_forget_shortfalls(stage);
  free(stage->before);
  free(stage->undo);
  stage_forget_fleet(stage);
}
