/* A run as its onlooker sees it: put together at a beat where somebody wants it, and once more when
 * it has ended. Looking measures nothing and changes nothing that the verdict is made of. */
#include <stdio.h>
#include <unistd.h>

#include "run/parts.h"
#include "stage/gauges.h"
#include "stage/wait.h"

static void see_phase(const struct stage *stage, struct onlooker_view *view)
{
  const struct scenario *scenario = stage->scenario;
  bool begun = stage->fleet != NULL || stage->results.phase_count > 0;
  bool in_phase = begun && stage->phase < scenario->phase_count;
  view->phase_count = scenario->phase_count;
  view->phase = begun ? stage->phase + 1 : 0;
  view->phase_name = in_phase ? scenario->phases[stage->phase].name : "";
  view->step = in_phase && stage->step != NULL ? stage->step : "";
}

static void see_gate(const struct stage *stage, struct onlooker_view *view)
{
  const struct stage_gate *gate = stage->gate;
  if (gate == NULL) return;
  view->gate = gate->expr;
  view->observed = gate->observed;
  view->gate_s = (double) (stage_elapsed_ms(stage) - gate->began_ms) / 1000.0;
  view->gate_within_s = (double) gate->within_ms / 1000.0;
}

static void see_fleet(const struct stage *stage, struct onlooker_view *view)
{
  struct fleet_census census;
  if (stage->fleet == NULL) return;
  fleet_census(stage->fleet, &census);
  view->online = census.online;
  view->wanted = census.wanted;
  view->shelved = census.shelved;
  view->attempts_open = census.attempts_open;
}

static struct onlooker_view see(const struct stage *stage, bool ended)
{
  struct onlooker_view view = {.results = &stage->results,
                               .ended = ended,
                               .now_s = (double) stage_elapsed_ms(stage) / 1000.0,
                               .limit_s = (double) stage->scenario->run_limit_ms / 1000.0,
                               .held_s = (double) run_held_ms(stage) / 1000.0,
                               .pausing = stage->pause_asked,
                               .paused = stage->paused};
  see_phase(stage, &view);
  see_gate(stage, &view);
  see_fleet(stage, &view);
  return view;
}

static void show(struct stage *stage, unsigned wants, bool ended)
{
  const struct onlooker *onlooker = stage->options->onlooker;
  struct onlooker_view view = see(stage, ended);
  onlooker->look(onlooker->ctx, wants, &view); /* live_look, where there is a live page */
}

void run_show(struct stage *stage)
{
  const struct onlooker *onlooker = stage->options->onlooker;
  if (onlooker == NULL || stage->metrics == NULL || stage->ended) return;
  unsigned wants = onlooker->wants(onlooker->ctx, world_now_ms(stage->world)); /* live_wants */
  if (wants == 0) return;
  if (stage->fleet != NULL) stage_measure_process(stage);
  show(stage, wants, false);
}

void run_show_end(struct stage *stage)
{
  stage->ended = true;
  if (stage->options->onlooker == NULL || stage->metrics == NULL) return;
  show(stage, ONLOOKER_WANTS_DOCUMENT | ONLOOKER_WANTS_METRICS, true);
}

void run_show_progress(struct stage *stage)
{
  struct terminal terminal;
  if (stage->progress == NULL || stage->fleet == NULL || stage->asking) return;
  struct onlooker_view view = see(stage, false);
  if (!progress_is_due(stage->progress, &view, stage->paints)) return;
  bool paints = stage->paints && world_terminal(stage->world, STDERR_FILENO, &terminal);
  stage_measure_process(stage);
  progress_show(stage->progress, &view, paints ? &terminal : NULL);
}
