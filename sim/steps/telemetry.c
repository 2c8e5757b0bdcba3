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
  const struct raw_telemetry raw = {.every = (char *) step_take_text(w, "every"),
                                    .bytes = (char *) step_take_text(w, "bytes"),
                                    .qos = (char *) step_take_text(w, "qos"),
                                    .payload = (char *) step_take_text(w, "payload"),
                                    .seq_at = (char *) step_take_text(w, "seq-at"),
                                    .time_at = (char *) step_take_text(w, "time-at")};
  return check_telemetry(w->t, w->at, &raw, &w->out->telemetry);
}

static void print_telemetry(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[32];
  const struct scenario_telemetry *telemetry = &step->telemetry;
  fprintf(out, "telemetry every %s, ", print_duration(telemetry->every_ms, text));
  if (telemetry->payload.text[0] == '\0') fprintf(out, "%u bytes, ", (unsigned) telemetry->bytes);
  fprintf(out, "QoS %u", (unsigned) telemetry->qos);
  print_payload(&telemetry->payload, out);
}

/* telemetry: {every: 2s, bytes: 64, qos: 1} or with payload, seq-at, time-at in place of bytes */
const struct step_kind step_telemetry = {
    .name = "telemetry",
    .arguments = {STEP_ARG("every"), STEP_ARG("bytes"), STEP_ARG("qos"), STEP_ARG("payload"),
                  STEP_ARG("seq-at"), STEP_ARG("time-at")},
    .take = take_telemetry,
    .print = print_telemetry,
    .run = run_telemetry,
};
