/* telemetry: how often devices publish, from here on. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/fleet_config.h"
#include "steps/internal.h"

static enum step_outcome run_telemetry(struct stage *stage, const struct scenario_step *step)
{
  struct fleet_telemetry telemetry = stage_telemetry(&step->telemetry);
  fleet_set_telemetry(stage->fleet, &telemetry);
  return STEP_DONE;
}

static int take_telemetry(const struct step_take *w)
{
  w->out->telemetry = w->scenario->telemetry;
  return check_telemetry(w->t, w->at, step_take_text(w, "every"), step_take_text(w, "bytes"),
                         step_take_text(w, "qos"), &w->out->telemetry);
}

static void print_telemetry(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[32];
  fprintf(out, "telemetry every %s, %u bytes, QoS %u",
          print_duration(step->telemetry.every_ms, text), (unsigned) step->telemetry.bytes,
          (unsigned) step->telemetry.qos);
}

/* telemetry: {every: 2s, bytes: 64, qos: 1} */
const struct step_kind step_telemetry = {
    .name = "telemetry",
    .arguments = {STEP_ARG("every"), STEP_ARG("bytes"), STEP_ARG("qos")},
    .take = take_telemetry,
    .print = print_telemetry,
    .run = run_telemetry,
};
